"""What looks like a split, and prices in one unit."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import DATA
from volwatch.analytics.splits import RATIOS, adjust, detect
from volwatch.analytics.trades import Float64

FACTORS = (*RATIOS, *(1 / ratio for ratio in RATIOS))


def detected(previous: float, opened: float) -> float:
    return float(detect(np.array([previous]), np.array([opened]))[0])


@pytest.mark.parametrize("factor", FACTORS)
def test_a_split_is_known_by_its_factor(factor: float) -> None:
    assert detected(100.0, 100.0 / factor) == factor


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("side", [-1, 1])
def test_the_open_may_miss_by_one_percent_of_the_logarithm(factor: float, side: int) -> None:
    missed = side * abs(np.log(factor))
    inside, outside = (100.0 / factor * np.exp(share * missed) for share in (0.0099, 0.0101))
    assert [detected(100.0, inside), detected(100.0, outside)] == [factor, 1.0]


@given(move=st.floats(-0.4, 0.4))
def test_what_a_market_does_in_a_night_is_no_split(move: float) -> None:
    assert detected(100.0, 100.0 * np.exp(move)) == 1.0


def test_an_unknown_close_is_no_split() -> None:
    assert detect(np.array([np.nan, 100.0]), np.array([50.0, np.nan])).tolist() == [1.0, 1.0]


def test_both_splits_of_a_real_series_are_found_and_its_crash_is_not() -> None:
    """On 2000-09-29 the share opened at 28.19 after 53.50: a loss of 47 % is close to a half and yet none."""
    frame = pd.read_csv(DATA / "ohlc_aapl_daily_raw_with_splits.csv")
    found = detect(frame["close"].shift().to_numpy(np.float64), frame["open"].to_numpy(np.float64))
    assert {str(frame["date"][row]): found[row] for row in np.flatnonzero(found != 1)} == {
        "2000-06-21": 2.0,
        "2005-02-28": 2.0,
    }


def test_earlier_prices_and_volumes_take_the_unit_of_the_last_row() -> None:
    """2:1 before the third row, 1:10 before the fourth: the first two rows are worth 1/2·10, the third 10."""
    columns = {"close": np.array([100.0, 104.0, 50.0, 500.0]), "volume": np.array([10.0, 10.0, 20.0, 2.0])}
    made = adjust(columns, np.array([2, 3]), np.array([2.0, 0.1]))
    assert made["close"].tolist() == pytest.approx([500.0, 520.0, 500.0, 500.0], rel=1e-15)
    assert made["volume"].tolist() == pytest.approx([2.0, 2.0, 2.0, 2.0], rel=1e-15)


def test_adjusted_prices_show_no_split_and_trade_the_same_money() -> None:
    price, volume = np.array([90.0, 45.1, 44.0]), np.array([4.0, 8.0, 8.0])
    made = adjust({"open": price, "volume": volume}, np.array([1]), np.array([2.0]))
    assert detect(np.append(np.nan, made["open"][:-1]), made["open"]).tolist() == [1.0, 1.0, 1.0]
    assert (made["open"] * made["volume"]).tolist() == (price * volume).tolist()


@given(row=st.integers(1, 4), factor=st.sampled_from(FACTORS))
def test_returns_elsewhere_stay_what_they_were(row: int, factor: float) -> None:
    price: Float64 = np.array([100.0, 101.0, 99.0, 98.5, 102.0])
    made = adjust({"close": price}, np.array([row]), np.array([factor]))["close"]
    others = np.arange(1, 5) != row
    np.testing.assert_allclose((made[1:] / made[:-1])[others], (price[1:] / price[:-1])[others], rtol=1e-15)
    assert made[row:].tolist() == price[row:].tolist()
