"""Minute bars into volatility and the detector's verdicts: ``analytics.minutes`` against pandas, on one core."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tests.benchmarks import engine_by_symbol, engine_in_pandas
from tests.benchmarks.engine_in_pandas import Frames, Outcome
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
from volwatch.analytics.bars import BarTable, bar_key
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.minutes import Advanced, advance
from volwatch.analytics.state import EngineState, add_series
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import MINUTE_ESTIMATORS

SYMBOLS, MINUTES = 500, 390
MANY_SYMBOLS, RUN_MINUTES = 5_000, 30
TOLERANCE = 1e-9

_OPEN_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z, the open of a session of XNYS
_PRINTS = 20
_VOLATILITY = 1e-3
_CONFIG = EngineConfig()


@dataclass(frozen=True, slots=True)
class Session:
    """One session of bars, each of shape (symbols, minutes): every minute has a bar."""

    open: Float64
    high: Float64
    low: Float64
    close: Float64
    trades: Int64


def run(tell: Callable[[str], None], symbols: int = SYMBOLS) -> Measured:
    """Measure both sides on a session of so many symbols; the peer takes one symbol after the other."""
    session = made_session(symbols)
    bars = long_frame(session)
    return _measured("engine", session, lambda: engine_by_symbol.outcome(bars, _CONFIG.enter), tell)


def run_against_wide(tell: Callable[[str], None], symbols: int = SYMBOLS) -> Measured:
    """Measure both sides; the peer takes all symbols at once, from frames of the shape that suits pandas best."""
    session = made_session(symbols)
    frames = frames_of(session)
    return _measured("engine_vs_wide", session, lambda: engine_in_pandas.outcome(frames, _CONFIG.enter), tell)


def run_many_symbols(tell: Callable[[str], None]) -> Measured:
    """Measure the rate for ten times as many symbols, in runs of half an hour of bars; the peer is the usual number."""

    def incomparable(_many: int, _usual: int) -> None:
        """Find no difference: the symbols are others."""

    many, usual = _in_runs(MANY_SYMBOLS), _in_runs(SYMBOLS)
    found = measure("engine_many_symbols", "bars/s", SYMBOLS * MINUTES, many, usual, incomparable, tell)
    # The many have so many times the bars in their seconds.
    times = MANY_SYMBOLS / SYMBOLS
    return replace(found, ours=found.ours * times, ratio=found.ratio * times)


def _in_runs(symbols: int) -> Callable[[], Timed[int]]:
    session = made_session(symbols)
    table = table_of(session)
    run = (table.start - _OPEN_MS) // MINUTE_MS // RUN_MINUTES
    tables = [table.take(run == number) for number in range(MINUTES // RUN_MINUTES)]

    def work() -> Timed[int]:
        state = fresh_state(symbols)
        return timed(lambda: sum(len(our_outcome(state, part).signals.start) for part in tables), time.process_time)

    return work


def _measured(name: str, session: Session, peers: Callable[[], Outcome], tell: Callable[[str], None]) -> Measured:
    table, symbols = table_of(session), len(session.open)

    def ours() -> Timed[Advanced]:
        state = fresh_state(symbols)
        return timed(lambda: our_outcome(state, table), time.process_time)

    def peer() -> Timed[Outcome]:
        return timed(peers, time.process_time)

    return measure(name, "bars/s", len(table), ours, peer, check, tell)


def made_session(symbols: int) -> Session:
    """Return random walks from a seed; one in twenty symbols has a burst, one in four trades too thinly."""
    random = np.random.Generator(np.random.PCG64(1))
    steps = random.standard_normal((symbols, MINUTES, _PRINTS)) * _VOLATILITY / np.sqrt(_PRINTS)
    steps[::20, 200:206] *= 8.0
    price = 100 * np.exp(np.cumsum(steps.reshape(symbols, -1), axis=1)).reshape(steps.shape)
    busy = np.where(np.arange(symbols) % 4 == 0, 15, 60)
    return Session(
        open=price[:, :, 0],
        high=price.max(axis=2),
        low=price.min(axis=2),
        close=price[:, :, -1],
        trades=random.integers(5, busy[:, None], (symbols, MINUTES)),
    )


def table_of(session: Session) -> BarTable:
    """Return the session as our engine takes it."""
    symbols, minutes = session.open.shape
    series, minute = np.divmod(np.arange(symbols * minutes), minutes)
    start = _OPEN_MS + minute * MINUTE_MS
    count = session.trades.ravel()
    volume = count.astype(np.float64)
    zero = np.zeros(len(start), np.int64)
    return BarTable(
        key=bar_key(series, start),
        open=session.open.ravel(),
        high=session.high.ravel(),
        low=session.low.ravel(),
        close=session.close.ravel(),
        volume=volume,
        notional=session.close.ravel() * volume,
        trades=count,
        first_time=start,
        last_time=start + MINUTE_MS - 1,
        first_offset=zero,
        last_offset=zero,
        revision=zero,
        flags=zero,
    )


def frames_of(session: Session) -> Frames:
    """Return the session as pandas takes it fastest: a column for each symbol."""
    return engine_in_pandas.frames(session.open, session.high, session.low, session.close, session.trades)


def long_frame(session: Session) -> pd.DataFrame:
    """Return the session as a table has it: a row for each bar, ordered by symbol and time."""
    columns = {name: getattr(session, name).ravel() for name in ("open", "high", "low", "close", "trades")}
    return pd.DataFrame({"series": np.repeat(np.arange(len(session.open)), MINUTES)} | columns)


def fresh_state(symbols: int) -> EngineState:
    """Return the state of symbols of an exchange that were never seen."""
    state = Engine(_CONFIG).state
    add_series(state, [("benchmark", f"S{number}") for number in range(symbols)], ["XNYS"] * symbols)
    return state


def our_outcome(state: EngineState, table: BarTable) -> Advanced:
    """Advance the state over the session, as over final bars."""
    return advance(state, table, _CONFIG, np.ones(len(table), np.bool_), final=True)


def check(made: Advanced, expected: Outcome) -> None:
    """Compare volatility and statistics within the tolerance, and what happened to the episodes exactly."""
    for index, name in enumerate(MINUTE_ESTIMATORS):
        _check_close(name, made.volatility.value[:, index], expected.volatility[name].to_numpy())
    for name in ("statistic", "z", "expected_log_range"):
        _check_close(name, getattr(made.signals, name), getattr(expected, name))
    _check_close("ratio", made.episodes.ratio, expected.ratio)
    for name in ("opened", "escalated", "closed"):
        happened = getattr(expected, name).T.ravel()
        if not np.array_equal(getattr(made.episodes, name), happened):
            raise Unequal(f"engine: {name} differs")


def _check_close(name: str, made: Float64, expected: Float64) -> None:
    if not np.allclose(made, expected.T.ravel(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        raise Unequal(f"engine: {name} differs")
