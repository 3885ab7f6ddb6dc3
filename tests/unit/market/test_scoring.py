"""The rules of the score by hand, and against a naive count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.trades import Int64
from volwatch.market.labels import Labels
from volwatch.market.scoring import Ratio, Tally, count, nulls, total

MINUTE_MS = 60_000


def minutes(*values: int) -> Int64:
    return np.array(values, np.int64) * MINUTE_MS


def labels(*events: tuple[int, int], scenario: str = "jump", days: int = 5, first: int = 0) -> Labels:
    """Return one symbol, its events in minutes."""
    held = minutes(*(value for event in events for value in event)).reshape(-1, 2)
    return Labels({"A": scenario}, {"A": held}, first * MINUTE_MS, days)


def counted(onsets: Int64, given: Labels) -> Tally:
    return total(count(given, {"A": onsets}))


@pytest.mark.parametrize(
    ("onset", "expected"),
    [
        (99, Tally(1, 0, 1, 0, 5)),
        (100, Tally(1, 1, 0, 0, 5, (0,))),
        (110, Tally(1, 1, 0, 0, 5, (10,))),
        (115, Tally(1, 1, 0, 0, 5, (15,))),
        (116, Tally(1, 0, 0, 1, 5)),
        (130, Tally(1, 0, 0, 1, 5)),
        (131, Tally(1, 0, 1, 0, 5)),
    ],
)
def test_an_onset_finds_its_event_to_five_minutes_behind_it_and_is_excused_to_twenty(
    onset: int, expected: Tally
) -> None:
    assert counted(minutes(onset), labels((100, 110))) == expected


def test_only_the_first_onset_of_an_event_is_its_hit() -> None:
    assert counted(minutes(112, 104, 125), labels((100, 110))) == Tally(1, 1, 0, 2, 5, (4,))


def test_an_onset_may_find_two_events_that_touch() -> None:
    assert counted(minutes(112), labels((100, 110), (111, 120))) == Tally(2, 2, 0, 0, 5, (12, 1))


def test_what_comes_before_the_evaluation_days_does_not_count() -> None:
    assert counted(minutes(10, 49, 50), labels((100, 110), first=50)) == Tally(1, 0, 1, 0, 5)


def test_every_labelled_symbol_has_its_days_and_others_do_not_count() -> None:
    both = Labels(
        {"A": "jump", "B": "null_gbm"}, {"A": minutes(1, 1).reshape(1, 2), "B": minutes().reshape(0, 2)}, 0, 5
    )
    tallies = count(both, {"B": minutes(7, 9), "C": minutes(1)})
    assert tallies == {"jump": Tally(1, 0, 0, 0, 5), "null_gbm": Tally(0, 0, 2, 0, 5)}
    assert nulls(tallies) == Tally(0, 0, 2, 0, 5)
    assert total(tallies).false_per_symbol_day.value == pytest.approx(0.2)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 30)), max_size=4),
    st.lists(st.integers(0, 350), max_size=12, unique=True),
    st.integers(0, 100),
)
def test_counts_equal_a_naive_count(spans: list[tuple[int, int]], onsets: list[int], first: int) -> None:
    events = [(start, start + length) for start, length in spans]
    tally = counted(minutes(*onsets), labels(*events, first=first))
    late = sorted(onset for onset in onsets if onset >= first)
    inside = [[onset - a for onset in late if a <= onset <= z + 5] for a, z in events]
    assert tally.delays == tuple(each[0] for each in inside if each)
    assert tally.hits == sum(map(bool, inside))
    assert tally.false == sum(all(not a <= onset <= z + 20 for a, z in events) for onset in late)


def test_precision_and_recall_are_shares_of_what_was_counted() -> None:
    tally = Tally(events=79, hits=50, false=17, symbol_days=120)
    assert (tally.precision, tally.recall, tally.false_per_symbol_day) == (Ratio(50, 67), Ratio(50, 79), Ratio(17, 120))
    assert tally.recall.value == 50 / 79


def test_a_median_delay_lies_between_the_middle_ones() -> None:
    assert Tally(delays=(10, 1, 9, 2)).delay_minutes(0.5) == 5.5


def test_nothing_counted_is_no_number() -> None:
    empty = Tally()
    assert [empty.precision.value, empty.recall.value, empty.false_per_symbol_day.value] == [None] * 3
    assert empty.delay_minutes(0.5) is None
