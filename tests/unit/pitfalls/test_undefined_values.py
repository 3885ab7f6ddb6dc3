"""Pitfalls of values that are undefined, or say less than they seem to: NULL with a reason, and errors beside them."""

import math
import warnings

import numpy as np
import pytest

from tests.unit.pitfalls.made import MINUTE_MS, line_of, mark, numbers, table, trades, values
from volwatch.analytics.charts import robust_z
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.measures import jumps, realised
from volwatch.analytics.measures.risk import rolling_sharpe, rolling_sortino
from volwatch.analytics.trades import concatenate
from volwatch.analytics.volatility import (
    DEFINED,
    INVALID_OHLC,
    MINUTE_ESTIMATORS,
    ZERO_VARIANCE,
    annual,
    bar_terms,
    null_reason,
    variances,
)


def test_pitfall_11_a_constant_price_has_no_ratio_and_no_score() -> None:
    """Mistake: 0/0 or x/0, so NaN, infinity or 10¹⁶ and a warning. Right: NULL ZERO_VARIANCE, and a volatility of 0."""
    level, counts = np.full((2, 63), 0.01), np.ones((2, 63), np.bool_)
    level[1] = 0.0
    per_year = np.full(2, 252.0)
    assert abs(level[0].mean() / level[0].std(ddof=1)) > 1e12  # a residue of rounding, not 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {
            "sharpe": rolling_sharpe(level, counts, per_year, 0.0)[::2],
            "sortino": rolling_sortino(level, counts, per_year, 0.0)[:2],
            "jump test": (realised.jump_test(level * 0).z, realised.jump_test(level * 0).reason),
            "robust z": robust_z(np.full(2, 0.2), np.full((2, 63), 0.2), counts)[:2],
        }
        rows = [
            ("BINANCE:S", minute * MINUTE_MS + 20_000 * place, 100.0, 1.0) for minute in range(70) for place in range(3)
        ]
        result = Engine(EngineConfig()).process(concatenate([trades(rows), mark(90 * MINUTE_MS, symbol="BINANCE:S")]))
    for name, (value, reason) in found.items():
        assert (np.isnan(value).tolist(), reason.tolist()) == ([True] * 2, [ZERO_VARIANCE] * 2), name
    assert values(result, "cc")[-1] == 0.0
    assert np.isfinite(result.signals.z[60:70]).all()
    assert result.transitions == ()


def test_pitfall_13_a_crash_in_one_bar_is_seen_though_rogers_satchell_is_zero() -> None:
    """Mistake: a detector on Rogers–Satchell, 0 for a bar that opens at its high and closes at its low. Right: the
    estimator says 0, and the detector looks at the range."""
    high, low = np.array([100.0]), np.array([95.0])
    assert bar_terms((high, high, low, low), high, np.ones(1)).rogers_satchell.tolist() == [0.0]
    random = np.random.Generator(np.random.PCG64(13))
    prices = np.round(100 + 0.02 * random.standard_normal((75, 4)).cumsum(axis=1), 2)
    prices[70] = (100.0, 98.0, 96.0, 95.0)
    prices[71:] -= 5.0
    rows = [
        ("BINANCE:S", minute * MINUTE_MS + 15_000 * place, float(prices[minute, place]), 1.0)
        for minute in range(75)
        for place in range(4)
    ]
    engine = Engine(EngineConfig(outlier_filter=False))
    result = engine.process(concatenate([trades(rows), mark(90 * MINUTE_MS, symbol="BINANCE:S")]))
    opened = [step for step in result.transitions if step.state == "OPEN" and step.final]
    assert [(step.kind, step.severity) for step in opened] == [("VOLATILITY", "HIGH")]
    assert (opened[0].facts is not None, opened[0].bar - result.bars[0].table.start[0]) == (True, 70 * MINUTE_MS)


def test_pitfall_14_a_bar_that_contradicts_itself_is_invalid_and_not_clipped() -> None:
    """Mistake: a negative Garman–Klass term is cut off at 0, or its root is NaN. Right: NULL INVALID_OHLC."""
    opened, high, low, close = (np.full(20, price) for price in (100.0, 101.0, 99.0, 100.0))
    for wrong, expected in ((False, DEFINED), (True, INVALID_OHLC)):
        close[19] = 140.0 if wrong else 100.0  # far above its high
        made = bar_terms((opened, high, low, close), np.full(20, 100.0), np.ones(20))
        assert (made.garman_klass[19] < 0) == wrong
        terms = {"garman_klass": made.garman_klass}
        variance, n_obs = variances(["garman-klass"], terms, *line_of(20, 20))["garman-klass"]
        reason = null_reason("garman-klass", variance, n_obs, 10, np.ones(1, np.bool_))
        assert reason.tolist() == [expected]
    assert np.isnan(annual(variance, np.full(1, 252.0))).tolist() == [True]


@pytest.mark.parametrize("interval", [1, 5])
def test_pitfall_21_the_jump_test_is_one_sided(interval: int) -> None:
    """Mistake: R's two-sided p: a day with LESS variance than its bipower variation has "jumped". Right: 1 − Φ(z)."""
    days = numbers("sim_intraday_1min_A.csv", "log_return").reshape(60, 390)
    frame = table("realised_intraday_1min_A.csv")
    rows = frame[frame["bar_minutes"] == interval]
    z, two_sided = rows["z_ratio_max_bv_tp"].to_numpy(np.float64), rows["p_two_sided_ratio"].to_numpy(np.float64)
    found = realised.jump_test(realised.aggregated(days, interval))
    np.testing.assert_allclose(found.z, z, rtol=1e-9)
    np.testing.assert_allclose(found.p, np.where(z > 0, two_sided / 2, 1 - two_sided / 2), rtol=1e-8)
    calm = int(z.argmin())
    assert (two_sided[calm] < 0.3, found.p[calm] > 0.85) == (True, True)
    assert jumps.one_sided_p(np.array([-3.0]))[0] == pytest.approx(1 - math.erfc(3 / math.sqrt(2)) / 2)


def test_pitfall_33_a_sharpe_ratio_of_minutes_is_noise_and_is_not_told() -> None:
    """Mistake: a day of 390 minutes gives a Sharpe ratio of 10. Right: its error is 16; only days have one, with it."""
    random = np.random.Generator(np.random.PCG64(33))
    minutes = random.normal(0, 1e-4, (200, 390))
    per_year = np.full(200, 252.0 * 390)
    ratio, error, _, _ = rolling_sharpe(minutes, np.ones(minutes.shape, np.bool_), per_year, 0.0)
    np.testing.assert_allclose(error, math.sqrt(252), rtol=0.02)
    assert (np.abs(ratio) > 10).mean() > 0.3
    assert not any("sharpe" in name for name in MINUTE_ESTIMATORS)
    result = Engine(EngineConfig()).process(trades([("S", 0, 100.0, 1.0)]))
    assert ["sharpe" in part.estimators for part in result.volatility] == [False, False, True]
    days = table("rolling_sharpe63_empyrical_msft_daily.csv")["rolling_sharpe_63"].to_numpy(np.float64)
    close = numbers("ohlc_msft_daily.csv", "adj_close")
    returns = np.lib.stride_tricks.sliding_window_view(close[1:] / close[:-1] - 1, 63)
    counts, per_year = np.ones(returns.shape, np.bool_), np.full(len(returns), 252.0)
    ours, error, _, _ = rolling_sharpe(returns, counts, per_year, 0.0)
    np.testing.assert_allclose(ours[-len(days) :], days, rtol=1e-9)
    np.testing.assert_allclose(error, 2.0, rtol=0.05)
