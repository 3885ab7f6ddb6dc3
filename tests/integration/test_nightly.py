"""The nightly batch on a real warehouse: what it reads of the bars, what it stores, and who may read that."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from psycopg2 import errors

from tests.integration.worlds import APPLICATION_NAME, World, own_world
from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, calendar_named
from volwatch.analytics.measures.realised import subsampled_variance
from volwatch.analytics.trades import Float64, Int64
from volwatch.local.stack import ROLES, Stack
from volwatch.pipeline import nightly
from volwatch.pipeline.command import run_nightly
from volwatch.pipeline.nightly import Report
from volwatch.settings import PipelineSettings, as_environment
from volwatch.warehouse.connection import connect
from volwatch.warehouse.writer import write_frame

NOW = datetime(2026, 1, 10, 2, 15, tzinfo=UTC)
SESSIONS, MEASURES = 3, 15
SYMBOLS = ("BRK.B", "MSFT")
EXCHANGE = calendar_named("XNYS")


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    with own_world(stack) as made:
        yield made


def bars(symbol: str, start: Int64, seconds: int, close: Float64, log_return: Float64, final: bool) -> pd.DataFrame:
    opened = np.append(100.0, close[:-1])
    time = pd.to_datetime(start, unit="ms", utc=True)
    return pd.DataFrame(
        {
            "source": "replay",
            "symbol": symbol,
            "bar_start": time,
            "bar_seconds": seconds,
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1,
            "trades": 30,
            "session": "regular",
            "revision": 1,
            "final": final,
            "flags": "{}",
            "log_return": log_return,
            "elapsed_bars": 1,
            "first_trade_at": time,
            "last_trade_at": time,
            "kafka_partition": 0,
            "first_offset": 0,
            "last_offset": 0,
        }
    )


def load(world: World) -> Float64:
    """Store the bars of three sessions, and the first minutes of a fourth; return the last full one's returns."""
    end = int(np.searchsorted(EXCHANGE.days, (date(2026, 1, 9) - date(1970, 1, 1)).days))
    random, finished_returns = np.random.Generator(np.random.PCG64(1)), np.empty(0)
    with closing(connect(world.warehouse, application_name=APPLICATION_NAME)) as connection, connection:
        for symbol in SYMBOLS:
            days = EXCHANGE.days[end - SESSIONS : end]
            moves = random.standard_normal(SESSIONS) * 0.01
            closes = 100 * np.exp(np.cumsum(moves))
            daily = bars(symbol, days * DAY_MS, 86_400, closes, moves, final=True)
            parts = [daily.astype({"log_return": "float64"})]
            for session in range(end - SESSIONS, end + 1):
                finished = session < end
                close_ms = EXCHANGE.close_ms[session] if finished else EXCHANGE.open_ms[session] + 10 * MINUTE_MS
                start = np.arange(EXCHANGE.open_ms[session], close_ms, MINUTE_MS)
                returns = random.standard_normal(len(start)) * 1e-3
                parts.append(bars(symbol, start, 60, np.round(100 * np.exp(np.cumsum(returns)), 4), returns, finished))
                finished_returns = returns if finished else finished_returns
            with connection.cursor() as cursor:
                write_frame(cursor, "stock_prices", pd.concat(parts))
    return finished_returns


def run(world: World, now: datetime = NOW) -> Report:
    with closing(connect(world.warehouse, application_name=APPLICATION_NAME)) as connection:
        return nightly.run(connection, PipelineSettings(volatility_retention_days=365), now)


def test_finished_sessions_are_measured_once_and_readers_see_it(stack: Stack, world: World) -> None:
    returns = load(world)
    sessions, series = SESSIONS * len(SYMBOLS), len(SYMBOLS)
    assert run(world) == Report(series=series, sessions=sessions, rows=sessions * MEASURES + series, models=series)
    stored = {table: world.rows(table) for table in ("stock_volatility", "stock_garch")}
    assert run(world) == Report()
    assert {table: world.rows(table) for table in stored} == stored
    newest = dict(
        world.select(
            """SELECT estimator, (value, null_reason, window_bars, n_obs, annualisation, final, input_revision)::text
               FROM stock_volatility WHERE symbol = 'MSFT' AND bar_start = '2026-01-08T00:00Z'"""
        )
    )
    assert len(newest) == MEASURES + 1
    assert newest["garch"] == "(,INSUFFICIENT_DATA,1000,2,US_DAILY,t,1)"
    assert newest["var_99"] == "(,INSUFFICIENT_DATA,252,2,US_DAILY,t,1)"
    [(rv,)] = world.select(
        """SELECT value FROM stock_volatility
           WHERE symbol = 'MSFT' AND bar_start = '2026-01-08T00:00Z' AND estimator = 'rv' AND n_obs = 390"""
    )
    assert rv == pytest.approx(float(np.sqrt(252 * subsampled_variance(returns[None])[0])), rel=1e-9)
    models = [("replay", symbol, date(2026, 1, 8), "t", False, None, "INSUFFICIENT_DATA", 2) for symbol in SYMBOLS]
    asked = """SELECT source, symbol, session_date, distribution, converged, volatility_next, null_reason, n_obs
               FROM stock_garch ORDER BY symbol"""
    for role in ("pipeline", "dashboard", "readonly"):
        settings = stack.postgres.settings(ROLES[role], world.warehouse.database)
        with closing(connect(settings, application_name="test")) as connection, connection.cursor() as cursor:
            cursor.execute(asked)
            assert cursor.fetchall() == models
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute("DELETE FROM stock_garch")


def test_models_past_retention_are_forgotten_and_the_command_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world)
    for name, value in as_environment(world.warehouse, PipelineSettings(volatility_retention_days=10_000)).items():
        monkeypatch.setenv(name, value)
    assert (run_nightly().models, run_nightly().models) == (2, 0)
    later = NOW.replace(year=2027)
    assert run(world, NOW).models_forgotten == 0
    assert run(world, later) == Report(models_forgotten=2)
    assert world.rows("stock_garch") == []
