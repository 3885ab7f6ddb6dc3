import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import figures_risk, risk, wording
from tests.dashboard.fakes import NOW, some_bars

NORMAL = pd.Series(np.random.default_rng(1).normal(0, 0.001, 20_000))


def naive_volatility(returns: list[float], horizon: int, last: int) -> float:
    window = returns[last - horizon + 1 : last + 1]
    return math.sqrt(sum(value**2 for value in window) / horizon * 525_600)


def test_normal_returns_have_no_skew_no_fat_tails_and_the_shares_of_a_normal() -> None:
    spread = risk.spread(NORMAL)
    assert spread is not None
    assert spread.deviation == pytest.approx(0.001, rel=0.02)
    assert (spread.skewness, spread.excess_kurtosis) == pytest.approx((0, 0), abs=0.1)
    counted = risk.distribution(NORMAL)
    assert np.abs(counted["share"] - counted["normal"]).max() < 0.006


def test_a_far_return_is_told() -> None:
    spread = risk.spread(pd.Series([0.001, -0.001] * 100 + [0.05]))
    assert spread is not None
    assert spread.far_share == pytest.approx(1 / 201)
    assert spread.excess_kurtosis > 100


@pytest.mark.parametrize("returns", [[0.0] * 50, [0.1, -0.1] * 9, [math.nan] * 50])
def test_returns_that_are_few_or_do_not_move_are_not_described(returns: list[float]) -> None:
    assert risk.spread(pd.Series(returns, dtype="float64")) is None


@given(st.lists(st.floats(-0.1, 0.1), min_size=20, max_size=200).filter(lambda values: np.std(values) > 1e-9))
def test_every_return_is_counted_once_and_a_normal_adds_up(returns: list[float]) -> None:
    counted = risk.distribution(pd.Series(returns))
    assert counted["share"].sum() == pytest.approx(1)
    assert counted["normal"].sum() <= 1 + 1e-12


def test_the_cone_is_what_a_naive_count_gives() -> None:
    returns = NORMAL.iloc[:100].tolist()
    [short, long] = risk.volatility_cone(pd.Series(returns), 525_600, (15, 60, 100)).to_dict("records")
    expected = [naive_volatility(returns, 15, last) for last in range(14, 100)]
    assert (short["horizon_bars"], long["horizon_bars"]) == (15, 60)
    assert (short["least"], short["most"], short["now"]) == pytest.approx((min(expected), max(expected), expected[-1]))
    assert short["middle"] == pytest.approx(np.median(expected))


def test_no_horizon_is_told_that_fits_only_once() -> None:
    assert risk.volatility_cone(NORMAL.iloc[:15], 525_600).empty


@given(st.floats(0.1, 10))
def test_the_cone_scales_with_the_returns(scale: float) -> None:
    one, other = (risk.volatility_cone(NORMAL.iloc[:200] * by, 525_600) for by in (1.0, scale))
    assert (one.iloc[:, 1:] * scale).to_numpy() == pytest.approx(other.iloc[:, 1:].to_numpy(), rel=1e-6)


def test_the_drawdown_is_below_the_highest_close_before() -> None:
    bars = some_bars(4).assign(close=[100.0, 110.0, 99.0, 121.0])
    figure = figures_risk.drawdown_figure(bars, (NOW, NOW), "r")
    assert list(figure.data[1].y) == pytest.approx([0, 0, -10, 0])


def test_the_spread_is_said_in_words() -> None:
    text = wording.spread_text(risk.Spread(1_950, 0.0012, -0.25, 4.04, 0.01), risk.normal_far_share())
    assert text == (
        "1,950 returns of σ 0.120%; skewness -0.25, excess kurtosis 4.0 (a normal has 0). 1.00% lie 4 σ out or more; "
        "of a normal 0.006% would."
    )


def test_the_cone_and_the_distribution_keep_their_zoom_and_are_in_per_cent() -> None:
    cone = risk.volatility_cone(NORMAL.iloc[:200], 525_600)
    drawn = figures_risk.cone_figure(cone, "r")
    assert list(drawn.data[-1].x) == ["15 min", "30 min", "60 min", "2 h"]
    assert list(drawn.data[-1].y) == pytest.approx((cone["now"] * 100).tolist())
    spread = figures_risk.distribution_figure(risk.distribution(NORMAL), "r")
    assert sum(spread.data[0].y) == pytest.approx(100)
    assert {drawn.layout.uirevision, spread.layout.uirevision} == {"r"}


def test_returns_that_are_equal_but_for_their_last_digits_have_no_spread() -> None:
    assert risk.spread(pd.Series([0.001, np.nextafter(0.001, 1)] * 20)) is None
