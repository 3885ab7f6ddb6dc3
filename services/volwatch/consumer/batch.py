"""What the consumer holds between Kafka and the raw zone: rows of one partition, until they make an object.

Records become rows as they come, while they are in the processor's cache: rows take a third of the memory of records.
Pure: time is an argument, and nothing here knows a client.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from volwatch.rawzone.encode import encode_rows
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.sifting import Reject, Sifted, sift

# What CPython keeps beside the bytes of a part or of a reject's value: heads of objects, places in lists, the detail.
_PART_OVERHEAD_BYTES = 48
_REJECT_OVERHEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """When the records of a partition make an object: whichever is reached first."""

    rows: int
    size_bytes: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Rows:
    """What consecutive records of one partition became.

    Attributes
    ----------
    key : ObjectKey
        The object that answers for the records, those that are no trades included.
    parts : sequence of bytes
        The trades' rows, for ``rawzone.encode.pack``; empty when none of the records was a trade.
    count : int
        How many rows that are.
    rejects : list of Reject
        The records that are no trades.
    newest_event_time : int or None
        Event time of the last trade, epoch milliseconds.
    size_bytes : int
        What all this takes in memory.
    """

    key: ObjectKey
    parts: Sequence[bytes]
    count: int
    rejects: list[Reject]
    newest_event_time: int | None
    size_bytes: int


class Batch:
    """The buffer of one partition."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._begin()

    def _begin(self) -> None:
        self._first_offset = self._last_offset = 0
        self._first_timestamp_ms = 0
        self._since = 0.0
        self._records = 0
        self._parts: list[bytes] = []
        self._count = 0
        self._rejects: list[Reject] = []
        self._newest_event_time: int | None = None
        self.size_bytes = 0

    def extend(
        self, offsets: Sequence[int], values: Sequence[bytes | None], first_timestamp_ms: int, now: float
    ) -> None:
        """Append records that follow those held, at least one; ``first_timestamp_ms`` is of the first of them."""
        if not self._records:
            self._first_offset = offsets[0]
            self._first_timestamp_ms = first_timestamp_ms
            self._since = now
        self._last_offset = offsets[-1]
        self._records += len(offsets)
        for sifted in sift(self._partition, offsets, values):
            self._add(sifted)

    def _add(self, sifted: Sifted) -> None:
        if sifted.trades:
            part = encode_rows(self._partition, sifted.offsets, sifted.trades)
            self._parts.append(part)
            self._count += len(sifted.trades)
            self._newest_event_time = sifted.trades[-1].event_time
            self.size_bytes += len(part) + _PART_OVERHEAD_BYTES
        for reject in sifted.rejects:
            self._rejects.append(reject)
            self.size_bytes += len(reject.value or b"") + _REJECT_OVERHEAD_BYTES

    def due(self, limits: Limits, now: float) -> str | None:
        """Return which limit makes the records an object now (``size``, ``age``), if any does."""
        if not self._records:
            return None
        if self._records >= limits.rows or self.size_bytes >= limits.size_bytes:
            return "size"
        return "age" if now - self._since >= limits.age_seconds else None

    def take(self) -> Rows | None:
        """Return what is held, if anything, and hold nothing from now on."""
        if not self._records:
            return None
        hour = hour_of(self._first_timestamp_ms)
        key = ObjectKey(hour, self._partition, self._first_offset, self._last_offset)
        taken = Rows(key, self._parts, self._count, self._rejects, self._newest_event_time, self.size_bytes)
        self._begin()
        return taken
