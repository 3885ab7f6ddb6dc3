from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.reconcile import Hop, Range, Reconciliation, clipped, intersection, reconcile, size, union

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)).map(lambda pair: (pair[0], sum(pair))), max_size=8)


def offsets(ranges: list[Range]) -> set[int]:
    return {offset for first, last in ranges for offset in range(first, last + 1)}


def are_disjoint_and_in_order(ranges: list[Range]) -> bool:
    return all(first <= last for first, last in ranges) and all(
        before[1] + 1 < after[0] for before, after in pairwise(ranges)
    )


@given(ranges=RANGES)
def test_a_union_holds_the_same_offsets_in_the_fewest_ranges(ranges: list[Range]) -> None:
    joined = union(ranges)
    assert offsets(joined) == offsets(ranges)
    assert are_disjoint_and_in_order(joined)
    assert size(joined) == len(offsets(ranges))


@given(left=RANGES, right=RANGES)
def test_an_intersection_holds_what_is_in_both(left: list[Range], right: list[Range]) -> None:
    common = intersection(union(left), union(right))
    assert offsets(common) == offsets(left) & offsets(right)
    assert common == intersection(union(right), union(left))


@given(ranges=RANGES, first=st.integers(0, 40), last=st.integers(-1, 45))
def test_clipping_keeps_what_is_within_bounds(ranges: list[Range], first: int, last: int) -> None:
    assert offsets(clipped(union(ranges), (first, last))) == offsets(ranges) & set(range(first, last + 1))


@given(stored=RANGES, ledger=RANGES, next_offset=st.integers(0, 50))
def test_differences_equal_those_of_sets(stored: list[Range], ledger: list[Range], next_offset: int) -> None:
    counted = reconcile(3, Hop((0, 60), stored, ledger, next_offset, 7, 2), NOW)
    begun = min(offsets(stored), default=next_offset)
    passed = set(range(begun, next_offset))
    missing = passed - offsets(stored) - offsets(ledger)
    unloaded = (passed & offsets(stored)) - offsets(ledger)
    assert counted == Reconciliation(NOW, 3, 0, 60, len(offsets(stored)), 7, 2, len(missing), len(unloaded))
    assert counted.difference == len(missing) + len(unloaded)


@given(stored=RANGES, ledger=RANGES, next_offset=st.integers(0, 50), start=st.integers(0, 50))
def test_from_a_start_on_nothing_before_it_is_told(
    stored: list[Range], ledger: list[Range], next_offset: int, start: int
) -> None:
    hour = NOW.replace(hour=14)
    counted = reconcile(3, Hop((0, 60), stored, ledger, next_offset, 7, 2, start), NOW, hour)
    passed = set(range(start, next_offset))
    held = {offset for offset in offsets(stored) if offset >= start}
    missing, unloaded = passed - held - offsets(ledger), (passed & held) - offsets(ledger)
    assert counted == Reconciliation(NOW, 3, 0, 60, len(held), 7, 2, len(missing), len(unloaded), hour)


@given(stored=RANGES, ledger=RANGES, next_offset=st.integers(0, 50), start=st.integers(0, 50), seen=RANGES)
def test_the_difference_from_a_start_on_needs_no_object_of_before(
    stored: list[Range], ledger: list[Range], next_offset: int, start: int, seen: list[Range]
) -> None:
    """Which objects are listed tells missing and unloaded apart, and no more."""
    whole = reconcile(3, Hop((0, 60), stored, ledger, next_offset, 7, 2, start), NOW)
    bounded = reconcile(3, Hop((0, 60), seen, ledger, next_offset, 7, 2, start), NOW)
    assert bounded.difference == whole.difference


def test_all_that_was_stored_and_loaded_leaves_no_difference() -> None:
    """Offsets 100 to 299 are stored behind the position: they are the next run's, no difference."""
    hop = Hop((0, 320), [(0, 49), (50, 99), (100, 299)], [(0, 99)], 100, 98, 2)
    assert reconcile(0, hop, NOW) == Reconciliation(NOW, 0, 0, 320, 300, 98, 2, 0, 0)


@pytest.mark.parametrize(
    ("stored", "ledger", "missing", "unloaded"),
    [
        ([(0, 9), (20, 29)], [(0, 9), (20, 29)], 10, 0),
        ([(0, 9), (10, 19), (20, 29)], [(0, 9), (20, 29)], 0, 10),
        ([(0, 14), (10, 29)], [(0, 29)], 0, 0),
        ([(20, 29)], [(0, 9), (20, 29)], 0, 0),
        ([(0, 9), (20, 29)], [(0, 29)], 0, 0),
        ([], [(0, 29)], 0, 0),
    ],
    ids=["a gap", "not loaded", "overlap", "expired objects", "deleted since it was loaded", "an empty zone"],
)
def test_differences_by_hand(stored: list[Range], ledger: list[Range], missing: int, unloaded: int) -> None:
    counted = reconcile(0, Hop((0, 30), stored, ledger, 30, 0, 0), NOW)
    assert (counted.missing_raw, counted.unloaded) == (missing, unloaded)


def test_a_partition_that_nobody_has_written_to_has_no_difference() -> None:
    assert reconcile(5, Hop((0, 0), [], [], 0, 0, 0), NOW).difference == 0
