"""The turn to send: waited for, kept by a thread, given back, and lost in time.

What happens to who loses it, by the lease's default of ten seconds, counted from before its last renewal:

* after 6.7 s nothing more is handed to the Kafka client, and what is in its queue is withdrawn;
* until 8.3 s the client waits for answers to the requests that are on their way, and then forgets them as well, so that
  none is sent again;
* then the process ends, with its connections to Kafka and to a feed. It does not stand by again: an idempotent producer
  whose requests were forgotten has lost count, and a process that was too slow to renew is better made anew. At 9.5 s
  it is ended by force, whatever it is at;
* not before 10 s another may begin.

So a record can come behind the first one of another producer only if the network or the broker had it on its way for
longer than those last 1.7 s, or if the whole process stood still and then went on: what the client had queued goes out
for the moment that its threads are faster than ours. To shut that out Kafka would have to know of the lease, which it
does for transactions only.
"""

import os
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

import structlog

from volwatch import metrics
from volwatch.errors import Misconfigured, Transient, VolwatchError
from volwatch.producer.lease import Election
from volwatch.runtime import Health, Stop

_log = structlog.get_logger()

_ANSWERS = 1.0 / 2.0  # of what is left of a lease
_MARGIN = 1.0 / 20.0  # of a duration
_EXIT_CODE = 1


class Deposed(VolwatchError):
    """It is no longer our turn: nothing more may be sent, and the process ends.

    Attributes
    ----------
    answer_seconds : float
        How long the answers to what is on its way may be awaited.
    """

    def __init__(self, answer_seconds: float) -> None:
        super().__init__("the lease is no longer ours")
        self.answer_seconds = answer_seconds


class Turn(Protocol):
    """The right to send, of one process at a time."""

    def wait(self, stop: Stop, health: Health) -> bool:
        """Return True when our turn has come, False when a stop was wanted before."""

    def keep(self, halt: Callable[[], None]) -> None:
        """Keep it, from a thread of its own; if it is lost, ``halt`` is called there, to take back what is queued."""

    def check(self) -> None:
        """Raise ``Deposed`` when it is lost."""

    def give_back(self) -> None:
        """Let another have it: nothing of ours is on its way any more."""


def boot_clock() -> float:
    """Return seconds of a clock that nobody sets; on Linux it runs while the machine sleeps, as an election needs."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Unopposed:
    """The turn of who shares it with nobody."""

    def wait(self, stop: Stop, health: Health) -> bool:
        """Return at once."""
        return True

    def keep(self, halt: Callable[[], None]) -> None:
        """Nobody can take it."""

    def check(self) -> None:
        """Nobody has taken it."""

    def give_back(self) -> None:
        """Nobody waits for it."""


class Leadership:
    """The turn of who is elected; see ``Turn``.

    Parameters
    ----------
    duration_seconds : float
        As the election has it.
    end : callable
        Ends the process at once, with an exit code.
    """

    def __init__(self, election: Election, duration_seconds: float, end: Callable[[int], object] = os._exit) -> None:
        self._election = election
        self._margin_seconds = duration_seconds * _MARGIN
        self._duration_seconds = duration_seconds
        self._end = end
        self._over = Event()
        self._keeper: Thread | None = None
        self._trouble = ""
        self._lost = False

    def wait(self, stop: Stop, health: Health) -> bool:
        """Stand by, which is alive and ready, until elected."""
        awaited = ""
        while not stop.requested:
            wait_seconds = self._step()
            health.beat()
            if self._election.leading:
                metrics.producer_leader.set(1)
                metrics.producer_leadership_changes_total.inc()
                _log.info("leadership_gained")
                return True
            health.set_ready(not self._trouble)
            holder = self._election.seen.holder if self._election.seen else ""
            if holder not in ("", awaited):
                _log.info("standing_by", holder=holder)
                awaited = holder
            stop.wait(wait_seconds)
        return False

    def keep(self, halt: Callable[[], None]) -> None:
        """Renew the lease until it is given back or lost."""
        self._keeper = Thread(target=self.run, args=[halt], name="leadership", daemon=True)
        self._keeper.start()

    def run(self, halt: Callable[[], None]) -> None:
        """Do what ``keep`` starts."""
        try:
            while self._election.leading:
                if self._over.wait(self._step()):
                    return
        except Misconfigured as error:
            self._trouble = str(error)
        self._lose(halt)

    def check(self) -> None:
        """Look at the clock, so that it does not matter what the thread is at."""
        if self._lost or not self._election.leading:
            raise Deposed(max(0.0, self._election.seconds_left * _ANSWERS))

    def give_back(self) -> None:
        """Release the lease; where that is not heard the others wait until it is over."""
        self._over.set()
        if self._keeper is not None:
            self._keeper.join(self._duration_seconds)  # a renewal that is under way must not come after the release
        metrics.producer_leader.set(0)
        metrics.producer_leadership_changes_total.inc()
        try:
            self._election.release()
        except Transient as error:
            _log.warning("lease_not_released", reason=str(error))
        else:
            _log.info("leadership_given_back")

    def _lose(self, halt: Callable[[], None]) -> None:
        self._lost = True
        metrics.producer_leader.set(0)
        metrics.producer_leadership_changes_total.inc()
        _log.error("leadership_lost", reason=self._trouble or "another has the lease")
        halt()
        if not self._over.wait(max(0.0, self._election.seconds_left - self._margin_seconds)):
            self._end(_EXIT_CODE)

    def _step(self) -> float:
        wait_seconds = self._election.step()
        if self._election.trouble != self._trouble:
            self._trouble = self._election.trouble
            if self._trouble:
                _log.warning("lease_unreachable", reason=self._trouble)
        return wait_seconds
