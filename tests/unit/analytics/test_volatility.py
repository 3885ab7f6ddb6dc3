"""Estimators against 50-digit values, hand-worked cases, and a naive definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA, VOLATILITY_COLUMNS
from volwatch.analytics import days
from volwatch.analytics.bars import FLAG_OHLC, BarTable, bar_key
from volwatch.analytics.calendars import DAY_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.groups import grouped
from volwatch.analytics.results import Volatility
from volwatch.analytics.state import add_series
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import (
    LN2,
    bar_terms,
    enough_trades,
    ewma,
    log_ratio,
    masked_median,
    null_reason,
    variances,
)
from volwatch.analytics.windows import reach


def daily_volatility(frame: pd.DataFrame) -> Volatility:
    """Return what the engine makes of day bars; the way there from trades is tested on real servers."""
    state = Engine(EngineConfig()).state
    add_series(state, [("replay-msft", "MSFT")], ["XNYS"])
    n = len(frame)
    start = frame["date"].to_numpy("datetime64[D]").astype(np.int64) * DAY_MS
    prices = {name: frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close")}
    zero = np.zeros(n, np.int64)
    table = BarTable(
        key=bar_key(np.zeros(n, np.int64), start),
        open=prices["open"],
        high=prices["high"],
        low=prices["low"],
        close=prices["close"],
        volume=np.ones(n),
        notional=prices["close"],
        trades=np.full(n, 4),
        flags=np.full(n, FLAG_OHLC),
        first_time=zero,
        last_time=zero,
        first_offset=zero,
        last_offset=zero,
        revision=zero,
    )
    return days.advance(state, table, EngineConfig())[1]


@pytest.fixture(scope="module")
def daily() -> Volatility:
    """Return the engine's daily volatility of the real series."""
    return daily_volatility(pd.read_csv(DATA / "ohlc_msft_daily.csv"))


def column(daily: Volatility, estimator: str) -> pd.Series:
    """Return one estimator by date."""
    days = daily.start.astype("datetime64[ms]").astype("datetime64[D]").astype(str)
    return pd.Series(daily.value[:, daily.estimators.index(estimator)], index=days)


@pytest.mark.parametrize("estimator", sorted(VOLATILITY_COLUMNS))
def test_daily_estimators_equal_the_fifty_digit_values(daily: Volatility, estimator: str) -> None:
    expected = pd.read_csv(DATA / "mpvol_msft_daily_n20_N252.csv", index_col="date")[
        VOLATILITY_COLUMNS[estimator]
    ].dropna()
    ours = column(daily, estimator)[expected.index]
    assert len(expected) > 2_490
    np.testing.assert_allclose(ours.to_numpy(), expected.to_numpy(), rtol=1e-12, atol=0)


def test_daily_ewma_equals_the_normalised_recursion(daily: Volatility) -> None:
    expected = pd.read_csv(DATA / "ewma_msft_daily.csv", index_col="date")["normalised_lam0.94"]
    ours = column(daily, "ewma").dropna()
    np.testing.assert_allclose(ours.to_numpy(), np.sqrt(252 * expected[ours.index].to_numpy()), rtol=1e-12)


def test_rolling_sharpe_equals_empyrical(daily: Volatility) -> None:
    """On adj_close the ratios would match to the last date; the series has no split, only dividends differ."""
    frame = pd.read_csv(DATA / "ohlc_msft_daily.csv")
    adjusted = frame.assign(**dict.fromkeys(("open", "high", "low", "close"), frame["adj_close"]))
    result = daily_volatility(adjusted)
    expected = pd.read_csv(DATA / "rolling_sharpe63_empyrical_msft_daily.csv", index_col=0).iloc[:, 0].dropna()
    np.testing.assert_allclose(column(result, "sharpe")[expected.index].to_numpy(), expected.to_numpy(), rtol=1e-9)


def test_the_log_return_keeps_its_digits_on_huge_prices() -> None:
    before, after = np.array([1e8]), np.array([1e8 + 0.01])
    exact = 1e-10 - 0.5e-20
    assert log_ratio(after, before)[0] == pytest.approx(exact, rel=1e-6)


def last_variance(estimator: str, returns: list[float], elapsed: list[float]) -> float:
    """Return the variance over one window of returns."""
    terms = {"log_return": np.array(returns), "elapsed": np.array(elapsed)}
    windows = reach(np.zeros(len(returns)), np.zeros(1, np.int64), len(returns))
    return float(variances([estimator], terms, windows, np.array([len(returns) - 1]))[estimator][0][0])


def test_close_to_close_by_hand() -> None:
    """(-1.5, -0.5, 0.5, 1.5) around the mean: sum of squares 5, over n - 1 = 3."""
    assert last_variance("cc", [1.0, 2.0, 3.0, 4.0], [1.0] * 4) == pytest.approx(5 / 3, rel=1e-15)


def test_zero_mean_by_hand() -> None:
    assert last_variance("cc0", [1.0, 2.0, 3.0, 4.0], [1.0] * 4) == 7.5


def test_elapsed_time_shares_a_return_over_its_bars() -> None:
    """One return of 2 over 4 bars has variance 2²/4 = 1 per bar."""
    assert last_variance("cc0", [2.0], [4.0]) == 1.0


def test_elapsed_time_by_hand() -> None:
    """Returns 3 and 1 over 2 bars and 1: drift 4/3 a bar; (3 − 8/3)²/2 + (1 − 4/3)² = 1/18 + 1/9, over n − 1 = 1."""
    assert last_variance("cc", [3.0, 1.0], [2.0, 1.0]) == pytest.approx(1 / 6, rel=1e-14)


def test_a_missing_term_counts_for_none_that_takes_it() -> None:
    terms = {
        "log_return": np.array([np.nan, 1.0, 2.0]),
        "elapsed": np.ones(3),
        "parkinson": np.array([1.0, 2.0, 3.0]),
    }
    windows = reach(np.zeros(3), np.zeros(1, np.int64), 3)
    made = variances(["cc", "cc0", "parkinson"], terms, windows, np.arange(3))
    assert [made[name][1].tolist() for name in ("cc", "cc0", "parkinson")] == [[0, 1, 2], [0, 1, 2], [1, 2, 3]]
    np.testing.assert_array_equal(made["cc"][0], [np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(made["cc0"][0], [np.nan, 1.0, 2.5])


def test_range_terms_by_hand() -> None:
    """O=C=1, H=e, L=1/e: ln(H/L)=2; the Rogers–Satchell term is 1·1 + (−1)(−1) = 2."""
    one = np.ones(1)
    terms = bar_terms((one, one * np.e, one / np.e, one), one, one)
    assert terms.parkinson[0] == pytest.approx(4.0, rel=1e-14)
    assert terms.garman_klass[0] == pytest.approx(2.0, rel=1e-14)
    assert terms.rogers_satchell[0] == pytest.approx(2.0, rel=1e-14)


def test_a_one_way_bar_has_no_rogers_satchell_variance() -> None:
    """A one-bar crash is invisible to it: never a spike detector."""
    terms = bar_terms((np.array([2.0]), np.array([2.0]), np.array([1.0]), np.array([1.0])), np.ones(1), np.ones(1))
    assert terms.rogers_satchell.tolist() == [0.0]


def enough(trades: list[float], window: int) -> list[bool]:
    windows = reach(np.zeros(len(trades)), np.zeros(1, np.int64), window)
    answer: list[bool] = enough_trades(np.array(trades), windows, np.arange(len(trades))).tolist()
    return answer


@given(trades=st.lists(st.integers(1, 40).map(float), min_size=1, max_size=30), window=st.integers(1, 9))
def test_enough_trades_is_a_median_of_twenty(trades: list[float], window: int) -> None:
    expected = [np.median(trades[max(0, end - window) : end]) >= 20 for end in range(1, len(trades) + 1)]
    assert enough(trades, window) == expected


def test_few_trades_make_a_range_estimator_null() -> None:
    value, n = np.array([0.1]), np.array([20])
    few, many = np.array([False]), np.array([True])
    assert [null_reason("parkinson", value, n, 10, sample).tolist() for sample in (few, many)] == [[3], [0]]
    assert null_reason("cc", value, n, 10, few).tolist() == [0]
    assert null_reason("parkinson", value, np.array([9]), 10, few).tolist() == [1]


def test_prices_that_contradict_one_another_have_no_variance() -> None:
    assert null_reason("garman-klass", np.array([-1e-9]), np.array([20]), 10, np.array([True])).tolist() == [6]


@given(
    values=arrays(np.float64, (3, 7), elements=st.floats(-1e6, 1e6)),
    counts=arrays(np.bool_, (3, 7)),
)
def test_the_masked_median_is_the_median_of_what_counts(values: np.ndarray, counts: np.ndarray) -> None:
    expected = [np.median(row[mask]) if mask.any() else np.nan for row, mask in zip(values, counts, strict=True)]
    np.testing.assert_array_equal(masked_median(values, counts), expected)


@given(returns=arrays(np.float64, 9, elements=st.floats(-1e3, 1e3)), scale=st.sampled_from([0.5, 2.0, 4.0]))
def test_variance_scales_with_the_square(returns: Float64, scale: float) -> None:
    for estimator in ("cc", "cc0"):
        before, after = (last_variance(estimator, (returns * by).tolist(), [1.0] * 9) for by in (1.0, scale))
        assert after == pytest.approx(before * scale**2, rel=1e-9, abs=1e-300)


def test_an_ewma_by_hand() -> None:
    """w = ½: of 4, nothing and 1 the weights are ½ and 1 in halves: (½·½·4 + ½·1)/(½·½ + ½) = 2."""
    variance, last = ewma(
        grouped(np.zeros(4, np.int64)), np.zeros((2, 1)), np.array([np.nan, 4.0, np.nan, 1.0]), np.full(4, 0.5)
    )
    np.testing.assert_array_equal(variance, [np.nan, 4.0, 4.0, 2.0])
    assert last.tolist() == [[1.5], [0.75]]


def test_ln_2() -> None:
    assert pytest.approx(0.6931471805599453, rel=1e-16) == LN2
