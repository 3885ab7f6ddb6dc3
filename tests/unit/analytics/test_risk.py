"""The rolling Sharpe ratio by hand, and when there is none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from volwatch.analytics.risk import SHARPE_MIN_OBS, rolling_sharpe
from volwatch.analytics.trades import Bool, Float64
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
