"""The periodicity against highfrequency of R, by hand, and what it is for: a jump test of the right size."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics.measures import periodicity
from volwatch.analytics.measures.periodicity import (
    SMOOTH_BINS,
    deseasonalised,
    learnt,
    shortest_half_scale,
    standard_deviation,
    weighted_standard_deviation,
)
from volwatch.analytics.measures.realised import aggregated, jump_test
from volwatch.analytics.trades import Bool, Float64


@pytest.fixture(scope="module")
def five_minutes() -> Float64:
    frame = pd.read_csv(DATA / "sim_intraday_1min_A.csv")
    return aggregated(frame["log_return"].to_numpy(np.float64).reshape(60, 390), 5)


@pytest.mark.parametrize(
    ("column", "estimate"), [("wsd", weighted_standard_deviation), ("sd", standard_deviation)], ids=["wsd", "sd"]
)
def test_it_equals_that_of_highfrequency(five_minutes: Float64, column: str, estimate: object) -> None:
    """To rounding: standardised by the unscaled bipower variation over n, the definition is the same to the last."""
    expected = pd.read_csv(DATA / "periodicity5_intraday_1min_A.csv")[column].to_numpy()
    assert callable(estimate)
    np.testing.assert_allclose(estimate(five_minutes), expected, rtol=1e-13)


def naive_shortest_half(values: list[float]) -> float:
    ordered, held = sorted(values), len(values) // 2 + 1
    return 0.7413 * min(ordered[at + held - 1] - ordered[at] for at in range(len(values) - held + 1))


def test_the_shortest_half_by_hand() -> None:
    """Of 0, 1, 3, 4, 10 the three that lie closest are 1, 3, 4."""
    values = np.array([0.0, 4.0, 10.0, 1.0, 3.0])[:, None]
    assert shortest_half_scale(values, np.ones((5, 1), np.bool_)) == pytest.approx([0.7413 * 3])


@given(
    values=arrays(np.float64, (9, 3), elements=st.floats(-10, 10)),
    counts=arrays(np.bool_, (9, 3)),
)
def test_the_shortest_half_is_that_of_the_values_that_count(values: Float64, counts: Bool) -> None:
    expected = [
        naive_shortest_half(column[mask].tolist()) if mask.any() else np.nan
        for column, mask in zip(values.T, counts.T, strict=True)
    ]
    np.testing.assert_allclose(shortest_half_scale(values, counts), expected, rtol=1e-12, atol=1e-15)


def test_each_of_many_series_is_estimated_by_itself(five_minutes: Float64) -> None:
    both = np.stack([five_minutes[:30], five_minutes[30:]])
    alone = [weighted_standard_deviation(part) for part in both]
    np.testing.assert_array_equal(weighted_standard_deviation(both), alone)


def test_jumps_at_one_time_of_day_move_sd_and_not_wsd(five_minutes: Float64) -> None:
    jumped = five_minutes.copy()
    jumped[::10, 40] += 0.05
    moved = {
        name: float(estimate(jumped)[40] / estimate(five_minutes)[40])
        for name, estimate in {"sd": standard_deviation, "wsd": weighted_standard_deviation}.items()
    }
    assert moved["sd"] > 2
    assert moved["wsd"] == pytest.approx(1.0, abs=0.25)


def test_a_bin_without_a_trade_lies_between_its_neighbours_and_a_session_without_one_has_no_say(
    five_minutes: Float64,
) -> None:
    thin = five_minutes.copy()
    thin[:, 10] = 0.0
    found = weighted_standard_deviation(thin)
    assert found[10] == pytest.approx((found[9] + found[11]) / 2, rel=1e-12)
    longer = np.concatenate([five_minutes, np.zeros((5, 78))])
    np.testing.assert_array_equal(weighted_standard_deviation(longer), weighted_standard_deviation(five_minutes))


def test_without_a_trade_there_is_no_season() -> None:
    assert weighted_standard_deviation(np.zeros((3, 4))).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_no_past_leaves_the_prior_and_a_long_one_its_own_shape() -> None:
    prior, told = np.array([1.5, 0.5] * 20), np.ones((1, 40))
    level = prior / np.sqrt(np.mean(prior**2))
    assert learnt(told, prior, np.array([0]))[0] == pytest.approx(level, rel=1e-12)
    steady = learnt(level[None] * 1.0, prior, np.array([400]))[0]
    assert steady == pytest.approx(level, rel=1e-12)


def test_a_wide_difference_is_learnt_by_its_weight() -> None:
    """Half of the day twice as volatile as usual, after 4 sessions: the square root of that, inside each half."""
    bins = 6 * SMOOTH_BINS
    told = np.where(np.arange(bins) < bins // 2, 2.0, 1.0)[None]
    found = learnt(told, np.ones(bins), np.array([4]))[0]
    assert found[0] / found[-1] == pytest.approx(2**0.5, rel=1e-12)
    assert np.mean(found**2) == pytest.approx(1.0, rel=1e-12)


def test_what_is_deseasonalised_is_level() -> None:
    shape = np.array([2.0, 1.0])
    assert deseasonalised(np.array([[2.0, 1.0], [-2.0, 3.0]]), shape).tolist() == [[1.0, 1.0], [-1.0, 3.0]]


def test_the_u_shape_makes_jumps_that_go_away_with_the_learnt_season() -> None:
    """On a shape that is steeper than the prior; measured: raw 15 %, by twenty sessions 2.7 %, by the truth 1.8 %."""
    random = np.random.Generator(np.random.PCG64(3))
    t = (np.arange(78) + 0.5) / 78
    shape = 0.5 + 2.5 * np.exp(-t / 0.05) + np.exp(-(1 - t) / 0.05)
    today, past = (random.standard_normal(size) * shape * 1e-3 for size in ((800, 78), (800, 20, 78)))
    season = learnt(weighted_standard_deviation(past), np.ones(78), np.full(800, 20))
    rates = {
        name: float((jump_test(today / by).p < 0.01).mean())
        for name, by in {"raw": np.ones(78), "learnt": season, "true": shape}.items()
    }
    assert rates["raw"] > 0.10
    assert rates["learnt"] < rates["raw"] / 3
    assert rates["learnt"] < rates["true"] + 0.03


def test_standardised_returns_have_no_level() -> None:
    returns = np.array([[0.1, -0.1, 0.1], [0.2, -0.2, 0.2], [0.0, 0.0, 0.0]])
    found = periodicity.standardised(returns)
    assert found[0] == pytest.approx(found[1], rel=1e-14)
    assert np.isnan(found[2]).all()
