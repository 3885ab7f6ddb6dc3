"""The measures of finished sessions: of full and short ones, of thin ones, and only from what was before."""

import math

import numpy as np
import pytest

from volwatch.analytics.measures import realised
from volwatch.analytics.measures.measure import Measure
from volwatch.analytics.measures.periodicity import learnt, weighted_standard_deviation
from volwatch.analytics.measures.sessions import PAST_SESSIONS, Grid, grid, measure_sessions, past_periodicity, prior
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, TOO_FEW_TRADES, ZERO_VARIANCE

FULL, SHORT = 390, 210
USUAL = prior(FULL, continuous=False)
ESTIMATORS = ["rv", "rv_total", "rho1", "bv", "medrv", "jump_z", "jump_p"]


def market(lengths: list[int], seed: int = 1) -> Grid:
    """Return sessions without a gap."""
    random = np.random.Generator(np.random.PCG64(seed))
    session = np.repeat(np.arange(len(lengths)), lengths)
    minute = np.concatenate([np.arange(length) for length in lengths])
    return grid(session, minute, random.standard_normal(len(session)) * 1e-3, np.array(lengths))


def measured(held: Grid, wanted: list[int], overnight: Float64 | None = None) -> dict[str, Measure]:
    rows: Int64 = np.array(wanted, np.int64)
    nights = np.zeros(len(rows)) if overnight is None else overnight
    return {one.estimator: one for one in measure_sessions(held, rows, nights, USUAL, 252)}


def without(held: Grid, missing: np.ndarray) -> Grid:
    """Return the sessions with some bars taken away, and the moves that they held put into the bar after them."""
    returns, counts = held.returns.copy(), held.counts & ~missing
    for day, minute in np.argwhere(missing).tolist():
        returns[day, minute + 1] += returns[day, minute]
        returns[day, minute] = 0.0
    return Grid(returns, counts, held.lengths)


def test_returns_go_to_their_minutes_and_nan_is_no_bar() -> None:
    held = grid(np.array([0, 0, 1]), np.array([0, 2, 1]), np.array([0.1, np.nan, 0.3]), np.array([3, 2]))
    assert held.returns.tolist() == [[0.1, 0.0, 0.0], [0.0, 0.3, 0.0]]
    assert held.counts.tolist() == [[True, False, False], [False, True, False]]


def test_the_measures_are_the_realised_ones_in_years() -> None:
    held = market([FULL] * 3)
    found = measured(held, [1, 2], np.array([0.01, np.nan]))
    assert list(found) == ESTIMATORS
    minutes = held.returns[1:3]
    longer = realised.aggregated(minutes, 5)
    variance = realised.subsampled_variance(minutes)
    expected = {
        "rv": np.sqrt(252 * variance),
        "rv_total": np.array([math.sqrt(252 * (variance[0] + 0.01**2)), math.nan]),
        "bv": np.sqrt(252 * realised.bipower_variance(longer)),
        "medrv": np.sqrt(252 * realised.median_variance(longer)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].value, values, rtol=1e-12, err_msg=name)
    assert found["rv_total"].reason.tolist() == [DEFINED, INSUFFICIENT_DATA]
    assert {name: one.n_obs.tolist() for name, one in found.items()} == {
        name: [390, 390] if name in ("rv", "rv_total", "rho1") else [78, 78] for name in ESTIMATORS
    }
    assert {one.window_bars for one in found.values()} == {1}


def test_a_short_session_is_measured_by_its_own_length() -> None:
    held = market([FULL, SHORT, FULL])
    together, alone = measured(held, [0, 1, 2]), measured(held, [1])
    short = realised.subsampled_variance(held.returns[1:2, :SHORT])
    assert together["rv"].value[1] == pytest.approx(math.sqrt(252 * short[0]), rel=1e-12)
    assert together["rv"].n_obs.tolist() == [390, 210, 390]
    for name in ESTIMATORS:
        assert together[name].value[1] == alone[name].value[0], name


def test_the_last_hour_of_a_short_session_compares_with_the_last_of_a_full_one() -> None:
    """Where the last hour is usually four times as volatile, a short one's is too: without that it has no jump."""
    calm = market([SHORT])
    busy = Grid(calm.returns * np.where(np.arange(SHORT) < SHORT - 60, 1.0, 4.0), calm.counts, calm.lengths)
    usual = np.where(np.arange(78) < 78 - 12, 1.0, 4.0)
    first, nothing = np.array([0]), np.zeros(1)
    found = measure_sessions(busy, first, nothing, usual, 252), measure_sessions(calm, first, nothing, np.ones(78), 252)
    by_name = [{one.estimator: float(one.value[0]) for one in made} for made in found]
    assert by_name[0]["jump_z"] == pytest.approx(by_name[1]["jump_z"], rel=1e-12)
    assert by_name[0]["rv"] > 2 * by_name[1]["rv"]


def test_the_season_of_a_session_is_learnt_from_full_sessions_before_it() -> None:
    held = market([FULL] * 4 + [SHORT, FULL])
    found = past_periodicity(held, np.array([0, 3, 5]), USUAL)
    longer = realised.aggregated(held.returns, 5)
    level = USUAL / np.sqrt(np.mean(USUAL**2))
    expected = [
        level,
        learnt(weighted_standard_deviation(longer[None, :3]), USUAL, np.array([3]))[0],
        learnt(weighted_standard_deviation(longer[None, :4]), USUAL, np.array([4]))[0],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_session_is_measured_alike_whatever_comes_after_it_and_long_before() -> None:
    """Pitfall 22: no look into the future. And the past is bounded, so that a night can read no more than it."""
    held = market([FULL] * (PAST_SESSIONS + 3))
    row = PAST_SESSIONS + 1
    whole = measured(held, [row])
    part = Grid(held.returns[1 : row + 1], held.counts[1 : row + 1], held.lengths[1 : row + 1])
    for name, one in measured(part, [row - 1]).items():
        assert one.value[0] == whole[name].value[0], name


def test_the_prior_is_a_u_on_an_exchange_and_level_in_a_market_that_never_closes() -> None:
    assert len(USUAL) == 78
    assert USUAL[0] > 2 * USUAL[39]
    assert USUAL[-1] > 1.3 * USUAL[39]
    assert prior(1440, continuous=True).tolist() == [1.0] * 288
    assert prior(510, continuous=False)[[0, 51, -1]] == pytest.approx(USUAL[[0, 39, -1]], rel=0.02)


def test_a_missing_minute_takes_nothing_from_rv_within_five_minutes() -> None:
    held = market([FULL])
    missing = np.zeros((1, FULL), np.bool_)
    missing[0, 100:103] = True
    found = measured(without(held, missing), [0])
    assert found["rv"].n_obs.tolist() == [387]
    assert found["rv"].value[0] == pytest.approx(measured(held, [0])["rv"].value[0], rel=0.02)
    assert found["medrv"].value[0] == measured(held, [0])["medrv"].value[0]


def test_a_thin_session_has_variance_and_no_jump_test() -> None:
    """Ten minutes without a trade, four times: 10 % of five-minute returns are 0."""
    held = market([FULL])
    missing = np.zeros((1, FULL), np.bool_)
    for start in (50, 150, 250, 350):
        missing[0, start : start + 10] = True
    found = measured(without(held, missing), [0])
    reasons = {name: int(one.reason[0]) for name, one in found.items()}
    assert reasons == {
        **dict.fromkeys(("rv", "rv_total", "rho1", "medrv"), DEFINED),
        **dict.fromkeys(("bv", "jump_z", "jump_p"), TOO_FEW_TRADES),
    }


def test_half_of_a_session_is_too_little_for_everything() -> None:
    held = market([FULL])
    few = Grid(held.returns, held.counts & (np.arange(FULL) < FULL // 2 - 1), held.lengths)
    found = measured(few, [0])
    assert {int(one.reason[0]) for one in found.values()} == {INSUFFICIENT_DATA}
    assert np.isnan([one.value[0] for one in found.values()]).all()


def test_a_constant_price_has_no_variance_and_no_test() -> None:
    held = Grid(np.zeros((1, FULL)), np.ones((1, FULL), np.bool_), np.array([FULL]))
    found = measured(held, [0])
    reasons = {name: int(one.reason[0]) for name, one in found.items()}
    assert (found["rv"].value.tolist(), found["medrv"].value.tolist()) == ([0.0], [0.0])
    assert reasons == {
        **dict.fromkeys(("rv", "rv_total", "medrv"), DEFINED),
        **dict.fromkeys(("rho1", "jump_z", "jump_p"), ZERO_VARIANCE),
        "bv": TOO_FEW_TRADES,
    }


def test_a_jump_is_found() -> None:
    held = market([FULL] * 6)
    held.returns[5, 200] += 0.03
    found = measured(held, [4, 5])["jump_p"].value
    assert found[0] > 0.01
    assert found[1] < 1e-6


def test_a_market_that_never_closes_is_measured_by_days() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    session, minute = np.repeat(np.arange(2), 1440), np.tile(np.arange(1440), 2)
    held = grid(session, minute, random.standard_normal(2880) * 1e-3, np.array([1440, 1440]))
    made = measure_sessions(held, np.array([1]), np.zeros(1), prior(1440, continuous=True), 365)
    found = {one.estimator: one for one in made}
    assert found["rv"].value == pytest.approx([1e-3 * math.sqrt(1440 * 365)], rel=0.15)
    assert found["rv_total"].value.tolist() == found["rv"].value.tolist()
    assert found["jump_z"].n_obs.tolist() == [288]
