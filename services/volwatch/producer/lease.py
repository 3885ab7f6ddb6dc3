"""The lease: one of several producers sends, the others stand by, and two never send at once.

Pure: the clock, chance and the place where the record is kept are arguments. In the manner of Kubernetes' own leader
election no two clocks are ever compared. Who stands by counts by its own clock since it last saw the record change. Who
holds the lease counts by its own clock since before it asked for its last renewal that was granted, which is earlier.
Both clocks must run equally fast to within a third, and must not stand still while the machine does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from volwatch.errors import Transient

_RENEWALS = 5.0  # in a duration
_RETRIES = 20.0  # in a duration, of what failed
_SENDING = 2.0 / 3.0  # of a duration, after which a holder without a renewal sends no more
_SETTLING = 1.0 / 10.0  # of a duration, in which the last words of a process that was killed reach the broker


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down about a lease.

    Attributes
    ----------
    holder : str
        Who has it, a name that no two processes ever have; empty when nobody has it.
    version : str
        Another one after every change; empty before the first.
    abandoned : bool
        Its holder is known to have ended without giving it back.
    """

    holder: str
    version: str
    abandoned: bool = False


class Lease(Protocol):
    """Where the record is kept.

    Each request ends within its timeout, or raises ``Transient``: who asked then does not know whether it was heard.

    Attributes
    ----------
    lasts : bool
        Nobody can take it from a process that lives, however long that process is silent.
    """

    lasts: bool

    def read(self, timeout_seconds: float) -> Record:
        """Return the record as it is."""

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        """Write down a holder, and return what is now written; None when the record was no longer as it was seen."""

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        """Let the record change, and return what is now written; None when it was no longer as it was seen."""

    def release(self, own: Record, timeout_seconds: float) -> None:
        """Write down that nobody has it, unless the record is no longer as it was seen."""


class Election:
    """One candidate: it stands by until the lease is free, then renews it until it cannot.

    Parameters
    ----------
    holder : str
        This candidate's name, which no other process ever has.
    duration_seconds : float
        How long a record must have stood still before another may take it.
    clock : callable
        Seconds of a clock that nobody sets and that runs while the machine sleeps.
    random : callable
        Returns a number in [0, 1).

    Attributes
    ----------
    trouble : str
        Why the last request failed; empty when it did not.
    seen : Record or None
        The record as it was last read or written.
    """

    def __init__(
        self,
        lease: Lease,
        holder: str,
        duration_seconds: float,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._lease = lease
        self._holder = holder
        self._duration = duration_seconds
        self._clock = clock
        self._random = random
        self._seen_at = -inf
        self._own: Record | None = None
        self._send_until = -inf
        self._over_at = -inf
        self.trouble = ""
        self.seen: Record | None = None

    @property
    def leading(self) -> bool:
        """Whether this candidate may send now. A look at the clock: no thread has to run for it to become false."""
        return self._clock() < self._send_until

    @property
    def seconds_left(self) -> float:
        """Seconds until another may begin to send; by then, nothing of ours may be on its way."""
        return self._over_at - self._clock()

    def step(self) -> float:
        """Do what is due now, a few requests at most; return after how many seconds the next step is.

        Raises
        ------
        Misconfigured
            The lease cannot be had as things are.
        """
        led = self.leading
        try:
            wait_seconds = self._renew(self._own) if self._own and led else self._stand_by()
            self.trouble = ""
        except Transient as error:
            wait_seconds = self._duration / _RETRIES if led else self._poll_seconds()
            self.trouble = str(error)
        # Whoever led is told at once that it may no longer send.
        return max(0.0, min(wait_seconds, self._send_until - self._clock())) if led else wait_seconds

    def release(self) -> None:
        """Give the lease back, if it is ours; from now on this candidate does not lead.

        Raises
        ------
        Transient
            It may not have been heard: the others wait until the lease is over.
        """
        own = self._own
        self._lose()
        if own is not None:
            self._lease.release(own, self._duration / _RENEWALS)

    def _stand_by(self) -> float:
        self._lose()
        record = self._lease.read(self._duration / _RENEWALS)
        if record != self.seen:
            # After the answer: no change that it tells of is later.
            self.seen, self._seen_at = record, self._clock()
        still_seconds = self._clock() - self._seen_at
        if still_seconds < self._patience_seconds(record):
            return min(self._poll_seconds(), self._patience_seconds(record) - still_seconds)
        asked_at = self._clock()
        taken = self._lease.try_take(record, self._holder, self._duration / _RENEWALS)
        return self._poll_seconds() if taken is None else self._granted(taken, asked_at)

    def _patience_seconds(self, record: Record) -> float:
        """Return how long a record must have stood still to be taken. Our own name in it is that of a request whose
        answer was lost."""
        if record.holder in ("", self._holder):
            return 0.0
        return self._duration * (_SETTLING if record.abandoned else 1.0)

    def _renew(self, own: Record) -> float:
        asked_at = self._clock()
        renewed = self._lease.renew(own, self._timeout_seconds())
        if renewed is not None:
            return self._granted(renewed, asked_at)
        record = self._lease.read(self._timeout_seconds())
        if record.holder != self._holder:
            return self._stand_by()
        # Ours: the answer to an earlier renewal was lost, or somebody has put a label on it. Ask again, as it is now.
        self._own = record
        return 0.0

    def _granted(self, record: Record, asked_at: float) -> float:
        """Take note of a lease that was ours at some time after we asked; return when to renew it, in seconds."""
        self._own = self.seen = record
        self._over_at = inf if self._lease.lasts else asked_at + self._duration
        self._send_until = inf if self._lease.lasts else asked_at + self._duration * _SENDING
        return max(0.0, asked_at + self._duration / _RENEWALS - self._clock())

    def _lose(self) -> None:
        self._own, self._send_until, self._over_at = None, -inf, -inf

    def _timeout_seconds(self) -> float:
        """Return how long a holder's request may take: no longer than the holder may send."""
        return max(0.001, min(self._duration / _RENEWALS, self._send_until - self._clock()))

    def _poll_seconds(self) -> float:
        """Return how long who stands by waits: not all of them as long."""
        return self._duration / _RENEWALS * (0.75 + 0.25 * self._random())
