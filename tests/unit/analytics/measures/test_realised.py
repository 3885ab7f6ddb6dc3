"""Realised measures against highfrequency of R, by hand, and on prices whose variance is known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics.measures import realised
from volwatch.analytics.measures.realised import DayMeasures, aggregated, day_measures, subsampled_variance
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, TOO_FEW_TRADES, ZERO_VARIANCE

COLUMNS = {
    "rv": realised.realised_variance,
    "bv_unscaled": realised.bipower_variance,
    "tpq": realised.tripower_quarticity,
    "medrv": realised.median_variance,
    "minrv": realised.minimum_variance,
    "medrq": realised.median_quarticity,
    "rq": realised.realised_quarticity,
}
NEEDED = {"rv": 1, "bv_unscaled": 2, "tpq": 3, "medrv": 3, "minrv": 2, "medrq": 3, "rq": 1}


@pytest.fixture(scope="module")
def minutes() -> Float64:
    """Return sixty simulated days of one-minute returns, shape (60, 390)."""
    frame = pd.read_csv(DATA / "sim_intraday_1min_A.csv")
    return frame["log_return"].to_numpy(np.float64).reshape(60, 390)


def expected(interval: int) -> pd.DataFrame:
    frame = pd.read_csv(DATA / "realised_intraday_1min_A.csv")
    return frame[frame["bar_minutes"] == interval]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("interval", [1, 5])
def test_a_measure_equals_that_of_highfrequency(minutes: Float64, column: str, interval: int) -> None:
    ours = COLUMNS[column](aggregated(minutes, interval))
    np.testing.assert_allclose(ours, expected(interval)[column].to_numpy(), rtol=1e-10)


def test_measures_by_hand() -> None:
    """|r| = 1, 2, 3: Σr² = 14; products 2 and 6; one median, 2; minima 1 and 2; one product of three, 6."""
    rows = np.array([[1.0, -2.0, 3.0]])
    mu = 2 ** (2 / 3) * math.gamma(7 / 6) / math.gamma(1 / 2)
    by_hand = {
        "rv": 14.0,
        "bv_unscaled": math.pi / 2 * 8,
        "tpq": 3 * 3 * mu**-3 * 6 ** (4 / 3),
        "medrv": math.pi / (6 - 4 * math.sqrt(3) + math.pi) * 3 * 4,
        "minrv": math.pi / (math.pi - 2) * 3 / 2 * 5,
        "medrq": 3 * math.pi * 3 / (9 * math.pi + 72 - 52 * math.sqrt(3)) * 3 * 16,
        "rq": 4 / 3 * 98,
    }
    found = {column: float(measure(rows)[0]) for column, measure in COLUMNS.items()}
    assert found == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize("column", COLUMNS)
def test_too_few_returns_give_no_measure(column: str) -> None:
    measure, needed = COLUMNS[column], NEEDED[column]
    assert np.isnan(measure(np.full((2, needed - 1), 0.01))).all()
    assert np.isfinite(measure(np.full((2, needed), 0.01))).all()


@given(returns=arrays(np.float64, (2, 12), elements=st.floats(-0.1, 0.1).map(lambda value: round(value, 6))))
def test_variances_scale_with_the_square_and_do_not_know_the_direction(returns: Float64) -> None:
    for column in ("rv", "bv_unscaled", "medrv", "minrv"):
        once = COLUMNS[column](returns)
        np.testing.assert_allclose(COLUMNS[column](returns * -2), once * 4, rtol=1e-12)
        np.testing.assert_allclose(COLUMNS[column](returns[:, ::-1]), once, rtol=1e-12, atol=1e-18)


def test_a_jump_is_in_rv_and_all_but_missing_in_what_is_robust() -> None:
    calm = np.full((1, 100), 0.001)
    jump = calm.copy()
    jump[0, 50] = 0.05
    added = {column: float(COLUMNS[column](jump)[0] - COLUMNS[column](calm)[0]) for column in ("rv", "minrv", "medrv")}
    assert added == pytest.approx({"rv": 0.05**2 - 0.001**2, "minrv": 0.0, "medrv": 0.0}, abs=1e-15)


def test_longer_returns_are_sums_and_a_rest_is_left_out() -> None:
    rows = np.arange(8.0)[None]
    assert aggregated(rows, 3).tolist() == [[3.0, 12.0]]
    assert aggregated(rows, 3, offset=1).tolist() == [[6.0, 15.0]]
    assert aggregated(rows, 5, offset=4).shape == (1, 0)


def test_subsampling_by_hand() -> None:
    """Grids of 2 in 1, 2, 3: {1+2} with 2 of 3 returns, 9·3/2; {2+3}, 25·3/2; their mean."""
    assert subsampled_variance(np.array([[1.0, 2.0, 3.0]]), interval=2).tolist() == [(9 * 1.5 + 25 * 1.5) / 2]


def test_subsampling_is_the_mean_of_five_grids(minutes: Float64) -> None:
    naive = []
    for row in minutes:
        grids = []
        for offset in range(5):
            sums = [row[at : at + 5].sum() for at in range(offset, 390 - 4, 5)]
            grids.append(sum(value * value for value in sums) * 390 / (5 * len(sums)))
        naive.append(np.mean(grids))
    np.testing.assert_allclose(subsampled_variance(minutes), naive, rtol=1e-12)


def test_too_short_a_session_has_no_subsampled_variance() -> None:
    assert np.isnan(subsampled_variance(np.ones((1, 8)), interval=5)).tolist() == [True]
    assert np.isfinite(subsampled_variance(np.ones((1, 9)), interval=5)).tolist() == [True]


def test_the_signature_rises_towards_short_intervals_where_the_price_bounces() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    walk = np.cumsum(random.standard_normal((200, 391)) * 1e-3, axis=1)
    bounce = random.choice([-5e-4, 5e-4], (200, 391))
    clean, bouncing = (realised.signature(np.diff(price), (1, 5, 15)).mean(axis=1) for price in (walk, walk + bounce))
    assert clean / clean[0] == pytest.approx(np.ones(3), rel=0.03)
    assert bouncing[0] > 1.25 * bouncing[1] > 1.25 * bouncing[2]


def test_total_volatility_has_the_night_in_it() -> None:
    """√(252·(3² + 4²)·10⁻⁴)."""
    found = realised.total_volatility(np.array([9e-4, 9e-4]), np.array([0.04, np.nan]), 252.0)
    np.testing.assert_allclose(found, [math.sqrt(252) * 0.05, np.nan], rtol=1e-14)


def test_bounce_shrinks_the_volatility_of_longer_bars() -> None:
    """MA(1) with ρ1 = −0.25: two bars have 2·(1 − 0.25) of one's variance, not 2."""
    assert realised.correlation_inflation(np.array([[-0.25], [0.0]]), 2) == pytest.approx([math.sqrt(0.75), 1.0])


def test_a_day_has_all_its_measures(minutes: Float64) -> None:
    row = expected(5).iloc[0]
    found = day_measures(aggregated(minutes, 5)[0])
    z = row["z_ratio_max_bv_tp"]
    assert (found.reason, found.n) == (DEFINED, 78)
    assert [found.rv, found.bv, found.medrv, found.tpq, found.jump_z] == pytest.approx(
        [row["rv"], row["bv_unscaled"], row["medrv"], row["tpq"], z], rel=1e-10
    )
    assert found.jump_p == pytest.approx(math.erfc(z / math.sqrt(2)) / 2, rel=1e-10)


def with_zeros(count: int) -> Float64:
    returns = 0.001 * np.where(np.arange(100) % 2, -1.0, 1.0)
    returns[:count] = 0.0
    return returns


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full(39, 0.001), INSUFFICIENT_DATA),
        (np.full(40, 0.001), DEFINED),
        (np.zeros(78), ZERO_VARIANCE),
        (with_zeros(5), DEFINED),
        (with_zeros(6), TOO_FEW_TRADES),
        (np.zeros(0), INSUFFICIENT_DATA),
    ],
    ids=["39", "40", "constant", "five zeros", "six zeros", "nothing"],
)
def test_there_is_no_jump_test_without_reason_and_no_reason_with_one(returns: Float64, reason: int) -> None:
    found = day_measures(returns)
    assert (found.reason, found.n) == (reason, len(returns))
    undefined = reason != DEFINED
    assert (math.isnan(found.jump_z), math.isnan(found.jump_p)) == (undefined, undefined)


def test_a_constant_price_has_no_variance_and_no_test() -> None:
    nan = math.nan
    found = day_measures(np.zeros(78))
    assert str(found) == str(DayMeasures(0.0, 0.0, 0.0, 0.0, nan, nan, ZERO_VARIANCE, 78))
