"""The engine taken through spans again gives, between them and at the end, what one pass gives."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import restore, save
from volwatch.pipeline.rebuild_engine import Recomputed, recompute, scopes
from volwatch.pipeline.rebuild_plan import Span
from volwatch.producer.simulator import Simulator
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import Rawzone
from volwatch.trade import Trade
from volwatch.warehouse.rebuild_rows import Scope
from volwatch.warehouse.staging import copy_of

START_MS = 1_767_625_200_000  # 2026-01-05T15:00:00Z
MINUTE_MS = 60_000
ROWS = 250


def market() -> list[Trade]:
    """Return 100 minutes of two symbols with a burst, a bad price now and then, and a print far off."""
    simulator = Simulator("gbm", 1, 2, 0.5, START_MS)
    trades: list[Trade] = []
    for until_ms in (START_MS + 80 * MINUTE_MS, START_MS + 100 * MINUTE_MS):
        more = True
        while more:
            batch = simulator.read(until_ms)
            trades += batch.trades
            more = batch.more
        simulator.spike(until_ms, simulator.names[0])
    return [
        msgspec.structs.replace(
            trade, price=-1.0 if number % 131 == 130 else trade.price * (1 + (number % 61 == 60) / 9)
        )
        for number, trade in enumerate(trades)
    ]


MARKET = market()
KEYS = [
    ObjectKey(hour_of(START_MS), 0, first, min(first + ROWS, len(MARKET)) - 1) for first in range(0, len(MARKET), ROWS)
]


class MemoryRawzone:
    """The market in objects, all of which can be read but some."""

    def __init__(self, *broken: ObjectKey) -> None:
        self._broken = broken

    def read(self, key: ObjectKey) -> bytes:
        if key in self._broken:
            return b"no gzip"
        rows = range(key.first_offset, key.last_offset + 1)
        return encode_object(0, [(offset, MARKET[offset]) for offset in rows])


def through(engine: Engine, first: int, end: int, rows_at_once: int = 10_000, *broken: ObjectKey) -> Recomputed:
    span, zone = Span(0, first, end), cast("Rawzone", MemoryRawzone(*broken))
    keys = [key for key in KEYS if span.overlaps(key)]
    no_cursor = cast("Cursor", HeldSince())
    return recompute(no_cursor, zone, engine, span, keys, rows_at_once, rows_wanted=True)


class HeldSince:
    """A ledger that knows no object: of a print held since before only what the engine remembers is told."""

    def execute(self, _statement: str, _parameters: object) -> None: ...

    def fetchall(self) -> list[tuple[str]]:
        return []


def rows(parts: Sequence[Recomputed], table: str) -> list[str]:
    held = copy_of(table, [part for one in parts for part in one.rows[table]], is_new=False)
    return sorted(held.text.to_pybytes().decode().splitlines())


@pytest.fixture(scope="module")
def whole() -> tuple[Recomputed, bytes]:
    engine = Engine(EngineConfig())
    made = through(engine, 0, len(MARKET))
    assert [step.state for step in made.steps][:1] == ["OPEN"]
    assert {trade.reason for trade in made.rejected.values()} == {"BAD_PRICE", "OUTLIER"}
    return made, save(engine.state)


@settings(max_examples=12, deadline=None)
@given(st.sets(st.integers(1, len(MARKET) - 1), max_size=3), st.sampled_from([500, 100_000]))
def test_spans_one_behind_another_from_saved_states_give_what_one_span_gives(
    whole: tuple[Recomputed, bytes], cuts: set[int], rows_at_once: int
) -> None:
    parts, state = [], save(Engine(EngineConfig()).state)
    for first, end in pairwise([0, *sorted(cuts), len(MARKET)]):
        engine = Engine(EngineConfig(), restore(state))
        parts.append(through(engine, first, end, rows_at_once))
        state = save(engine.state)
    made, final = whole
    assert state == final
    assert [step for part in parts for step in part.steps] == made.steps
    for table in made.rows:
        assert rows(parts, table) == rows([made], table)
    judged = np.concatenate([part.offset for part in parts])
    assert sorted(judged.tolist()) == made.offset.tolist()
    rejected = {offset: trade.reason for part in parts for offset, trade in part.rejected.items()}
    assert rejected == {offset: trade.reason for offset, trade in made.rejected.items()}


def test_an_object_that_cannot_be_read_is_told_and_the_rest_goes_on() -> None:
    made = through(Engine(EngineConfig()), 0, 3 * ROWS, 10_000, KEYS[1])
    assert [(one.object_key, len(one.offset), one.fault) for one in made.found] == [
        (str(KEYS[0]), ROWS, None),
        (str(KEYS[1]), 0, "BAD_GZIP"),
        (str(KEYS[2]), ROWS, None),
    ]
    assert made.count == 2 * ROWS
    assert not np.isin(made.offset, np.arange(ROWS, 2 * ROWS)).any()


def test_a_span_takes_only_its_own_offsets_of_an_object() -> None:
    made = through(Engine(EngineConfig()), 10, 20)
    assert (made.count, made.offset.tolist()) == (10, list(range(10, 20)))


def utc(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1_000)


def told(scope: Scope) -> tuple[int, str, datetime, datetime, Sequence[str]]:
    return scope.partition, scope.source, scope.after, scope.until, scope.symbols


def test_the_bars_of_a_span_are_those_that_its_watermarks_passed() -> None:
    engine = Engine(EngineConfig())
    first = through(engine, 0, 900)
    between = dict(engine.state.watermarks)
    second = through(engine, 900, len(MARKET))
    wait = timedelta(minutes=3)
    reached = utc(MARKET[-1].received_at) - wait
    middle = utc(between["simulator"]) - wait
    assert [told(scope) for scope in second.scopes] == [(0, "simulator", middle, reached, ["SIM01", "SIM02"])]
    for part, (scope,) in ((first, first.scopes), (second, second.scopes)):
        rows = [rows for rows in part.rows["stock_prices"] if rows["bar_seconds"] == 60]
        starts = np.concatenate([held["bar_start"] for held in rows]).astype("datetime64[ms]").astype(np.int64)
        assert len(starts)
        assert ((starts > ms(scope.after)) & (starts <= ms(scope.until))).all()
    assert scopes(0, dict(engine.state.watermarks), engine) == []


def test_a_day_is_of_the_span_whose_watermark_passes_its_close() -> None:
    engine = Engine(EngineConfig())
    through(engine, 0, 10)
    engine.state.watermarks["simulator"] = START_MS + 10 * 3_600_000
    [scope] = scopes(0, {"simulator": START_MS}, engine)
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (4, 5, 6)]
    assert [scope.day_closed("SIM01", day) for day in days] == [False, True, False]
