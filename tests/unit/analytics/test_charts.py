"""Control charts by their average run lengths, and the flags, ranks and scores by hand."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics import charts
from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE

Step = Callable[[Float64, Float64], Float64]
NODES = 160


def average_run_length(step: Step, lowest: float, limit: float, below: float, shift: float) -> float:
    """Return the mean number of normal z, of mean ``shift``, until a chart that starts at 0 leaves [below, limit].

    Brook & Evans 1972, made sharper: the run length is a piecewise linear function of the level on a grid of levels,
    and its equation L(x) = 1 + E[L(step(x, z)); still inside] is solved there. What moves the level is OUR step.
    """
    z = np.arange(-8.5, 8.5, 4e-3) + 2e-3
    weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    levels = np.linspace(lowest, limit, NODES)
    move = np.zeros((NODES, NODES))
    for row, level in enumerate(levels.tolist()):
        after = step(np.full(len(z), level), z + shift)
        inside = (after <= limit) & (after >= below)
        place = (after[inside] - lowest) / (levels[1] - levels[0])
        left = np.clip(place.astype(np.int64), 0, NODES - 2)
        part, held = np.clip(place - left, 0.0, 1.0), weight[inside]
        move[row] = np.bincount(left, held * (1 - part), NODES) + np.bincount(left + 1, held * part, NODES)
    return float(np.interp(0.0, levels, np.linalg.solve(np.eye(NODES) - move, np.ones(NODES))))


def ours(chart: str, given_: dict[str, float], shift: float) -> float:
    if chart == "cusum_upper":
        limit = given_["h"]
        return average_run_length(lambda s, z: charts.cusum_step(s, z, given_["k"]), 0.0, limit, 0.0, shift)
    limit = given_["L"]
    # One-sided, the chart may fall as far as it likes; it never falls far.
    lowest, below = (-limit, -limit) if chart == "ewma_two_sided" else (-6.0, -np.inf)
    return average_run_length(lambda s, z: charts.ewma_step(s, z, given_["lambda"]), lowest, limit, below, shift)


@pytest.mark.parametrize("chart", ["cusum_upper", "ewma_two_sided", "ewma_upper"])
def test_run_lengths_are_those_of_the_integral_equation(chart: str) -> None:
    """To 0.6 %: what a grid of so many levels leaves."""
    frame = pd.read_csv(DATA / "chart_arl.csv")
    rows = frame[frame["chart"] == chart]
    assert len(rows) >= 15
    for parameters, shift, expected in zip(rows["parameters"], rows["mean_shift"], rows["arl"], strict=True):
        given_ = {name: float(value) for name, value in (part.split("=") for part in str(parameters).split())}
        assert ours(chart, given_, float(shift)) == pytest.approx(expected, rel=6e-3), (parameters, shift)


def test_a_cusum_by_hand() -> None:
    """k = 1: max(0, 0+3−1) = 2, 2+0.5−1 = 1.5, a gap leaves it, 1.5−2−1 < 0."""
    z = np.array([[3.0, 0.5, np.nan, -2.0, 1.25]])
    assert charts.cusum_chart(z, reference=1.0).tolist() == [[2.0, 1.5, 1.5, 0.0, 0.25]]
    assert charts.cusum_chart(z, reference=1.0, start=np.array([1.0]))[0, 0] == 3.0


def test_an_ewma_chart_by_hand() -> None:
    """λ = 0.4: e = 0.6·e + 0.8·z, since √(0.4·1.6) = 0.8."""
    z = np.array([[1.0, np.nan, 2.0]])
    assert charts.ewma_chart(z, weight=0.4)[0] == pytest.approx([0.8, 0.8, 2.08], rel=1e-14)


def test_an_ewma_chart_of_noise_has_unit_variance() -> None:
    z = np.random.Generator(np.random.PCG64(1)).standard_normal((4_000, 40))
    assert charts.ewma_chart(z, weight=0.25)[:, -1].std() == pytest.approx(1.0, rel=0.05)


@given(z=arrays(np.float64, (2, 12), elements=st.floats(-5, 5)), cut=st.integers(0, 12))
def test_a_chart_that_goes_on_is_the_chart_of_the_whole(z: Float64, cut: int) -> None:
    charted: list[tuple[Callable[..., Float64], float]] = [(charts.cusum_chart, 1.5), (charts.ewma_chart, 0.4)]
    for chart, setting in charted:
        first = chart(z[:, :cut], setting)
        start = first[:, -1] if cut else 0.0
        on = np.concatenate([first, chart(z[:, cut:], setting, start)], axis=1)
        np.testing.assert_array_equal(on, chart(z, setting))


def test_local_volatility_by_hand_does_not_know_its_own_bar() -> None:
    """K = 4: the products 1·2 and 2·3 of the three returns before; then 2·3 and 3·4."""
    returns = np.array([[1.0, -2.0, 3.0, -4.0, 100.0]])
    local = charts.local_volatility(returns, 4)
    expected = [np.sqrt(np.pi / 2 * (2 + 6) / 2), np.sqrt(np.pi / 2 * (6 + 12) / 2)]
    assert np.isnan(local[0, :3]).all()
    assert local[0, 3:] == pytest.approx(expected, rel=1e-14)


def test_local_volatility_of_noise_is_its_deviation() -> None:
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal((500, 60)) * 2e-3
    assert np.nanmean(charts.local_volatility(noise, 50) ** 2) == pytest.approx(4e-6, rel=0.03)


def test_a_bar_is_flagged_for_what_is_usual_at_its_time() -> None:
    returns = np.array([[0.011, 0.011, -0.011, 0.011]])
    local, season = np.array([[0.002, 0.002, 0.002, np.nan]]), np.array([1.0, 1.2, 1.0, 1.0])
    assert charts.lee_mykland_flag(returns, local, season).tolist() == [[True, False, True, False]]


def test_too_short_or_still_a_series_has_no_local_volatility() -> None:
    assert np.isnan(charts.local_volatility(np.ones((1, 3)), 4)).all()
    assert np.isnan(charts.local_volatility(np.zeros((1, 8)), 4)).all()


def test_a_percent_rank_by_hand() -> None:
    """Above 1 and 2, with one of two 3s: 2.5 of 4 … 3 of 4 with both halves; the fourth does not count."""
    past = np.array([[1.0, 2.0, 3.0, 9.0, 0.0]])
    counts = np.array([[True, True, True, True, False]])
    value, reason, n = charts.percent_rank(np.array([3.0]), past, counts)
    assert (value.tolist(), reason.tolist(), n.tolist()) == ([2.5 / 4], [DEFINED], [4])


def test_without_a_past_or_a_value_there_is_no_rank() -> None:
    past, counts = np.ones((2, 3)), np.array([[False] * 3, [True] * 3])
    value, reason, _ = charts.percent_rank(np.array([1.0, np.nan]), past, counts)
    assert (np.isnan(value).tolist(), reason.tolist()) == ([True, True], [INSUFFICIENT_DATA] * 2)


def test_a_robust_score_by_hand() -> None:
    """Logs −1, 0, 1 ten times over around 0: MAD 1; e² scores 2·0.6745."""
    past = np.exp(np.tile([-1.0, 0.0, 1.0], 10))[None]
    value, reason, n = charts.robust_z(np.array([np.e**2]), past, np.ones((1, 30), np.bool_))
    assert value == pytest.approx([2 * 0.6745], rel=1e-12)
    assert (reason.tolist(), n.tolist()) == ([DEFINED], [30])


@given(
    past=arrays(np.float64, (1, 20), elements=st.floats(0.01, 1.0)),
    scale=st.sampled_from([0.5, 4.0]),
)
def test_a_robust_score_has_no_scale(past: Float64, scale: float) -> None:
    counts = np.ones((1, 20), np.bool_)
    once = charts.robust_z(np.array([0.3]), past, counts)[0]
    again = charts.robust_z(np.array([0.3 * scale]), past * scale, counts)[0]
    np.testing.assert_allclose(again, once, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("volatility", "past", "counts", "reason"),
    [
        (0.2, np.full(20, 0.3), np.ones(20, np.bool_), ZERO_VARIANCE),
        (0.2, np.linspace(0.1, 0.3, 9), np.ones(9, np.bool_), INSUFFICIENT_DATA),
        (0.0, np.linspace(0.1, 0.3, 20), np.ones(20, np.bool_), INSUFFICIENT_DATA),
        (np.nan, np.linspace(0.1, 0.3, 20), np.ones(20, np.bool_), INSUFFICIENT_DATA),
        (0.2, np.zeros(20), np.ones(20, np.bool_), INSUFFICIENT_DATA),
        (0.2, np.linspace(0.1, 0.3, 20), np.zeros(20, np.bool_), INSUFFICIENT_DATA),
    ],
    ids=["no spread", "few", "no volatility", "unknown", "zeros", "none counts"],
)
def test_where_there_is_no_robust_score(volatility: float, past: Float64, counts: Bool, reason: int) -> None:
    value, why, _ = charts.robust_z(np.array([volatility]), past[None], counts[None])
    assert (np.isnan(value).tolist(), why.tolist()) == ([True], [reason])
