"""Value at risk and expected shortfall against two packages, by hand, and where definitions differ."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics.measures import normal, tails
from volwatch.analytics.measures.moments import Moments, moments
from volwatch.analytics.measures.tails import (
    cornish_fisher_holds,
    cornish_fisher_quantile,
    cornish_fisher_value_at_risk,
    rolling_expected_shortfall,
    rolling_value_at_risk,
    tail_min_obs,
)
from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA

Measure = Callable[[Float64, Bool, float], tuple[Float64, np.ndarray, np.ndarray]]
BOTH: list[Measure] = [rolling_value_at_risk, rolling_expected_shortfall]


def one(measure: Measure, returns: Float64, probability: float = 0.95) -> float:
    return float(measure(returns[None], np.ones((1, len(returns)), np.bool_), probability)[0][0])


@pytest.fixture(scope="module")
def msft() -> Float64:
    close = pd.read_csv(DATA / "ohlc_msft_daily.csv")["adj_close"].to_numpy(np.float64)
    returns: Float64 = np.diff(close) / close[:-1]
    return returns


def performance_analytics(measure: str, probability: float) -> float:
    """Return a loss as PerformanceAnalytics has it, our sign."""
    frame = pd.read_csv(DATA / "risk_PA_msft_daily.csv")
    row = frame[(frame["measure"] == measure) & frame["params"].str.startswith(f"p={probability}")]
    return -float(row["value"].iloc[0])


@pytest.mark.parametrize("probability", [0.95, 0.99])
def test_historical_losses_equal_those_of_performance_analytics(msft: Float64, probability: float) -> None:
    ours = [one(measure, msft, probability) for measure in BOTH]
    theirs = [performance_analytics(name, probability) for name in ("VaR_historical", "ES_historical")]
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_historical_losses_equal_those_of_empyrical(msft: Float64) -> None:
    frame = pd.read_csv(DATA / "risk_empyrical_msft_daily.csv").set_index("measure")["value"]
    theirs = [-frame["value_at_risk"], -frame["conditional_value_at_risk"]]
    assert [one(measure, msft) for measure in BOTH] == pytest.approx(theirs, rel=1e-12)


def with_divisor_n(returns: Float64) -> Moments:
    """Return moments with the deviation that PerformanceAnalytics takes for the parametric measures: ddof 0."""
    found, n = moments(returns[None], np.ones((1, len(returns)), np.bool_)), len(returns)
    return Moments(found.n, found.mean, found.deviation * math.sqrt((n - 1) / n), found.skewness, found.kurtosis)


@pytest.mark.parametrize("probability", [0.95, 0.99])
def test_parametric_losses_differ_from_performance_analytics_in_ddof_alone(msft: Float64, probability: float) -> None:
    """Ours has n − 1: 1.0002 times their deviation here. With their divisor it is their number."""
    theirs = [performance_analytics(name, probability) for name in ("VaR_gaussian", "ES_gaussian")]
    measures = (tails.normal_value_at_risk, tails.normal_expected_shortfall)
    found = moments(msft[None], np.ones((1, len(msft)), np.bool_))
    assert [float(measure(with_divisor_n(msft), probability)[0]) for measure in measures] == pytest.approx(
        theirs, rel=1e-12
    )
    ours = [float(measure(found, probability)[0]) for measure in measures]
    assert ours == pytest.approx(theirs, rel=3e-4)
    assert ours != pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("probability", [0.95, 0.99])
def test_the_cornish_fisher_formula_is_theirs_and_we_do_not_show_it_where_it_does_not_hold(
    msft: Float64, probability: float
) -> None:
    """With the kurtosis of real returns the expansion falls where a quantile must rise: at 95 % it says that fat tails
    lose LESS than a normal distribution."""
    found = with_divisor_n(msft)
    z = cornish_fisher_quantile(normal.quantile(1 - probability), found.skewness, found.kurtosis)
    loss = -(found.mean + z * found.deviation)
    assert loss == pytest.approx([performance_analytics("VaR_modified", probability)], rel=1e-12)
    assert cornish_fisher_holds(found.skewness, found.kurtosis).tolist() == [False]
    assert np.isnan(cornish_fisher_value_at_risk(found, probability)).tolist() == [True]


def test_without_skewness_and_excess_the_expansion_is_the_normal_quantile() -> None:
    found = Moments(np.array([100]), np.array([0.0]), np.array([2.0]), np.array([0.0]), np.array([3.0]))
    assert cornish_fisher_value_at_risk(found, 0.95) == pytest.approx([2 * 1.6448536269514722], rel=1e-12)


@given(skewness=st.floats(-2, 2), excess=st.floats(-2, 12))
def test_the_check_says_whether_the_quantile_rises(skewness: float, excess: float) -> None:
    z = np.linspace(-8, 8, 4_001)
    value = np.array([skewness]), np.array([excess + 3])
    curve = np.array([cornish_fisher_quantile(one, *value)[0] for one in z[::8].tolist()])
    if cornish_fisher_holds(*value)[0]:
        assert (np.diff(curve) > 0).all()


def test_the_domain_has_both_sides() -> None:
    held = cornish_fisher_holds(np.array([0.0, 0.0, 0.0, 1.0]), np.array([3.0, 5.0, 14.5, 3.0]))
    assert held.tolist() == [True, True, False, False]


def test_a_quantile_by_hand() -> None:
    """Of −1 % … −100 % … at 101 returns −0.50, −0.49, …, 0.50 the 5 % quantile is the sixth: −0.45; the six at or below
    it average −0.475."""
    returns = np.arange(-50, 51)[::-1] / 100
    assert [one(measure, returns) for measure in BOTH] == pytest.approx([0.45, 0.475], rel=1e-12)


@given(
    returns=arrays(np.float64, 120, elements=st.floats(-0.5, 0.5).map(lambda value: round(value, 5))),
    dropped=st.integers(0, 20),
)
def test_they_are_numpys_quantile_and_the_mean_at_or_below_it(returns: Float64, dropped: int) -> None:
    counts = np.ones((1, 120), np.bool_)
    counts[0, :dropped] = False
    held = returns[dropped:]
    quantile = np.quantile(held, 0.05)
    spoilt = np.where(counts[0], returns, np.nan)[None]
    ours = [float(measure(spoilt, counts, 0.95)[0][0]) for measure in BOTH]
    assert ours[0] == pytest.approx(-quantile, rel=1e-12, abs=1e-15)
    assert ours[1] == pytest.approx(-held[held <= -ours[0]].mean(), rel=1e-12, abs=1e-15)
    assert ours[1] >= ours[0] - 1e-12


@pytest.mark.parametrize(("probability", "needed"), [(0.9, 100), (0.95, 100), (0.975, 250), (0.99, 250), (0.995, 500)])
def test_a_tail_asks_for_enough_returns(probability: float, needed: int) -> None:
    assert tail_min_obs(probability) == needed
    returns = np.linspace(-0.1, 0.1, needed)
    for measure in BOTH:
        enough = measure(returns[None], np.ones((1, needed), np.bool_), probability)
        few = measure(returns[None, 1:], np.ones((1, needed - 1), np.bool_), probability)
        assert (enough[1].tolist(), few[1].tolist()) == ([DEFINED], [INSUFFICIENT_DATA])
        assert (np.isnan(enough[0]).tolist(), np.isnan(few[0]).tolist()) == ([False], [True])


@pytest.mark.parametrize("probability", [0.05, 0.5, 1.0])
def test_the_probability_is_that_of_the_confidence(probability: float) -> None:
    with pytest.raises(ValueError, match="the probability must be a confidence"):
        tail_min_obs(probability)


def test_nothing_at_all_gives_none() -> None:
    for measure in BOTH:
        value, reason, n = measure(np.full((2, 5), np.nan), np.zeros((2, 5), np.bool_), 0.95)
        assert (np.isnan(value).tolist(), reason.tolist(), n.tolist()) == ([True] * 2, [INSUFFICIENT_DATA] * 2, [0, 0])


def test_a_constant_series_loses_what_it_loses() -> None:
    assert [one(measure, np.full(100, -0.01)) for measure in BOTH] == pytest.approx([0.01, 0.01], rel=1e-14)
