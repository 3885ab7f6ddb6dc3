"""The engine's columns as rows of the tables: what PostgreSQL is given to copy."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from volwatch.analytics.bars import BarTable, bar_key
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Bars, Result, Signals, Volatility
from volwatch.analytics.trades import Trades
from volwatch.warehouse.frames import bars_frame, signals_frame, volatility_frame

START_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z
START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def real(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.fixture(scope="module")
def nothing() -> Result:
    """Return a result that names two series and has no rows."""
    none = Trades(
        series=(),
        code=np.empty(0, np.int32),
        event_time=whole(),
        received_at=whole(),
        price=real(),
        size=real(),
        conditions=(),
        condition_code=np.empty(0, np.int32),
        offset=whole(),
    )
    result = Engine(EngineConfig()).process(none)
    return Result(
        series=(("simulator", "A"), ("finnhub", "BRK.B")),
        bars=result.bars,
        volatility=result.volatility,
        signals=result.signals,
        transitions=(),
        rejected=result.rejected,
    )


def two_bars() -> Bars:
    table = BarTable(
        key=bar_key(whole(1, 0), whole(START_MS, START_MS + 60_000)),
        open=real(10.0, 0.1 + 0.2),
        high=real(12.0, 0.5),
        low=real(9.0, 0.25),
        close=real(11.0, 0.5),
        volume=real(4.0, 0.0),
        notional=real(42.0, 0.0),
        trades=whole(3, 1),
        first_time=whole(START_MS + 1, START_MS + 60_001),
        last_time=whole(START_MS + 59_999, START_MS + 60_001),
        first_offset=whole(5, 9),
        last_offset=whole(8, 9),
        revision=whole(1, 0),
        flags=whole(3, 0),
    )
    return Bars(60, table, np.array([1, 2], np.int8), real(0.01, np.nan), whole(2, 1), np.array([True, False]))


def volatility() -> Volatility:
    return Volatility(
        bar_seconds=60,
        estimators=("cc", "ewma"),
        windows=(30, 87),
        series=whole(1, 0),
        start=whole(START_MS, START_MS + 60_000),
        value=real(0.25, np.nan, np.nan, 0.5).reshape(2, 2),
        reason=np.array([[0, 3], [1, 0]], np.int8),
        standard_error=np.full((2, 2), np.nan),
        n_obs=whole(30, 12, 4, 80).reshape(2, 2),
        annualisation=np.array(["US_RTH_1M", "CRYPTO_1M"]),
        final=np.array([True, False]),
        revision=whole(0, 2),
    )


def signals() -> Signals:
    return Signals(
        series=whole(0, 1),
        start=whole(START_MS, START_MS),
        statistic=real(np.nan, 4.0),
        z=real(np.nan, 1.5),
        log_range=real(-7.0, -6.0),
        expected_log_range=real(-7.5, -7.0),
        cusum=real(0.0, 0.0),
        final=np.array([False, True]),
        revision=whole(0, 1),
    )


def test_a_bar_is_a_row(nothing: Result) -> None:
    row = bars_frame(nothing, two_bars(), partition=4).iloc[0].to_dict()
    assert row == {
        "source": "finnhub",
        "symbol": "BRK.B",
        "bar_start": START,
        "bar_seconds": 60,
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.0,
        "volume": 4.0,
        "vwap": 10.5,
        "trades": 3,
        "session": "regular",
        "revision": 1,
        "final": True,
        "flags": "{ohlc,reopen}",
        "log_return": 0.01,
        "elapsed_bars": 2,
        "first_trade_at": pd.Timestamp(START_MS + 1, unit="ms", tz="UTC"),
        "last_trade_at": pd.Timestamp(START_MS + 59_999, unit="ms", tz="UTC"),
        "kafka_partition": 4,
        "first_offset": 5,
        "last_offset": 8,
    }


def test_what_is_undefined_is_copied_as_null_and_numbers_with_all_their_digits(nothing: Result) -> None:
    """An empty field of a CSV is NULL to COPY."""
    (_, line) = (
        bars_frame(nothing, two_bars(), 0)
        .drop(columns=["first_trade_at", "last_trade_at"])
        .to_csv(index=False, header=False)
        .splitlines()
    )
    assert (
        line
        == "simulator,A,2026-01-05 14:31:00+00:00,60,0.30000000000000004,0.5,0.25,0.5,0.0,,1,post,0,False,{},,1,0,9,9"
    )


def test_volatility_is_one_row_per_bar_and_estimator(nothing: Result) -> None:
    frame = volatility_frame(nothing, volatility())
    kept = frame[["symbol", "estimator", "window_bars", "n_obs", "annualisation", "final", "input_revision"]]
    assert list(kept.itertuples(index=False, name=None)) == [
        ("BRK.B", "cc", 30, 30, "US_RTH_1M", True, 0),
        ("BRK.B", "ewma", 87, 12, "US_RTH_1M", True, 0),
        ("A", "cc", 30, 4, "CRYPTO_1M", False, 2),
        ("A", "ewma", 87, 80, "CRYPTO_1M", False, 2),
    ]


def test_a_value_and_a_reason_exclude_each_other(nothing: Result) -> None:
    frame = volatility_frame(nothing, volatility())
    assert frame["value"].isna().tolist() == [False, True, True, False]
    assert frame["null_reason"].fillna("").tolist() == ["", "TOO_FEW_TRADES", "INSUFFICIENT_DATA", ""]


def test_a_signal_is_a_row_with_the_threshold_of_its_time(nothing: Result) -> None:
    frame = signals_frame(nothing, signals(), threshold=3.7)
    kept = frame[["source", "symbol", "detector", "detector_version", "threshold", "log_range", "final"]]
    assert list(kept.itertuples(index=False, name=None)) == [
        ("simulator", "A", "lre", "1", 3.7, -7.0, False),
        ("finnhub", "BRK.B", "lre", "1", 3.7, -6.0, True),
    ]
    assert frame["null_reason"].fillna("").tolist() == ["INSUFFICIENT_DATA", ""]
    assert frame["statistic"].isna().tolist() == [True, False]


def test_no_rows_make_empty_frames_of_the_same_columns(nothing: Result) -> None:
    for empty, full in (
        (bars_frame(nothing, nothing.bars[0], 0), bars_frame(nothing, two_bars(), 0)),
        (volatility_frame(nothing, nothing.volatility[0]), volatility_frame(nothing, volatility())),
        (signals_frame(nothing, nothing.signals, 3.7), signals_frame(nothing, signals(), 3.7)),
    ):
        assert (len(empty), list(empty.columns)) == (0, list(full.columns))


def test_signals_carry_the_threshold_that_holds_for_their_series(nothing: Result) -> None:
    assert signals_frame(nothing, signals(), 3.8)["threshold"].tolist() == [3.8, 3.8]
    overridden = replace(nothing, enters=real(np.nan, 5.0))
    assert signals_frame(overridden, signals(), 3.8)["threshold"].tolist() == [3.8, 5.0]
