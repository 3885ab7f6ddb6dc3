"""Prints, bars and states made by hand for the tests of the numeric core."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector, lifecycle
from volwatch.analytics.bars import BarTable, bar_key
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import DetectorState, Observation
from volwatch.analytics.engine import Engine
from volwatch.analytics.groups import grouped
from volwatch.analytics.minutes import Advanced, advance
from volwatch.analytics.results import FLAG_NAMES
from volwatch.analytics.state import EngineState, add_series
from volwatch.analytics.trades import Bool, Float64, Int64, Trades

START_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z, the open of a session of XNYS
MINUTE_MS = 60_000
SOURCE = "feed"
FAR_WATERMARK_MS = 2**52
CONFIG = EngineConfig()
DAILY_CALENDARS = ("XNYS", "24/7")
REOPEN_FLAG = next(bit for bit, name in FLAG_NAMES.items() if name == "reopen")

Print = tuple[int, float, float]
"""Event time, price and size."""


def prints(*rows: Print, received_at: int | None = None, first_offset: int = 0, ohlc: bool = False) -> Trades:
    """Return prints of one series; they were received when they happened unless said otherwise."""
    event_time = np.array([row[0] for row in rows], np.int64)
    n = len(rows)
    return Trades(
        series=((SOURCE, "S0"),),
        code=np.zeros(n, np.int32),
        event_time=event_time,
        received_at=event_time if received_at is None else np.full(n, received_at, np.int64),
        price=np.array([row[1] for row in rows], np.float64),
        size=np.array([row[2] for row in rows], np.float64),
        conditions=(("ohlc",),) if ohlc else ((),),
        condition_code=np.zeros(n, np.int32),
        offset=np.arange(first_offset, first_offset + n, dtype=np.int64),
    )


def bars(
    start: Sequence[int] | Int64,
    *,
    spread: float | Float64 = 1e-3,
    middle: float | Float64 = 100.0,
    trades: int | Int64 = 30,
    series: int | Int64 = 0,
) -> BarTable:
    """Return bars that open and close at ``middle`` and whose high is ``spread`` (a log) above their low."""
    begun = np.asarray(start, np.int64)
    n = len(begun)
    price, half = np.broadcast_to(middle, n).astype(np.float64), np.broadcast_to(spread, n) / 2
    count = np.broadcast_to(trades, n).astype(np.int64)
    zero = np.zeros(n, np.int64)
    return BarTable(
        key=bar_key(np.broadcast_to(series, n).astype(np.int64), begun),
        open=price.copy(),
        high=price * np.exp(half),
        low=price * np.exp(-half),
        close=price.copy(),
        volume=(count * 10).astype(np.float64),
        notional=price * (count * 10).astype(np.float64),
        trades=count,
        first_time=begun.copy(),
        last_time=begun + MINUTE_MS - 1,
        first_offset=zero.copy(),
        last_offset=zero.copy(),
        revision=zero.copy(),
        flags=zero.copy(),
    )


def one_bar(
    log_range: float,
    *,
    minute: int = 0,
    usual: float = 0.0,
    move: float = 0.0,
    trades: int = 30,
    begins: bool = False,
    reopen: bool = False,
    blind: bool = False,
) -> Observation:
    """Return one bar of one series as the detector is given it."""
    return Observation(
        start=np.array([START_MS + minute * MINUTE_MS]),
        log_range=np.array([log_range]),
        usual=np.array([usual]),
        move=np.array([move]),
        trades=np.array([trades]),
        begins=np.array([begins]),
        reopen=np.array([reopen]),
        blind=np.array([blind]),
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """What the detector and its episodes say of bars, each of shape (n,)."""

    statistic: Float64
    z: Float64
    expected: Float64
    ratio: Float64
    opened: Bool
    escalated: Bool
    closed: Bool


def judge(
    state: DetectorState, bar: Observation, enter: float, series: Int64 | None = None
) -> tuple[DetectorState, Judged]:
    """Return the state after bars, one of each series unless said otherwise, and what is said of them."""
    groups = grouped(np.arange(len(bar.start)) if series is None else series)
    after, verdict = detector.observe(state, groups, bar)
    after, steps = lifecycle.follow(after, groups, bar, verdict, enter)
    return after, Judged(
        verdict.statistic,
        verdict.z,
        verdict.expected,
        verdict.ratio,
        steps.opened,
        steps.escalated,
        steps.closed,
    )


def minutes_from(start_ms: int, count: int) -> Int64:
    """Return the starts of consecutive one-minute bars."""
    return start_ms + np.arange(count, dtype=np.int64) * MINUTE_MS


def made_state(*calendars: str, config: EngineConfig = CONFIG) -> EngineState:
    """Return the state of one new series per calendar, whose watermark has passed everything."""
    state = Engine(config).state
    add_series(state, [(SOURCE, f"S{index}") for index in range(len(calendars))], list(calendars))
    state.watermarks[SOURCE] = FAR_WATERMARK_MS
    return state


def advance_final(state: EngineState, table: BarTable, config: EngineConfig = CONFIG) -> Advanced:
    """Advance a state over final bars."""
    return advance(state, table, config, np.ones(len(table), np.bool_), final=True)


def noise(seed: int, count: int, scale: float = 0.3) -> Float64:
    """Return log ranges that scatter as those of a calm market do, around one in a thousand."""
    random = np.random.Generator(np.random.PCG64(seed))
    log_range: Float64 = np.log(1e-3) + scale * random.standard_normal(count)
    return log_range
