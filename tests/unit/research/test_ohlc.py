"""Bars that contradict themselves, the first of a chain, and how many bars a return spans."""

import math

import numpy as np
import pandas as pd
import pytest

from volwatch.research.ohlc import Bars, bars_of, terms_of

STEP = math.log(1.5)  # a half more: no split has such a factor


def bars(times: list[str], closes: list[float], column: str = "ts_utc", **others: object) -> Bars:
    """Return bars that open at 1 and close as told."""
    frame = pd.DataFrame({column: times, "open": 1.0, "high": 8.0, "low": 0.125, "close": closes, **others})
    return bars_of(frame, pd.Series(pd.to_datetime(frame[column], utc=True)))


def minutes(*clock: str) -> list[str]:
    return [f"2026-01-05T{time}:00Z" for time in clock]


@pytest.mark.parametrize(
    "wrong",
    [
        {"high": 1.5},  # below the close
        {"low": 1.5},  # above the open
        {"low": 0.0},
        {"close": -1.0},
        {"close": math.nan},
        {"high": math.inf},
        {"open": math.nan},
    ],
)
def test_a_bar_that_contradicts_itself_is_invalid_with_all_its_prices(wrong: dict[str, float]) -> None:
    good = {"date": "2026-01-05", "open": 1.0, "high": 2.0, "low": 0.5, "close": 2.0}
    frame = pd.DataFrame([good, {**good, "date": "2026-01-06", **wrong}, {**good, "date": "2026-01-07"}])
    made = bars_of(frame, pd.Series(pd.to_datetime(frame["date"], utc=True)))
    assert made.invalid.tolist() == [False, True, False]
    assert all(np.isnan(price[1]) for price in made.prices.values())
    terms, tainted = terms_of(made)
    assert tainted.tolist() == [False, True, True]
    assert np.isnan(terms["log_return"]).tolist() == [True, True, True]
    assert np.isnan(terms["parkinson"]).tolist() == [False, True, False]


def test_days_follow_one_another_whatever_lies_between() -> None:
    made = bars(["2026-01-02", "2026-01-05", "2026-03-05"], [1.0, 1.5, 2.25], "date")
    assert made.elapsed.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(terms_of(made)[0]["log_return"], [np.nan, STEP, STEP], rtol=1e-15)


def test_days_that_are_given_as_times_are_days() -> None:
    made = bars(["2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"], [1.0, 1.5, 2.25])
    assert (made.elapsed.tolist(), made.intraday) == ([1.0, 1.0, 1.0], False)


def test_a_return_over_missing_minutes_spans_them() -> None:
    made = bars(minutes("14:30", "14:31", "14:35"), [1.0, 1.5, 2.25])
    assert made.elapsed.tolist() == [1.0, 1.0, 4.0]
    np.testing.assert_allclose(terms_of(made)[0]["log_return"], [np.nan, STEP, STEP], rtol=1e-15)


def test_the_night_is_no_minute() -> None:
    """After it the first return is ln(C/O): from 1 to 2/3 within the bar, not from the close of the day before."""
    times = [*minutes("20:58", "20:59"), "2026-01-06T14:30:00Z", "2026-01-06T14:31:00Z"]
    terms, _ = terms_of(bars(times, [1.0, 2.25, 1 / 1.5, 1.0]))
    np.testing.assert_allclose(terms["log_return"], [np.nan, 2 * STEP, -STEP, STEP], rtol=1e-15)
    np.testing.assert_allclose(terms["overnight"], [np.nan, 0.0, np.nan, STEP], rtol=1e-15)
    assert terms["elapsed"].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_a_pause_of_three_hours_is_no_night() -> None:
    times = minutes("14:30", "14:31", "17:31")
    assert bars(times, [1.0, 1.5, 2.25]).elapsed.tolist() == [1.0, 1.0, 180.0]


def test_adjusted_prices_are_all_scaled_alike() -> None:
    """A factor of 2/3 on the first day: high to low stays, the return over the second is ln(1.5/(2/3)) = 2 ln 1.5."""
    frame = pd.DataFrame(
        {
            "date": ["2026-01-05", "2026-01-06"],
            "open": 1.0,
            "high": 4.0,
            "low": 0.5,
            "close": [1.0, 1.5],
            "adj_close": [1 / 1.5, 1.5],
        }
    )
    times = pd.Series(pd.to_datetime(frame["date"], utc=True))
    raw, adjusted = (terms_of(bars_of(frame, times, adjusted=choice))[0] for choice in (False, True))
    assert adjusted["parkinson"].tolist() == raw["parkinson"].tolist()
    assert [raw["log_return"][1], adjusted["log_return"][1]] == pytest.approx([STEP, 2 * STEP], rel=1e-15)
