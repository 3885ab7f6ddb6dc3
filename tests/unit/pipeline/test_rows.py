"""Which rows of a result are said to be new: those of bars that no earlier result had shown."""

import csv
import io

import pytest

from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result
from volwatch.analytics.trades import from_records
from volwatch.pipeline.rows import copies
from volwatch.trade import Trade
from volwatch.warehouse.frames import bars_frame, signals_frame, volatility_frame
from volwatch.warehouse.staging import PRICES, SIGNALS, VOLATILITY, Copy

START_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z
_KEYS = ("source", "symbol", "bar_seconds", "bar_start", "estimator")

Key = tuple[str | None, ...]


def prints(count: int) -> list[Trade]:
    """Return prints of two symbols, one every 7 seconds, of which some are late."""
    made = []
    for number in range(count):
        at = START_MS + 7_000 * number
        late_ms = 50_000 if number % 11 == 0 else 0
        price = 100.0 + number % 5 / 10
        made.append(Trade("feed", f"S{number % 2}", at - late_ms, price, 1.0, (), None, at, number))
    return made


def keys(copy: Copy) -> list[Key]:
    rows = csv.DictReader(io.StringIO(bytes(copy.text).decode()), copy.columns)
    return [(copy.table, *(row.get(name) for name in _KEYS)) for row in rows]


@pytest.mark.parametrize("size", [1, 9, 40, 400])
def test_rows_said_to_be_new_were_never_made_before_and_the_others_were(size: int) -> None:
    engine, trades = Engine(EngineConfig()), prints(400)
    made: set[Key] = set()
    for first in range(0, len(trades), size):
        result = engine.process(from_records(trades[first : first + size], first))
        of_this: set[Key] = set()
        for copy in copies(result, 0, first, 3.8):
            if copy.is_new:
                assert not made & set(keys(copy))
            of_this.update(keys(copy))
        made |= of_this
    assert {name for name, *_ in made} == {PRICES, VOLATILITY, SIGNALS}


def test_a_bar_that_goes_on_is_not_new() -> None:
    engine, trades = Engine(EngineConfig()), prints(60)
    engine.process(from_records(trades[:30]))
    told = copies(engine.process(from_records(trades[30:], 30)), 0, 30, 3.8)
    assert {(copy.table, copy.is_new) for copy in told} == {
        (table, is_new) for table in (PRICES, VOLATILITY, SIGNALS) for is_new in (True, False)
    }


def rows_of(result: Result) -> dict[str, int]:
    return {
        PRICES: sum(len(bars_frame(result, part, 0)) for part in result.bars),
        VOLATILITY: sum(len(volatility_frame(result, part)) for part in result.volatility),
        SIGNALS: len(signals_frame(result, result.signals, 3.8)),
    }


@pytest.mark.parametrize("start", [0, 31, 1_000])
def test_no_row_is_left_out_and_none_comes_twice(start: int) -> None:
    result = Engine(EngineConfig()).process(from_records(prints(60)))
    told = copies(result, 0, start, 3.8)
    found = [key for copy in told for key in keys(copy)]
    assert len(found) == len(set(found))
    assert {table: sum(copy.rows for copy in told if copy.table == table) for table in rows_of(result)} == rows_of(
        result
    )


def test_a_result_without_bars_is_no_rows() -> None:
    assert copies(Engine(EngineConfig()).process(from_records([])), 0, 0, 3.8) == []
