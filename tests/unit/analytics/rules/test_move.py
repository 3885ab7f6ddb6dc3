"""A move within some minutes, worked by hand."""

import numpy as np
import pytest

from volwatch.analytics.groups import Groups, grouped
from volwatch.analytics.history import History, line
from volwatch.analytics.rules.held import CLOSE_TERMS
from volwatch.analytics.rules.move import Prices, comparable_since, moves, references
from volwatch.analytics.trades import Float64

MINUTE_MS = 60_000


def prices(
    minutes: list[int], closes: list[float], *, breaks: tuple[int, ...] = (0,), held: tuple[int, ...] = (),
    high: float = 0.0, low: float = 0.0,
) -> Prices:  # fmt: skip
    """Return bars of one series whose history holds those of some minutes, at 50."""
    start = np.array(minutes, np.int64) * MINUTE_MS
    close = np.array(closes, np.float64)
    groups: Groups = grouped(np.zeros(len(start), np.int64))
    history = History(CLOSE_TERMS, np.full((2, 1, 10), np.nan))
    for place, minute in enumerate(held, 10 - len(held)):
        history.values[:, 0, place] = minute * MINUTE_MS, 50.0
    marked = np.isin(np.arange(len(start)), breaks)
    since = comparable_since(groups, start, marked, np.array([0], np.int64))
    made = line(history, groups, {"start": start.astype(np.float64), "close": close})
    return Prices(groups, start, np.maximum(close, high), np.maximum(close - low, 0.1), made, since)


def test_a_move_is_from_the_close_so_many_minutes_before_to_the_farther_extreme() -> None:
    told = prices([10, 11, 12], [100.0, 101.0, 99.0])
    up = moves(told, references(told, 1))
    assert up.tolist() == pytest.approx([np.nan, 0.01, 1 - 99 / 101], nan_ok=True)
    fall = moves(told, references(told, 2))
    assert fall.tolist() == pytest.approx([np.nan, np.nan, 0.01], nan_ok=True)


def test_a_high_or_a_low_counts_even_where_the_close_came_back() -> None:
    told = prices([10, 11], [100.0, 100.0], high=103.0)
    assert moves(told, references(told, 1))[1] == pytest.approx(0.03)
    told = prices([10, 11], [100.0, 100.0], low=4.0)
    assert moves(told, references(told, 1))[1] == pytest.approx(0.04)


def test_where_a_minute_has_no_bar_the_close_before_it_stands() -> None:
    assert references(prices([10, 11, 15], [1.0, 2.0, 3.0]), 2).tolist()[2] == 2.0
    assert references(prices([10, 14, 15], [1.0, 2.0, 3.0]), 2).tolist()[2] == 1.0


@pytest.mark.parametrize("place", [1, 2])
def test_nothing_is_compared_across_a_break(place: int) -> None:
    reference: Float64 = references(prices([10, 11, 12], [1.0, 2.0, 3.0], breaks=(0, place)), 2)
    assert np.isnan(reference).all()


def test_bars_of_the_past_are_compared_with_as_those_of_now() -> None:
    assert references(prices([12, 13], [1.0, 2.0], breaks=(), held=(9, 10, 11)), 2).tolist() == [50.0, 50.0]
    assert references(prices([12, 13], [1.0, 2.0], breaks=(), held=(7, 11)), 3).tolist() == [50.0, 50.0]


def test_before_the_first_bar_that_is_known_there_is_nothing_to_compare_with() -> None:
    assert np.isnan(references(prices([12, 13], [1.0, 2.0], breaks=(), held=(11,)), 3)).all()


def test_no_move_is_more_than_the_widest_range() -> None:
    told = prices([10, 11, 12], [100.0, 104.0, 99.0])
    assert np.nanmax(moves(told, references(told, 1))) <= told.widest == pytest.approx(104 / 99 - 1)
