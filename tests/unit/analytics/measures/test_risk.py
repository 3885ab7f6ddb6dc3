"""Reward for risk by hand, against two packages, and when there is none."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics.measures.risk import (
    SHARPE_MIN_OBS,
    Reason,
    downside_deviation,
    lo_scale,
    rolling_log_sharpe,
    rolling_probabilistic_sharpe,
    rolling_sharpe,
    rolling_sharpe_error,
    rolling_sharpe_eta,
    rolling_sortino,
    year_scale,
)
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE

Answer = tuple[float, float, int, int]


def sharpe(
    returns: Float64, *, counts: Bool | None = None, per_year: float = 252.0, rate: float = 0.0, min_obs: int = 2
) -> Answer:
    """Return ratio, standard error, reason and n of one window."""
    counted = np.ones(len(returns), np.bool_) if counts is None else counts
    ratio, error, reason, n = rolling_sharpe(returns[None], counted[None], np.array([per_year]), rate, min_obs)
    return float(ratio[0]), float(error[0]), int(reason[0]), int(n[0])


def alternating(count: int, mean: float = 0.001, size: float = 0.01) -> Float64:
    return mean + size * np.where(np.arange(count) % 2, -1.0, 1.0)


def test_a_ratio_by_hand() -> None:
    """Mean 0.02, sample deviation 0.01, risk-free 0.01 a bar: 1 a bar, 2 a year of 4; error √(1.5/3)·2."""
    ratio, error, reason, n = sharpe(np.array([0.01, 0.02, 0.03]), per_year=4.0, rate=0.04)
    assert [ratio, error] == pytest.approx([2.0, math.sqrt(2.0)], rel=1e-14)
    assert (reason, n) == (DEFINED, 3)


def test_the_error_is_about_one_over_the_root_of_the_years() -> None:
    for years in (1, 4):
        _, error, _, _ = sharpe(alternating(252 * years, mean=1e-4))
        assert error == pytest.approx(1 / math.sqrt(years), rel=1e-3)


def test_a_day_of_minutes_says_next_to_nothing() -> None:
    _, error, _, _ = sharpe(alternating(390, mean=1e-6), per_year=98_280.0)
    assert error == pytest.approx(15.9, abs=0.05)


def test_fewer_returns_than_needed_give_none() -> None:
    many, few = alternating(SHARPE_MIN_OBS), alternating(SHARPE_MIN_OBS - 1)
    assert sharpe(many, min_obs=SHARPE_MIN_OBS)[2:] == (DEFINED, 40)
    ratio, error, reason, n = sharpe(few, min_obs=SHARPE_MIN_OBS)
    assert (math.isnan(ratio), math.isnan(error), reason, n) == (True, True, INSUFFICIENT_DATA, 39)


def test_no_returns_at_all_give_none() -> None:
    ratio, error, reason, n = sharpe(np.full(5, np.nan), counts=np.zeros(5, np.bool_))
    assert (math.isnan(ratio), math.isnan(error), reason, n) == (True, True, INSUFFICIENT_DATA, 0)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e-9, 1 / 3])
def test_a_constant_series_has_no_ratio_whatever_its_rounding_leaves(value: float) -> None:
    ratio, error, reason, _ = sharpe(np.full(63, value))
    assert (math.isnan(ratio), math.isnan(error), reason) == (True, True, ZERO_VARIANCE)


@pytest.mark.parametrize(("bad", "reason"), [(1.0, INSUFFICIENT_DATA), (-1.0, INSUFFICIENT_DATA), (0.99, DEFINED)])
def test_a_return_of_a_whole_price_makes_it_undefined(bad: float, reason: int) -> None:
    assert sharpe(np.append(alternating(50), bad))[2] == reason


def test_what_does_not_count_does_not_matter() -> None:
    returns = np.append(alternating(50), [np.nan, 5.0])
    counts = np.append(np.ones(50, np.bool_), [False, False])
    assert sharpe(returns, counts=counts) == pytest.approx(sharpe(alternating(50)), rel=1e-14)


def test_each_window_is_computed_by_itself() -> None:
    windows = np.stack([alternating(50), alternating(50, mean=-0.002), np.full(50, 0.01)])
    ratio, error, reason, n = rolling_sharpe(windows, np.ones(windows.shape, np.bool_), np.full(3, 252.0), 0.0)
    alone = [sharpe(window) for window in windows]
    np.testing.assert_array_equal(np.stack([ratio, error, reason, n], axis=1), alone)


@given(
    returns=arrays(np.float64, 45, elements=st.floats(-0.5, 0.5).map(lambda value: round(value, 6))),
    scale=st.sampled_from([0.5, 0.25, 0.125]),
)
def test_without_a_risk_free_rate_the_leverage_does_not_matter(returns: Float64, scale: float) -> None:
    whole, part = sharpe(returns), sharpe(returns * scale)
    assert part == pytest.approx(whole, rel=1e-9, nan_ok=True)


@given(returns=arrays(np.float64, 45, elements=st.floats(-0.5, 0.5)))
def test_undefined_is_nan_exactly_where_there_is_a_reason(returns: Float64) -> None:
    ratio, error, reason, _ = sharpe(returns)
    assert (math.isnan(ratio), math.isnan(error)) == (reason != DEFINED, reason != DEFINED)
    assert not math.isinf(ratio)


@pytest.fixture(scope="module")
def msft() -> Float64:
    """Return the simple daily returns of the real series."""
    close = pd.read_csv(DATA / "ohlc_msft_daily.csv")["adj_close"].to_numpy(np.float64)
    returns: Float64 = np.diff(close) / close[:-1]
    return returns


def value_of(found: tuple[Float64, Reason, Int64]) -> float:
    return float(found[0][0])


def performance_analytics(measure: str, params: str) -> float:
    frame = pd.read_csv(DATA / "risk_PA_msft_daily.csv")
    row = frame[(frame["measure"] == measure) & frame["params"].str.startswith(params)]
    return float(row["value"].iloc[0])


def empyrical(measure: str) -> float:
    frame = pd.read_csv(DATA / "risk_empyrical_msft_daily.csv")
    return float(frame.loc[frame["measure"] == measure, "value"].iloc[0])


@pytest.mark.parametrize(("rate", "params"), [(0.0, "rf_per_period=0 "), (0.02, "rf_per_period=7.9365")])
def test_the_arithmetic_ratio_is_that_of_performance_analytics_and_not_their_geometric_one(
    msft: Float64, rate: float, params: str
) -> None:
    """Older releases took the geometric one for the default: it is about half."""
    ours = sharpe(msft, rate=rate)[0]
    assert ours == pytest.approx(performance_analytics("sharpe_annual_arith", params), rel=1e-12)
    assert ours > 1.7 * performance_analytics("sharpe_annual_geom", params)


def test_the_ratio_is_that_of_empyrical(msft: Float64) -> None:
    assert sharpe(msft)[0] == pytest.approx(empyrical("sharpe_annual"), rel=1e-12)


def test_with_log_returns_the_rate_is_a_logarithm() -> None:
    """Mean ln(1.02)/4 + 0.01 over the rate ln(1.02)/4, deviation 0.01: 1 a bar."""
    rate = math.log1p(0.02) / 4
    log_returns = np.array([[rate, rate + 0.01, rate + 0.02]])
    found = rolling_log_sharpe(log_returns, np.ones((1, 3), np.bool_), np.array([4.0]), 0.02, 2)
    assert [float(found[0][0]), float(found[1][0])] == pytest.approx([2.0, math.sqrt(2.0)], rel=1e-12)


def test_mertens_error_by_hand(msft: Float64) -> None:
    """By the sample's own SR, γ3 and γ4, as PerformanceAnalytics has them."""
    ratio = performance_analytics("sharpe_per_period", "rf_per_period=0")
    third, fourth = performance_analytics("skewness", ""), performance_analytics("kurtosis", "method=moment (not")
    by_hand = math.sqrt((1 - third * ratio + (fourth - 1) / 4 * ratio**2) / (len(msft) - 1))
    counts = np.ones((1, len(msft)), np.bool_)
    assert value_of(rolling_sharpe_error(msft[None], counts, np.array([252.0]), 0.0)) == pytest.approx(
        by_hand * math.sqrt(252), rel=1e-12
    )


def test_mertens_error_of_symmetric_light_tails_is_smaller_and_of_skewed_losses_larger() -> None:
    """γ4 of two equal values is 1: there the error does not grow with the ratio."""
    counts = np.ones((1, 60), np.bool_)
    even = alternating(60, mean=0.01)
    losses = np.where(np.arange(60) % 10 == 0, -0.02, 0.01)
    for returns, sign in ((even, -1), (losses, 1)):
        iid = sharpe(returns)[1]
        mertens = value_of(rolling_sharpe_error(returns[None], counts, np.array([252.0]), 0.0))
        assert np.sign(mertens - iid) == sign


def test_the_probabilistic_ratio_is_that_of_performance_analytics(msft: Float64) -> None:
    found = rolling_probabilistic_sharpe(msft[None], np.ones((1, len(msft)), np.bool_), np.array([252.0]), 0.0)
    assert value_of(found) == pytest.approx(performance_analytics("prob_sharpe_ratio", "refSR=0"), rel=1e-12)


def test_the_probability_of_beating_ones_own_ratio_is_a_half() -> None:
    returns, counts = alternating(60, mean=0.002)[None], np.ones((1, 60), np.bool_)
    own = sharpe(returns[0])[0] / math.sqrt(252)
    for benchmark, compare in ((own, 0.5), (own - 0.5, 1.0), (own + 0.5, 0.0)):
        found = rolling_probabilistic_sharpe(returns, counts, np.array([252.0]), 0.0, benchmark)
        assert value_of(found) == pytest.approx(compare, abs=2e-3)


def test_where_the_error_vanishes_the_probability_is_no_division_by_zero() -> None:
    """Of two values the error is |1 − γ3·SR/2|/√(n−1): a rate that makes SR = 2/γ3 leaves nothing, or a rounding."""
    returns = np.where(np.arange(50) % 10 == 0, 0.05, 0.0)
    skewness = 0.8 / 0.3
    rate = (returns.mean() - 2 / skewness * returns.std(ddof=1)) * 252
    found = rolling_probabilistic_sharpe(returns[None], np.ones((1, 50), np.bool_), np.array([252.0]), rate)
    assert np.isfinite(found[0]).tolist() == (found[1] == DEFINED).tolist()


def test_etas_are_those_of_lo() -> None:
    frame = pd.read_csv(DATA / "lo2002_eta.csv")
    ours = [
        float(lo_scale(np.array([[rho]]) ** np.arange(1, q), q)[0])
        for rho, q in zip(frame["rho"].tolist(), frame["q"].tolist(), strict=True)
    ]
    np.testing.assert_allclose(ours, frame["eta"].to_numpy(), rtol=1e-14)


def test_eta_by_hand_and_where_correlations_leave_no_variance() -> None:
    """q = 3, ρ1 = 0.5, ρ2 = 0.25: 3/√(3 + 2·(2·0.5 + 1·0.25)); lags from q on do not matter."""
    rho = np.array([[0.5, 0.25], [-0.9, -0.9]])
    expected = [3 / math.sqrt(5.5), math.nan]
    np.testing.assert_allclose(lo_scale(rho, 3), expected, rtol=1e-14)
    np.testing.assert_allclose(lo_scale(np.append(rho, [[9.0], [9.0]], axis=1), 3), expected, rtol=1e-14)
    assert lo_scale(np.empty((1, 0)), 252)[0] == pytest.approx(math.sqrt(252), rel=1e-15)


def test_a_year_is_the_root_of_its_bars_until_the_correlation_is_real() -> None:
    """2/√100 = 0.2: at that ρ1 it is chance, beyond it is not."""
    scale = year_scale(np.array([0.2, -0.2, 0.21, -0.3, np.nan]), np.full(5, 100), 252)
    root = math.sqrt(252)
    assert scale[[0, 1, 4]] == pytest.approx([root] * 3, rel=1e-15)
    assert scale[2] < root < scale[3]
    eta = pd.read_csv(DATA / "lo2002_eta.csv").query("rho == -0.3 and q == 252")["eta"].iloc[0]
    assert scale[3] == pytest.approx(eta, rel=1e-14)


def test_the_adjusted_ratio_is_the_plain_one_of_uncorrelated_returns(msft: Float64) -> None:
    counts, year = np.ones((1, 63), np.bool_), np.array([252.0])
    calm = msft[:63][None]
    plain, adjusted = rolling_sharpe(calm, counts, year, 0.0), rolling_sharpe_eta(calm, counts, 252, 0.0)
    np.testing.assert_allclose([part[0] for part in adjusted], [part[0] for part in plain], rtol=1e-14)


def test_a_trend_is_no_skill_that_grows_with_the_root_of_time() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    shocks, returns = random.standard_normal(63) * 0.01 + 0.002, np.zeros(63)
    for day in range(63):
        returns[day] = 0.7 * returns[day - 1] + shocks[day]
    counts = np.ones((1, 63), np.bool_)
    adjusted = rolling_sharpe_eta(returns[None], counts, 252, 0.0)
    plain = rolling_sharpe(returns[None], counts, np.array([252.0]), 0.0)
    assert 0.2 < adjusted[0][0] / plain[0][0] < 0.7
    assert adjusted[1][0] / plain[1][0] == pytest.approx(adjusted[0][0] / plain[0][0], rel=1e-12)


@pytest.mark.parametrize(("least", "params"), [(0.0, "MAR=0 "), (0.02 / 252, "MAR=7.9365")])
def test_sortino_is_that_of_performance_analytics_over_all_returns(msft: Float64, least: float, params: str) -> None:
    found = rolling_sortino(msft[None], np.ones((1, len(msft)), np.bool_), np.ones(1), least)
    assert value_of(found) == pytest.approx(performance_analytics("sortino_per_period", params), rel=1e-12)


def test_sortino_and_downside_are_those_of_empyrical(msft: Float64) -> None:
    counts = np.ones((1, len(msft)), np.bool_)
    found = rolling_sortino(msft[None], counts, np.array([252.0]), 0.0)
    assert value_of(found) == pytest.approx(empyrical("sortino_annual"), rel=1e-12)
    downside = downside_deviation(msft[None], counts, 0.0)[0]
    assert downside * math.sqrt(252) == pytest.approx(empyrical("downside_risk_annual"), rel=1e-12)


def test_the_downside_is_over_all_returns_where_the_other_convention_takes_the_losses(msft: Float64) -> None:
    ours = float(downside_deviation(msft[None], np.ones((1, len(msft)), np.bool_), 0.0)[0])
    subset = performance_analytics("downside_deviation_subset", "MAR=0")
    assert ours == pytest.approx(performance_analytics("downside_deviation_full", "MAR=0"), rel=1e-12)
    assert ours * math.sqrt(len(msft) / (msft < 0).sum()) == pytest.approx(subset, rel=1e-12)


def test_sortino_by_hand_and_where_nothing_is_below() -> None:
    """−0.3, 0.1, 0.8 over 0.1: mean 0.1 above it, downside √(0.4²/3). Nothing is below −1."""
    returns, counts = np.array([[-0.3, 0.1, 0.8]]), np.ones((1, 3), np.bool_)
    value, reason, n = rolling_sortino(returns, counts, np.array([4.0]), 0.1, 3)
    assert value.tolist() == pytest.approx([0.1 / math.sqrt(0.16 / 3) * 2], rel=1e-13)
    assert (reason.tolist(), n.tolist()) == ([DEFINED], [3])
    for least, needed, why in ((-1.0, 3, ZERO_VARIANCE), (0.1, 4, INSUFFICIENT_DATA)):
        value, reason, _ = rolling_sortino(returns, counts, np.array([4.0]), least, needed)
        assert (np.isnan(value).tolist(), reason.tolist()) == ([True], [why])


@given(returns=arrays(np.float64, (2, 45), elements=st.floats(-0.9, 0.9)), rate=st.floats(-0.5, 0.5))
def test_no_measure_is_ever_infinite_or_nan_without_a_reason(returns: Float64, rate: float) -> None:
    counts, year = np.ones(returns.shape, np.bool_), np.full(2, 252.0)
    found = [
        rolling_sharpe_error(returns, counts, year, rate),
        rolling_probabilistic_sharpe(returns, counts, year, rate),
        rolling_sharpe_eta(returns, counts, 252, rate)[::2],
        rolling_sortino(returns, counts, year, rate / 252),
    ]
    for value, reason, *_ in found:
        assert np.isnan(value).tolist() == (reason != DEFINED).tolist()
        assert not np.isinf(value).any()
