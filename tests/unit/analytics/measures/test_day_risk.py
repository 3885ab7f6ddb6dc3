"""Daily risk over fixed windows: by the functions it is made of, window by window, with a split left out."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.oracle import DATA
from volwatch.analytics.measures.day_risk import day_returns, measure_days
from volwatch.analytics.measures.drawdown import worst_drawdown
from volwatch.analytics.measures.measure import Measure
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA

WINDOWS = {
    "sharpe_eta": 63, "psr": 63, "sortino": 63, "max_drawdown": 252,
    "var_95": 252, "es_95": 252, "var_99": 252, "es_99": 252,
}  # fmt: skip


def measured(returns: Float64, wanted: Int64, rate: float = 0.0) -> dict[str, Measure]:
    return {one.estimator: one for one in measure_days(returns, wanted, 252, rate)}


@pytest.fixture(scope="module")
def returns() -> Float64:
    frame = pd.read_csv(DATA / "ohlc_msft_daily.csv")
    return day_returns(frame["open"].to_numpy(np.float64), frame["close"].to_numpy(np.float64)).simple


def test_each_value_is_that_of_the_window_that_ends_with_its_session(returns: Float64) -> None:
    wanted = np.array([300, 1_000])
    found = measured(returns, wanted)
    assert {name: one.window_bars for name, one in found.items()} == WINDOWS
    for place, session in enumerate(wanted.tolist()):
        short, long = returns[session - 62 : session + 1], returns[session - 251 : session + 1]
        below = np.minimum(short, 0)
        expected = {
            "sortino": short.mean() / math.sqrt(np.mean(below**2)) * math.sqrt(252),
            "max_drawdown": worst_drawdown(long).depth,
            "var_95": -np.quantile(long, 0.05),
            "var_99": -np.quantile(long, 0.01),
        }
        assert {name: found[name].value[place] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_the_first_sessions_have_too_few_returns(returns: Float64) -> None:
    """A session has as many returns as sessions before it; each measure begins with its own least number."""
    sessions = np.arange(260)
    found = measured(returns[:260], sessions)
    first = {name: int(np.flatnonzero(one.reason == DEFINED)[0]) for name, one in found.items()}
    assert first == {
        **dict.fromkeys(("sharpe_eta", "psr", "sortino"), 40),
        "max_drawdown": 126,
        **dict.fromkeys(("var_95", "es_95"), 100),
        **dict.fromkeys(("var_99", "es_99"), 250),
    }
    assert {int(one.reason[0]) for one in found.values()} == {INSUFFICIENT_DATA}
    assert found["var_99"].n_obs[[0, 100, 259]].tolist() == [0, 100, 252]


def test_only_the_sharpe_ratio_has_an_error(returns: Float64) -> None:
    found = measured(returns, np.array([500]))
    assert {name for name, one in found.items() if not np.isnan(one.standard_error[0])} == {"sharpe_eta"}


def test_the_risk_free_rate_is_also_the_least_acceptable_return(returns: Float64) -> None:
    without, with_ = (measured(returns, np.array([500]), rate) for rate in (0.0, 0.05))
    lower = {name for name in WINDOWS if with_[name].value[0] < without[name].value[0]}
    assert lower == {"sharpe_eta", "psr", "sortino"}


def test_returns_by_hand() -> None:
    found = day_returns(np.array([10.0, 11.0, 12.0]), np.array([10.0, 12.0, 9.0]))
    np.testing.assert_allclose(found.simple, [np.nan, 0.2, -0.25], rtol=1e-14)
    np.testing.assert_allclose(found.log, [np.nan, math.log(1.2), math.log(0.75)], rtol=1e-14)
    np.testing.assert_allclose(found.overnight, [np.nan, math.log(1.1), 0.0], rtol=1e-14)


def test_a_split_is_no_return() -> None:
    """Pitfall 7, on raw prices: AAPL opened at half of its close on 2005-02-28."""
    frame = pd.read_csv(DATA / "ohlc_aapl_daily_raw_with_splits.csv")
    day = int(np.flatnonzero(frame["date"] == "2005-02-28")[0])
    found = day_returns(frame["open"].to_numpy(np.float64), frame["close"].to_numpy(np.float64))
    assert np.isnan([found.simple[day], found.log[day], found.overnight[day]]).all()
    window = found.simple[day - 62 : day + 63]
    assert np.nanmin(window) > -0.15
    risk = measured(found.simple, np.array([day + 50]))
    assert (int(risk["sharpe_eta"].n_obs[0]), int(risk["sharpe_eta"].reason[0])) == (62, DEFINED)
