"""The back-test of the dashboard: the platform's engine on bars of the warehouse."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from dashboard.backtesting import ALERT_COLUMNS, backtest
from volwatch.analytics.config import EngineConfig
from volwatch.warehouse.readings import Series

BEGAN = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
SIM, OTHER, STOCK = Series("simulator", "SIM01"), Series("simulator", "SIM02"), Series("finnhub", "AAPL")


def bars(minutes: int = 300, burst: slice | None = None, seed: int = 1) -> pd.DataFrame:
    """Return bars of a calm market, ten times as wide in a burst."""
    rng = np.random.default_rng(seed)
    scale = np.full(minutes, 0.0005)
    if burst is not None:
        scale[burst] *= 10
    close = 100 * np.exp(np.cumsum(rng.normal(0, scale)))
    open_ = np.append(100.0, close)[:minutes]
    half = np.abs(rng.normal(1, 0.2, minutes)) * scale * 50
    return pd.DataFrame(
        {
            "bar_start": pd.to_datetime([BEGAN + timedelta(minutes=minute) for minute in range(minutes)], utc=True),
            "open": open_,
            "high": np.maximum(open_, close) + half,
            "low": np.minimum(open_, close) - half,
            "close": close,
            "volume": 100.0,
            "trades": 20,
        }
    )


def test_a_burst_is_found_and_a_lower_level_finds_no_less() -> None:
    found = backtest({SIM: bars(burst=slice(200, 220)), OTHER: bars(seed=2)}, [3.0, EngineConfig().enter])
    assert (found.bars, found.symbol_days) == (600, 2)
    loose, usual = found.summary["alerts"]
    assert loose >= usual >= 1
    assert found.summary["per_symbol_day"].tolist() == [loose / 2, usual / 2]
    of_usual = found.alerts[found.alerts["level"] == EngineConfig().enter]
    onset = of_usual["onset_bar"].min()
    assert BEGAN + timedelta(minutes=200) <= onset < BEGAN + timedelta(minutes=205)
    assert of_usual["symbol"].tolist() == [SIM.symbol] * usual
    assert "× the usual" in of_usual["sentence"].iloc[0]


def test_severities_of_the_summary_are_those_of_the_alerts() -> None:
    found = backtest({SIM: bars(burst=slice(200, 220))}, [3.0])
    counted = [int((found.alerts["severity"] == severity).sum()) for severity in ("LOW", "MEDIUM", "HIGH")]
    assert found.summary[["low", "medium", "high"]].to_numpy().tolist() == [counted]
    assert sum(counted) == len(found.alerts)


def test_a_stock_is_judged_in_its_regular_hours_only() -> None:
    night = bars(600)  # 15:00 to 01:00 UTC: New York closes at 21:00
    assert (backtest({STOCK: night}, [3.7]).bars, backtest({STOCK: night}, [3.7]).symbol_days) == (360, 1)


@pytest.mark.parametrize("given", [{}, {SIM: bars(0)}])
def test_no_bar_makes_no_alert_and_no_rate(given: dict[Series, pd.DataFrame]) -> None:
    found = backtest(given, [3.7])
    assert (found.bars, found.symbol_days, list(found.alerts.columns)) == (0, 0, list(ALERT_COLUMNS))
    assert found.summary["per_symbol_day"].isna().tolist() == [True]
