"""Which offsets are an hour's, whatever objects they lie in."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from volwatch.pipeline.listing import LOOK_BACK
from volwatch.pipeline.rebuild_plan import Hour, Listing, Span, listed
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone

TEN = datetime(2026, 1, 5, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def key(hour: int, first: int, last: int, partition: int = 0) -> ObjectKey:
    return ObjectKey(TEN + hour * HOUR, partition, first, last)


def listing(*keys: ObjectKey) -> Listing:
    by_partition: dict[int, list[ObjectKey]] = {}
    for one in sorted(keys, key=lambda key: (key.first_offset, key.last_offset)):
        by_partition.setdefault(one.partition, []).append(one)
    return Listing(by_partition)


class MemoryRawzone:
    """Objects that are listed; the hours from which they were."""

    def __init__(self, *keys: ObjectKey) -> None:
        self._keys = sorted(keys)
        self.asked: list[ObjectKey | None] = []

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        self.asked.append(start_after)
        return (ObjectInfo(key, 1, "", TEN) for key in self._keys if start_after is None or key > start_after)


def keys_of(zone: MemoryRawzone, since: datetime | None, wanted: Sequence[Span]) -> list[ObjectKey]:
    found = listed(cast("Rawzone", zone), since, wanted)
    return [key for of_partition in found.keys.values() for key in of_partition]


def test_an_hour_begins_with_the_first_offset_of_its_first_object() -> None:
    held = listing(key(0, 0, 59), key(1, 60, 99), key(1, 100, 119), key(3, 120, 150), key(1, 0, 9, partition=2))
    assert held.hours([Span(0, 0, 151), Span(2, 0, 10)]) == [
        Hour(TEN, (Span(0, 0, 60),)),
        Hour(TEN + HOUR, (Span(0, 60, 120), Span(2, 0, 10))),
        Hour(TEN + 3 * HOUR, (Span(0, 120, 151),)),
    ]


def test_an_object_that_reaches_into_the_next_hour_leaves_that_its_rows() -> None:
    """A consumer that restarts stores again what is stored: from an offset, and so an hour, of before."""
    held = listing(key(0, 0, 59), key(1, 60, 99), key(0, 40, 80))
    assert held.hours([Span(0, 0, 100)]) == [Hour(TEN, (Span(0, 0, 60),)), Hour(TEN + HOUR, (Span(0, 60, 100),))]
    assert held.within(Span(0, 60, 100)) == [key(0, 40, 80), key(1, 60, 99)]


def test_a_span_that_begins_within_an_object_keeps_its_beginning() -> None:
    held = listing(key(0, 0, 59), key(1, 60, 99))
    assert held.hours([Span(0, 30, 70)]) == [Hour(TEN, (Span(0, 30, 60),)), Hour(TEN + HOUR, (Span(0, 60, 70),))]


def test_offsets_that_no_object_has_go_with_an_hour_all_the_same() -> None:
    held = listing(key(0, 10, 19), key(1, 40, 49))
    assert held.hours([Span(0, 0, 60)]) == [Hour(TEN, (Span(0, 0, 40),)), Hour(TEN + HOUR, (Span(0, 40, 60),))]


def test_the_first_offset_of_an_hour_that_brought_nothing_is_that_of_the_next() -> None:
    held = listing(key(0, 0, 59), key(2, 60, 99))
    firsts = [held.first_offset(0, TEN + hour * HOUR, 100) for hour in range(4)]
    assert (firsts, held.first_offset(7, TEN, 5)) == ([0, 60, 60, 100], 5)


def test_a_listing_looks_further_back_only_where_offsets_are_missing() -> None:
    zone = MemoryRawzone(key(-40, 20, 29), key(0, 0, 19), key(1, 30, 39))
    assert keys_of(zone, TEN, [Span(0, 0, 20)]) == [key(0, 0, 19), key(1, 30, 39)]
    assert keys_of(zone, TEN, [Span(0, 0, 40)]) == [key(0, 0, 19), key(-40, 20, 29), key(1, 30, 39)]
    hours = [start.hour + HOUR for start in zone.asked if start is not None]
    assert hours == [TEN, TEN, TEN - LOOK_BACK]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 80), st.integers(0, 30)), max_size=12), st.data())
def test_hours_part_a_span_without_a_gap(objects: list[tuple[int, int, int]], data: st.DataObject) -> None:
    held = listing(*(key(hour, first, first + rows) for hour, first, rows in objects))
    first = data.draw(st.integers(0, 60))
    span = Span(0, first, data.draw(st.integers(first, 120)))
    parts = [part for hour in held.hours([span]) for part in hour.spans]
    covered = [offset for part in parts for offset in range(part.first, part.end)]
    assert covered in ([], list(range(span.first, span.end)))
    assert bool(covered) == (bool(held.within(span)) and span.first < span.end)
