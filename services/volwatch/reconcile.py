"""Counts rows per hop against each other: what Kafka has had, what the raw zone holds, what was loaded. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

Range = tuple[int, int]
"""First and last offset, both inclusive."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The rows of one Kafka partition, hop by hop; fields are the columns of ``reconciliations``.

    ``since`` is the hour from which on they were counted, None where all were.
    """

    checked_at: datetime
    partition: int
    kafka_first: int
    kafka_end: int
    raw_rows: int
    loaded_rows: int
    rejected_rows: int
    missing_raw: int
    unloaded: int
    since: datetime | None = None

    @property
    def difference(self) -> int:
        """Rows that one hop has and the next should have."""
        return self.missing_raw + self.unloaded


@dataclass(frozen=True, slots=True)
class Hop:
    """What is known of one partition: the ranges that objects answer for, in the raw zone and in the ledger.

    ``start`` is the first offset that is looked at; None: the first one stored, for older objects may have expired.
    """

    kafka: Range
    stored: list[Range]
    ledger: list[Range]
    next_offset: int
    loaded_rows: int
    rejected_rows: int
    start: int | None = None


def reconcile(partition: int, hop: Hop, checked_at: datetime, since: datetime | None = None) -> Reconciliation:
    """Return the count of one partition.

    ``missing_raw`` are offsets between the first one and the loader's position that no object has; ``unloaded`` are
    offsets before the position that an object has and the ledger has not.
    """
    stored = union(hop.stored)
    if hop.start is not None:
        stored = clipped(stored, (hop.start, max((last for _, last in stored), default=0)))
    ledger = union(hop.ledger)
    first = hop.start if hop.start is not None else stored[0][0] if stored else hop.next_offset
    passed = (first, hop.next_offset - 1)
    return Reconciliation(
        checked_at=checked_at,
        partition=partition,
        kafka_first=hop.kafka[0],
        kafka_end=hop.kafka[1],
        raw_rows=size(stored),
        loaded_rows=hop.loaded_rows,
        rejected_rows=hop.rejected_rows,
        missing_raw=size([passed]) - size(clipped(union([*stored, *ledger]), passed)),
        unloaded=size(clipped(stored, passed)) - size(intersection(clipped(stored, passed), ledger)),
        since=since,
    )


def union(ranges: Iterable[Range]) -> list[Range]:
    """Return the same offsets as disjoint ranges in order."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def intersection(left: list[Range], right: list[Range]) -> list[Range]:
    """Return the offsets that are in both, each given as disjoint ranges in order."""
    common: list[Range] = []
    a, b = 0, 0
    while a < len(left) and b < len(right):
        first, last = max(left[a][0], right[b][0]), min(left[a][1], right[b][1])
        if first <= last:
            common.append((first, last))
        if left[a][1] < right[b][1]:
            a += 1
        else:
            b += 1
    return common


def clipped(ranges: list[Range], bounds: Range) -> list[Range]:
    """Return the offsets of ranges that lie within bounds."""
    return intersection(ranges, [bounds] if bounds[0] <= bounds[1] else [])


def size(ranges: Iterable[Range]) -> int:
    """Return how many offsets ranges hold."""
    return sum(max(0, last - first + 1) for first, last in ranges)
