from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.pipeline.listing import (
    LOOK_BACK,
    OVERLAP,
    RECENT,
    Plan,
    list_start,
    make_plan,
    missing_offsets,
    share,
    take,
    unloaded,
)
from volwatch.rawzone.keys import ObjectKey, last_key_before
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.warehouse.writer import Position

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)


def key(first: int, last: int, partition: int = 0, hour: datetime = HOUR) -> ObjectKey:
    return ObjectKey(hour, partition, first, last)


def position(next_offset: int, hour: datetime = HOUR) -> Position:
    return Position(next_offset, hour, 0)


class Listings:
    """A raw zone that shows one more of its listings each time, then the last for ever."""

    def __init__(self, *listings: list[ObjectKey]) -> None:
        self._listings = list(listings)
        self.started_after: list[ObjectKey | None] = []

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        self.started_after.append(start_after)
        shown = self._listings.pop(0) if len(self._listings) > 1 else self._listings[0]
        return (ObjectInfo(one, 1, "", HOUR) for one in sorted(shown) if start_after is None or one > start_after)


def planned(rawzone: Listings, positions: dict[int, Position]) -> Plan:
    return unloaded(cast("Rawzone", rawzone), positions)


def test_what_lies_before_the_position_is_loaded_already() -> None:
    plan = make_plan([key(0, 9), key(10, 19), key(20, 29)], {0: position(20)})
    assert plan == Plan({0: [key(20, 29)]}, {})


def test_an_object_that_straddles_the_position_is_loaded() -> None:
    plan = make_plan([key(0, 19), key(10, 24)], {0: position(20)})
    assert plan == Plan({0: [key(10, 24)]}, {})


def test_objects_come_in_order_of_offsets_whatever_their_hours() -> None:
    late_hour = key(0, 9, hour=HOUR + timedelta(hours=1))
    plan = make_plan([key(10, 19), late_hour], {})
    assert plan.objects == {0: [late_hour, key(10, 19)]}


def test_each_partition_has_its_own_position() -> None:
    plan = make_plan([key(0, 9), key(0, 9, partition=1), key(0, 9, partition=2)], {0: position(10), 1: position(5)})
    assert plan == Plan({1: [key(0, 9, partition=1)], 2: [key(0, 9, partition=2)]}, {})


def test_gaps_are_counted_from_the_position_and_between_objects() -> None:
    plan = make_plan([key(13, 19), key(25, 29)], {0: position(10)})
    assert plan.gaps == {0: 3 + 5}


def test_a_partition_seen_for_the_first_time_begins_where_its_objects_do() -> None:
    assert make_plan([key(500, 509)], {}).gaps == {}


@given(
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=8), start=st.integers(0, 70)
)
def test_missing_offsets_equal_those_of_sets(spans: list[tuple[int, int]], start: int) -> None:
    objects = sorted(key(first, first + length) for first, length in spans)
    held = {offset for one in objects for offset in range(one.first_offset, one.last_offset + 1)}
    assert missing_offsets(objects, start) == len(set(range(start, max(held) + 1)) - held)


def test_a_gap_is_looked_at_a_second_time() -> None:
    """The object in between was stored while the first listing was under way."""
    rawzone = Listings([key(0, 9), key(20, 29)], [key(0, 9), key(10, 19), key(20, 29)])
    assert planned(rawzone, {}) == Plan({0: [key(0, 9), key(10, 19), key(20, 29)]}, {})


def test_a_gap_that_stays_is_a_gap() -> None:
    rawzone = Listings([key(0, 9), key(20, 29)])
    assert planned(rawzone, {0: position(0)}).gaps == {0: 10}
    assert len(rawzone.started_after) == 2


def test_without_a_gap_one_listing_is_enough() -> None:
    rawzone = Listings([key(0, 9), key(10, 19)])
    assert planned(rawzone, {0: position(0)}).gaps == {}
    assert len(rawzone.started_after) == 1


def test_the_first_run_lists_everything() -> None:
    assert list_start({}) is None


def test_listing_starts_a_little_before_the_partition_furthest_behind() -> None:
    behind = HOUR - timedelta(hours=5)
    assert list_start({0: position(9), 1: position(3, behind)}) == last_key_before(behind - OVERLAP)


def test_a_partition_that_fell_silent_long_ago_does_not_make_listings_longer() -> None:
    silent = HOUR - timedelta(days=30)
    assert list_start({0: position(9), 1: position(3, silent)}) == last_key_before(HOUR - RECENT - OVERLAP)


@pytest.mark.parametrize("hour", [HOUR, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)])
def test_listing_behind_an_hour_leaves_out_what_is_before_it_and_nothing_else(hour: datetime) -> None:
    bound = str(last_key_before(hour))
    last = key(2**63 - 1, 2**63 - 1, partition=99_998, hour=hour - timedelta(hours=1))
    assert str(last) < bound < str(key(0, 0, hour=hour))


def test_a_position_read_in_another_time_zone_means_the_same_hour() -> None:
    eastern = HOUR.astimezone(datetime.strptime("-0500", "%z").tzinfo)
    assert list_start({0: position(1, eastern)}) == list_start({0: position(1)})


@pytest.mark.parametrize(("rows", "taken"), [(0, 1), (10, 1), (19, 1), (20, 2), (25, 2), (1_000, 3)])
def test_a_bounded_number_of_rows_is_taken_and_at_least_one_object(rows: int, taken: int) -> None:
    objects = [key(0, 9), key(10, 19), key(20, 29)]
    assert take(objects, rows) == objects[:taken]


def test_what_a_partition_stored_after_days_of_being_stuck_is_found_with_its_next_object() -> None:
    days_ago = HOUR - timedelta(days=3)
    stuck = [key(10, 19, hour=days_ago), key(20, 29)]
    rawzone = Listings([*stuck, key(0, 9, partition=1)])
    plan = planned(rawzone, {0: position(10, hour=days_ago), 1: position(10)})
    assert plan == Plan({0: stuck}, {})


def test_an_object_that_begins_before_the_hour_of_the_position_is_found() -> None:
    """A consumer took over from a dead one, which had stored more than it had committed."""
    taken_over = key(50, 149, hour=HOUR - timedelta(hours=1))
    rawzone = Listings([key(0, 99), taken_over])
    assert planned(rawzone, {0: position(100)}) == Plan({0: [taken_over]}, {})
    assert rawzone.started_after == [last_key_before(HOUR - OVERLAP)]


LONG_SILENT = {0: position(100), 1: position(50, HOUR - timedelta(days=30))}
DAYS_AGO = key(50, 59, partition=1, hour=HOUR - timedelta(days=1))


def test_a_run_that_finds_nothing_looks_at_two_days() -> None:
    rawzone = Listings([key(0, 99), DAYS_AGO])
    assert planned(rawzone, LONG_SILENT) == Plan({1: [DAYS_AGO]}, {})
    assert rawzone.started_after == [last_key_before(HOUR - back - OVERLAP) for back in (RECENT, LOOK_BACK)]


def test_the_first_run_of_an_hour_looks_at_two_days() -> None:
    of_the_hour = key(100, 109, hour=HOUR + timedelta(hours=1))
    assert planned(Listings([of_the_hour, DAYS_AGO]), LONG_SILENT) == Plan({0: [of_the_hour], 1: [DAYS_AGO]}, {})


def test_within_an_hour_a_silent_partition_costs_no_further_listing() -> None:
    rawzone = Listings([key(100, 109), DAYS_AGO])
    assert planned(rawzone, LONG_SILENT) == Plan({0: [key(100, 109)]}, {})
    assert rawzone.started_after == [last_key_before(HOUR - RECENT - OVERLAP)]


def test_a_run_that_finds_nothing_does_not_list_the_same_hours_twice() -> None:
    rawzone = Listings([key(0, 99)])
    assert planned(rawzone, {0: position(100)}) == Plan()
    assert len(rawzone.started_after) == 1


def test_the_gap_of_one_partition_is_no_reason_to_list_the_silence_of_another() -> None:
    rawzone = Listings([key(110, 119)])
    assert planned(rawzone, LONG_SILENT).gaps == {0: 10}
    assert rawzone.started_after[1] == last_key_before(HOUR - LOOK_BACK - OVERLAP)


@pytest.mark.parametrize(("first_offset", "listings"), [(0, 1), (1, 2)])
def test_a_new_partition_that_begins_late_may_have_objects_as_old_as_any(first_offset: int, listings: int) -> None:
    rawzone = Listings([key(100, 109), key(first_offset, 9, partition=2)])
    planned(rawzone, LONG_SILENT)
    bounds = [last_key_before(HOUR - RECENT - OVERLAP), last_key_before(HOUR - timedelta(days=30) - OVERLAP)]
    assert rawzone.started_after == bounds[:listings]


sizes = st.dictionaries(st.integers(0, 5), st.lists(st.integers(1, 30), min_size=1, max_size=6), min_size=1)


@given(sizes=sizes, rows=st.integers(1, 200))
def test_partitions_share_a_number_of_rows(sizes: dict[int, list[int]], rows: int) -> None:
    objects = {
        partition: [
            key(at, at + held - 1, partition) for at, held in zip(accumulate(own, initial=0), own, strict=False)
        ]
        for partition, own in sizes.items()
    }
    shared = share(objects, rows)
    assert all(shared[partition] == objects[partition][: len(shared[partition])] for partition in objects)
    assert all(shared.values())
    taken = {partition: held[-1].last_offset + 1 for partition, held in shared.items()}
    beyond_the_first = sum(taken[partition] for partition in objects if len(shared[partition]) > 1)
    assert beyond_the_first <= rows
    if sum(map(sum, sizes.values())) <= rows:
        assert shared == objects


def test_what_a_partition_does_not_need_is_for_the_others() -> None:
    objects = {0: [key(0, 9), key(10, 19), key(20, 29)], 1: [key(0, 4, partition=1)]}
    assert share(objects, 35) == objects
    assert share(objects, 30) == {0: [key(0, 9), key(10, 19)], 1: [key(0, 4, partition=1)]}
