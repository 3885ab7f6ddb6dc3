"""What the consumer holds between Kafka and the raw zone: records of one partition, until they make an object.

Pure: time is an argument, and nothing here knows a client.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from volwatch.errors import BadTrade
from volwatch.rawzone.encode import NumberedTrade
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.trade import decode

# What CPython keeps for a record beside its value's bytes: two objects' heads and two places in lists.
_RECORD_OVERHEAD_BYTES = 96


@dataclass(frozen=True, slots=True)
class Limits:
    """When the records of a partition make an object: whichever is reached first."""

    rows: int
    size_bytes: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no trade, and why."""

    partition: int
    offset: int
    value: bytes | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Records:
    """Consecutive records of one partition, as Kafka gave them; never empty."""

    partition: int
    offsets: Sequence[int]
    values: Sequence[bytes | None]
    first_timestamp_ms: int
    size_bytes: int

    @property
    def key(self) -> ObjectKey:
        """The object that answers for these records, those that are no trades included."""
        return ObjectKey(hour_of(self.first_timestamp_ms), self.partition, self.offsets[0], self.offsets[-1])

    @property
    def next_offset(self) -> int:
        """Where reading goes on once these records are stored."""
        return self.offsets[-1] + 1

    def sift(self) -> tuple[list[NumberedTrade], list[Reject]]:
        """Return the trades among the records, and the others with the reason why they are none."""
        trades: list[NumberedTrade] = []
        rejects: list[Reject] = []
        for offset, value in zip(self.offsets, self.values, strict=True):
            try:
                trades.append((offset, decode(value)))
            except BadTrade as error:
                rejects.append(Reject(self.partition, offset, value, error.reason, error.detail))
        return trades, rejects


class Batch:
    """The buffer of one partition."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._begin()

    def _begin(self) -> None:
        self._offsets: list[int] = []
        self._values: list[bytes | None] = []
        self._first_timestamp_ms = 0
        self._since = 0.0
        self.size_bytes = 0

    def extend(
        self, offsets: Sequence[int], values: Sequence[bytes | None], first_timestamp_ms: int, now: float
    ) -> None:
        """Append records that follow those held; ``first_timestamp_ms`` is of the first of them."""
        if not self._offsets:
            self._first_timestamp_ms = first_timestamp_ms
            self._since = now
        self._offsets += offsets
        self._values += values
        self.size_bytes += sum(map(len, filter(None, values))) + _RECORD_OVERHEAD_BYTES * len(offsets)

    def due(self, limits: Limits, now: float) -> str | None:
        """Return which limit makes the records an object now (``size``, ``age``), if any does."""
        if not self._offsets:
            return None
        if len(self._offsets) >= limits.rows or self.size_bytes >= limits.size_bytes:
            return "size"
        return "age" if now - self._since >= limits.age_seconds else None

    def take(self) -> Records | None:
        """Return the records held, if any, and hold none from now on."""
        if not self._offsets:
            return None
        taken = Records(self._partition, self._offsets, self._values, self._first_timestamp_ms, self.size_bytes)
        self._begin()
        return taken
