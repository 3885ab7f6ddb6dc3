"""Drawdowns by hand, against two packages, and by their definition."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.oracle import DATA
from volwatch.analytics.measures.drawdown import Drawdown, drawdowns, rolling_max_drawdown, worst_drawdown
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA

RETURNS = arrays(np.float64, st.integers(1, 30), elements=st.floats(-0.9, 0.9).map(lambda value: round(value, 6)))


def deepest(returns: Float64, min_obs: int = 1) -> tuple[float, int, int]:
    value, reason, n = rolling_max_drawdown(returns[None], np.ones((1, len(returns)), np.bool_), min_obs)
    return float(value[0]), int(reason[0]), int(n[0])


def test_drawdowns_by_hand() -> None:
    """Value 1, 0.9, 1.08, 0.54, 0.81: the start is a peak, so is 1.08."""
    found = drawdowns(np.array([[-0.1, 0.2, -0.5, 0.5]]))
    assert found[0] == pytest.approx([-0.1, 0.0, -0.5, -0.25], rel=1e-14, abs=1e-16)


def test_the_loss_of_the_first_day_counts() -> None:
    assert deepest(np.array([-0.25, 0.1])) == pytest.approx((-0.25, DEFINED, 2), rel=1e-14)


@given(returns=RETURNS)
def test_the_deepest_drawdown_is_the_worst_purchase_and_sale(returns: Float64) -> None:
    value = np.append(1.0, np.cumprod(1 + returns))
    naive = min(value[sale] / value[bought] - 1 for sale in range(len(value)) for bought in range(sale + 1))
    assert deepest(returns)[0] == pytest.approx(naive, rel=1e-9, abs=1e-12)


@given(returns=RETURNS)
def test_the_worst_drawdown_tells_where_it_was(returns: Float64) -> None:
    value, found = np.append(1.0, np.cumprod(1 + returns)), worst_drawdown(returns)
    assert value[found.trough] / value[found.peak] - 1 == pytest.approx(found.depth, rel=1e-9, abs=1e-12)
    end = len(returns) if found.recovery is None else found.recovery
    assert found.duration == end - found.peak
    if found.recovery is not None and found.depth < 0:
        assert value[found.recovery] >= value[found.peak] * (1 - 1e-12)
        assert (value[found.peak + 1 : found.recovery] < value[found.peak] * (1 + 1e-12)).all()


def test_peak_trough_recovery_and_duration_by_hand() -> None:
    """Value 1, 1.2, 0.6, 0.9, 1.2, 1.3: from after the first return to after the fourth."""
    returns = np.array([0.2, -0.5, 0.5, 1 / 3, 1 / 12])
    recovered, not_yet = worst_drawdown(returns), worst_drawdown(returns[:3])
    assert recovered == Drawdown(recovered.depth, 1, 2, 4, 3)
    assert not_yet == Drawdown(not_yet.depth, 1, 2, None, 2)
    assert [recovered.depth, not_yet.depth] == pytest.approx([-0.5, -0.5], rel=1e-14)


def test_a_value_that_never_fell_has_no_drawdown() -> None:
    assert worst_drawdown(np.array([0.1, 0.0, 0.1])) == Drawdown(0.0, 0, 0, 0, 0)
    assert deepest(np.array([0.1, 0.0, 0.1]))[0] == 0.0


def test_it_equals_that_of_two_packages() -> None:
    close = pd.read_csv(DATA / "ohlc_msft_daily.csv")["adj_close"].to_numpy()
    ours = deepest(np.diff(close) / close[:-1])[0]
    performance = pd.read_csv(DATA / "risk_PA_msft_daily.csv").set_index("measure")["value"]
    empyrical = pd.read_csv(DATA / "risk_empyrical_msft_daily.csv").set_index("measure")["value"]
    assert ours == pytest.approx(-performance["max_drawdown"], rel=1e-12)
    assert ours == pytest.approx(empyrical["max_drawdown"], rel=1e-12)


def test_what_does_not_count_does_not_matter_and_too_little_gives_none() -> None:
    returns = np.array([[0.1, np.nan, -0.2, 7.0], [0.1, 0.1, 0.1, -1.0]])
    counts = np.array([[True, False, True, False], [True, True, True, True]])
    value, reason, n = rolling_max_drawdown(returns, counts, 2)
    assert (value[0], math.isnan(value[1])) == (pytest.approx(-0.2), True)
    assert (reason.tolist(), n.tolist()) == ([DEFINED, INSUFFICIENT_DATA], [2, 4])
    assert rolling_max_drawdown(returns, counts, 3)[1].tolist() == [INSUFFICIENT_DATA, INSUFFICIENT_DATA]
