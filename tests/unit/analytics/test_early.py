"""The open bar may only raise: an alert that it opens is one of the full bar."""

import pytest

from tests.benchmarks.early import Early, steps
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.trades import Trades, from_records
from volwatch.producer.simulator import Simulator
from volwatch.trade import Trade

START_MS = 1_767_625_200_000  # 2026-01-05T15:00:00Z
MINUTE_MS = 60_000
SPIKE_MINUTE, LAST_MINUTE = 62, 65
SYMBOLS = 2
STEP_MS = 3_000


def loud(seed: int, multiplier: float) -> tuple[Trades, Trades]:
    """Return a calm that warms the detector up, and then all symbols with a burst each, a minute apart."""
    simulator = Simulator("gbm", seed, SYMBOLS, 1.0, START_MS)
    calm = _read(simulator, START_MS + SPIKE_MINUTE * MINUTE_MS)
    rest: list[Trade] = []
    for number, name in enumerate(simulator.names):
        begin_ms = START_MS + (SPIKE_MINUTE + number) * MINUTE_MS
        rest += _read(simulator, begin_ms)
        simulator.spike(begin_ms + 11_000, name, multiplier)
    rest += _read(simulator, START_MS + LAST_MINUTE * MINUTE_MS)
    return from_records(calm), from_records(rest, len(calm))


def _read(simulator: Simulator, until_ms: int) -> list[Trade]:
    trades, more = [], True
    while more:
        batch = simulator.read(until_ms)
        trades += batch.trades
        more = batch.more
    return trades


def _mark(offset: int) -> Trades:
    end = START_MS + (LAST_MINUTE + 10) * MINUTE_MS
    return from_records([Trade("simulator", "SIM01", end, 0.0, 0.0, ("mark",), None, end, 0)], offset)


@pytest.mark.parametrize(("seed", "multiplier"), [(1, 10.0), (2, 5.0), (3, 8.0)])
def test_what_the_open_bar_opens_full_bars_open_too(seed: int, multiplier: float) -> None:
    engine, found = Engine(EngineConfig()), Early()
    calm, rest = loud(seed, multiplier)
    engine.process(calm)
    for part in steps(rest, STEP_MS):
        found.note(engine.process(part))
    found.note(engine.process(_mark(len(calm) + len(rest))))
    assert found.wrong == set()
    assert found.opened.keys() - found.full == found.taken_back
    assert len(found.on_open_bars) > 0
