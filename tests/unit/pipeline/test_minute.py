"""The minute path on servers in memory: everything once, in any number of runs."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from structlog.testing import capture_logs

from volwatch.analytics.standing import STANDINGS, Standings
from volwatch.analytics.state import restore
from volwatch.analytics.trades import Series
from volwatch.errors import Transient
from volwatch.operations.trace import mark
from volwatch.pipeline import minute, quarantine
from volwatch.pipeline.minute import Report
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.settings import PipelineSettings
from volwatch.trade import Trade, encode
from volwatch.warehouse.alert_writer import Told
from volwatch.warehouse.staging import Copy
from volwatch.warehouse.writer import LoadedObject, Position, QuarantinedTrade, Run

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
START_MS = int(HOUR.timestamp() * 1000)
SETTINGS = PipelineSettings()


def trade(offset: int, price: float = 100.0) -> Trade:
    """Return the trade of an offset: one a second."""
    at = START_MS + offset * 1_000
    return Trade("simulator", f"S{offset % 2}", at, price + offset % 7, 10.0, (), None, at, offset)


@dataclass
class MemoryRawzone:
    """Objects in memory."""

    objects: dict[ObjectKey, bytes] = field(default_factory=dict)

    def store(self, first: int, last: int, partition: int = 0, bad: Sequence[int] = ()) -> ObjectKey:
        prices = [-1_000.0 if offset in bad else 100.0 for offset in range(first, last + 1)]
        return self.put([trade(first + row, price) for row, price in enumerate(prices)], first, partition)

    def put(self, trades: Sequence[Trade], first: int, partition: int = 0) -> ObjectKey:
        key = ObjectKey(HOUR, partition, first, first + len(trades) - 1)
        self.objects[key] = encode_object(partition, list(enumerate(trades, first)))
        return key

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        return (
            ObjectInfo(key, 1, "", HOUR) for key in sorted(self.objects) if start_after is None or key > start_after
        )

    def list_objects(self, hour: datetime, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        return (info for info in self.list_all(start_after) if info.key.hour == hour)

    def read(self, key: ObjectKey) -> bytes:
        return self.objects[key]


@dataclass
class MemoryWarehouse:
    """What ``warehouse.writer`` and ``warehouse.alert_writer`` do, in memory, with a transaction that may fail."""

    busy: bool = False
    state: dict[int, bytes] = field(default_factory=dict)
    loaded: dict[int, Position] = field(default_factory=dict)
    ledger: list[LoadedObject] = field(default_factory=list)
    quarantine: list[QuarantinedTrade] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    rows: dict[tuple[object, ...], bool] = field(default_factory=dict)
    traded: dict[tuple[object, ...], int] = field(default_factory=dict)
    standing: dict[Series, str] = field(default_factory=dict)

    def try_lock(self, cursor: object) -> bool:
        return not self.busy

    def positions(self, cursor: object) -> dict[int, Position]:
        return dict(self.loaded)

    def watchlist(self, cursor: object) -> dict[str, str]:
        return {}

    def engine_state(self, cursor: object, partition: int, version: str) -> bytes | None:
        return self.state.get(partition)

    def write_engine_state(self, cursor: object, partition: int, state: bytes, **facts: object) -> None:
        self.state[partition] = state

    def write_position(self, cursor: object, partition: int, position: Position) -> None:
        self.loaded[partition] = position

    def write_objects(self, cursor: object, objects: Sequence[LoadedObject]) -> None:
        self.ledger += objects

    def objects_with(self, cursor: object, partition: int, first_offset: int, last_offset: int) -> list[str]:
        return [
            one.object_key
            for one in self.ledger
            if one.partition == partition and one.first_offset <= last_offset and one.last_offset >= first_offset
        ]

    def write_quarantine(self, cursor: object, trades: Sequence[QuarantinedTrade]) -> None:
        self.quarantine += trades

    def keep_states(self, cursor: object) -> int:
        return 0

    def write_run(self, cursor: object, started_at: datetime, run: Run) -> None:
        self.runs.append(run)

    def write_rows(self, cursor: object, copy: Copy) -> int:
        """Count the rows that are new or no longer provisional; keep the trades of final one-minute bars.

        As the server does with a key that is there already, refuse what is said to be new and is not.
        """
        changed = 0
        for row in csv.DictReader(io.StringIO(bytes(copy.text).decode()), copy.columns):
            final = row["final"] == "true"
            if copy.table == "stock_prices" and final and row["bar_seconds"] == "60":
                self.traded[row["symbol"], row["bar_start"]] = int(row["trades"])
            key = (copy.table, *(row.get(name) for name in ("symbol", "bar_seconds", "bar_start", "estimator")))
            assert not (copy.is_new and key in self.rows), f"{key} is there already"
            changed += not self.rows.get(key, False)
            self.rows[key] = self.rows.get(key, False) or final
        return changed

    def write_standings(self, cursor: object, series: Sequence[Series], standings: Standings) -> None:
        for row, code in zip(standings.series.tolist(), standings.standing.tolist(), strict=True):
            self.standing[series[row]] = STANDINGS[code]

    def write_transitions(self, cursor: object, told: Sequence[Told], path: str, **facts: object) -> int:
        return sum(step.state == "OPEN" for each in told for step in each.steps)

    def changed_since(self, cursor: object, partitions: Sequence[int]) -> datetime:
        return HOUR


class FakeConnection:
    """A connection whose transactions and cursors do nothing."""

    def cursor(self) -> "FakeConnection":
        return self

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_: object) -> None: ...


@dataclass
class World:
    """A raw zone, a warehouse, and a clock that goes on by ``step_seconds`` at each look."""

    rawzone: MemoryRawzone
    warehouse: MemoryWarehouse
    step_seconds: float = 0.0
    now: datetime = HOUR

    def run(self, settings: PipelineSettings = SETTINGS) -> Report:
        connection, rawzone = cast("Connection", FakeConnection()), cast("Rawzone", self.rawzone)
        return minute.run(connection, rawzone, settings, self._clock)

    def _clock(self) -> datetime:
        self.now += timedelta(seconds=self.step_seconds)
        return self.now


MakeWorld = Callable[[], World]


@pytest.fixture
def make_world(monkeypatch: pytest.MonkeyPatch) -> MakeWorld:
    def make() -> World:
        warehouse = MemoryWarehouse()
        monkeypatch.setattr(minute, "writer", warehouse)
        monkeypatch.setattr(quarantine, "writer", warehouse)
        monkeypatch.setattr(minute, "write_transitions", warehouse.write_transitions)
        monkeypatch.setattr(minute, "changed_since", warehouse.changed_since)
        monkeypatch.setattr(minute, "write_standings", warehouse.write_standings)
        monkeypatch.setattr(minute, "keep_states", warehouse.keep_states)
        return World(MemoryRawzone(), warehouse)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def test_a_run_loads_what_there_is_and_a_second_one_finds_nothing(world: World) -> None:
    key = world.rawzone.store(0, 99)
    report = world.run()
    assert (report.objects, report.rows_loaded, report.rows_rejected, report.left) == (1, 100, 0, 0)
    assert report.newest_event_ms == START_MS + 99_000
    assert world.warehouse.ledger == [LoadedObject(str(key), 0, 0, 99, 100, 100, 0, None)]
    assert world.warehouse.loaded == {0: Position(100, HOUR, 0)}
    assert world.run() == Report()


def test_a_mark_is_loaded_and_makes_nothing_fresh(world: World) -> None:
    for offset in range(3):
        key = ObjectKey(HOUR, 0, offset, offset)
        world.rawzone.objects[key] = encode_object(0, [(offset, mark(START_MS + 60_000 * offset))])
        report = world.run()
        assert (report.rows_loaded, report.rows_rejected, report.bars, report.newest_event_ms) == (1, 0, 0, 0)
    assert world.warehouse.loaded == {0: Position(3, HOUR, 0)}
    assert (world.warehouse.rows, world.warehouse.quarantine) == ({}, [])


def test_overlapping_objects_give_every_row_once(world: World) -> None:
    for first, last in ((0, 59), (40, 79), (20, 30), (80, 99)):
        world.rawzone.store(first, last)
    assert world.run().rows_loaded == 100
    assert [(one.first_offset, one.rows_read, one.rows_loaded) for one in world.warehouse.ledger] == [
        (0, 60, 60),
        (20, 11, 0),
        (40, 40, 20),
        (80, 20, 20),
    ]


def test_an_object_that_overlaps_what_an_earlier_run_loaded_gives_its_new_rows(world: World) -> None:
    world.rawzone.store(0, 59)
    world.run()
    world.rawzone.store(30, 99)
    assert world.run().rows_loaded == 40
    assert world.warehouse.loaded[0].next_offset == 100


def test_thirty_runs_leave_what_one_run_leaves(make_world: MakeWorld) -> None:
    stepwise = make_world()
    for first in range(0, 300, 10):
        stepwise.rawzone.store(first, first + 9)
        stepwise.run()
    at_once = make_world()
    at_once.rawzone.objects = dict(stepwise.rawzone.objects)
    at_once.run()
    assert at_once.warehouse.state == stepwise.warehouse.state
    assert at_once.warehouse.loaded == stepwise.warehouse.loaded
    assert at_once.warehouse.ledger == stepwise.warehouse.ledger
    assert {key for key, final in at_once.warehouse.rows.items() if final} == {
        key for key, final in stepwise.warehouse.rows.items() if final
    }


def test_rejected_trades_are_set_aside_with_their_own_offsets_and_records(world: World) -> None:
    world.rawzone.store(0, 9, bad=[3])
    world.rawzone.store(5, 19, bad=[7, 12, 19])
    report = world.run()
    assert report.rows_rejected == 3
    assert world.warehouse.quarantine == [
        QuarantinedTrade(
            0, offset, "simulator", f"S{offset % 2}", "BAD_PRICE", encode(trade(offset, -1_000.0)).decode()
        )
        for offset in (3, 12, 19)
    ]
    assert [one.rows_rejected for one in world.warehouse.ledger] == [1, 2]


def test_an_object_that_cannot_be_read_is_noted_and_passed(world: World) -> None:
    world.rawzone.store(0, 9)
    bad = world.rawzone.store(10, 19)
    world.rawzone.store(20, 29)
    world.rawzone.objects[bad] = b"no gzip"
    with capture_logs() as logs:
        assert world.run().rows_loaded == 20
    assert [one.fault for one in world.warehouse.ledger] == [None, "BAD_GZIP", None]
    assert world.warehouse.loaded[0].next_offset == 30
    assert [line["object"] for line in logs if line["event"] == "object_unreadable"] == [str(bad)]


def test_a_run_beside_another_leaves_at_once(world: World) -> None:
    world.rawzone.store(0, 9)
    world.warehouse.busy = True
    assert world.run() == Report(busy=True)
    assert world.warehouse == MemoryWarehouse(busy=True)


def test_a_run_makes_as_many_transactions_as_it_takes(world: World) -> None:
    for first in range(0, 50, 10):
        world.rawzone.store(first, first + 9)
    report = world.run(SETTINGS.model_copy(update={"rows_per_transaction": 20}))
    assert (report.objects, report.rows_loaded, report.left) == (5, 50, 0)
    assert [run.rows_loaded for run in world.warehouse.runs] == [20, 20, 10]


def test_a_run_stops_when_its_time_is_over_and_says_what_is_left(world: World) -> None:
    for first in range(0, 50, 10):
        world.rawzone.store(first, first + 9)
    world.step_seconds = SETTINGS.time_budget_seconds + 1
    report = world.run(SETTINGS.model_copy(update={"rows_per_transaction": 10}))
    assert (report.objects, report.left) == (1, 4)


def test_each_partition_has_an_engine_of_its_own(world: World) -> None:
    world.rawzone.store(0, 9)
    world.rawzone.store(0, 4, partition=3)
    assert world.run().rows_loaded == 15
    assert sorted(world.warehouse.state) == [0, 3]
    assert {partition: one.next_offset for partition, one in world.warehouse.loaded.items()} == {0: 10, 3: 5}


def test_a_gap_is_told_and_kept_in_the_position(world: World) -> None:
    world.rawzone.store(0, 9)
    world.rawzone.store(15, 19)
    with capture_logs() as logs:
        world.run()
    assert [(line["partition"], line["offsets"]) for line in logs if line["event"] == "raw_offsets_missing"] == [(0, 5)]
    world.rawzone.store(22, 29)
    world.run()
    assert world.warehouse.loaded == {0: Position(30, HOUR, 7)}


def test_a_store_that_is_away_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(key: ObjectKey) -> bytes:
        raise Transient("raw zone: away")

    world.rawzone.store(0, 9)
    monkeypatch.setattr(world.rawzone, "read", away)
    with pytest.raises(Transient, match="away"):
        world.run()
    assert world.warehouse.runs == []


def test_reports_add_up() -> None:
    one = Report(objects=1, rows_loaded=2, rows_rejected=3, bars=4, volatility=5, alerts=6, left=7, newest_event_ms=8)
    assert one.plus(replace(one, left=1, newest_event_ms=5)) == Report(False, 2, 4, 6, 8, 10, 12, 1, 8)


def test_the_row_of_a_run_knows_its_newest_event_or_none() -> None:
    assert Report(newest_event_ms=START_MS).as_row() == Run(0, 0, 0, 0, 0, 0, HOUR)
    assert Report(objects=1, bars=2).as_row() == Run(1, 0, 0, 2, 0, 0, None)


def held_print(offset: int, price: float = 102.0) -> Trade:
    """Return a print that is two percent off, with an id and a counter of its own."""
    at = START_MS + offset * 1_000
    return Trade("simulator", "S0", at, price, 3.0, ("12", "ü"), f"id-{offset}", at + 7, 9_000 + offset)


def calm(first: int, last: int) -> list[Trade]:
    """Return prints of one symbol at one price."""
    return [calm_print(offset) for offset in range(first, last + 1)]


def calm_print(offset: int) -> Trade:
    return Trade("simulator", "S0", START_MS + offset * 1_000, 100.0, 1.0, (), None, START_MS + offset * 1_000, offset)


def test_a_print_held_since_an_earlier_run_is_set_aside_with_its_whole_record(world: World) -> None:
    world.rawzone.put([*calm(0, 19), held_print(20)], 0)
    assert world.run().rows_rejected == 0
    world.rawzone.put(calm(21, 21), 21)
    assert world.run().rows_rejected == 1
    assert world.warehouse.quarantine == [
        QuarantinedTrade(0, 20, "simulator", "S0", "OUTLIER", encode(held_print(20)).decode())
    ]
    assert [(one.rows_loaded, one.rows_rejected) for one in world.warehouse.ledger] == [(21, 0), (1, 1)]


def test_a_print_that_is_dropped_in_its_own_run_is_counted_with_its_object(world: World) -> None:
    world.rawzone.put(calm(0, 9), 0)
    world.rawzone.put([*calm(10, 19), held_print(20)], 10)
    world.rawzone.put(calm(21, 21), 21)
    world.run()
    assert [one.rows_rejected for one in world.warehouse.ledger] == [0, 1, 0]
    assert [one.record for one in world.warehouse.quarantine] == [encode(held_print(20)).decode()]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_held_print_whose_object_is_gone_is_set_aside_as_far_as_it_is_known(world: World, damaged: bool) -> None:
    key = world.rawzone.put([*calm(0, 19), held_print(20)], 0)
    world.run()
    if damaged:
        world.rawzone.objects[key] = b"no gzip"
    else:
        del world.rawzone.objects[key]
    world.rawzone.put(calm(21, 21), 21)
    with capture_logs() as logs:
        world.run()
    known = Trade("simulator", "S0", START_MS + 20_000, 102.0, 3.0, ("12", "ü"), None, START_MS + 20_007, 0)
    assert [one.record for one in world.warehouse.quarantine] == [encode(known).decode()]
    told = [line["event"] for line in logs if line["log_level"] != "info"]
    assert told == ["object_unreadable" if damaged else "held_object_gone", "held_record_incomplete"]


def test_what_was_loaded_is_in_bars_in_quarantine_or_held(world: World) -> None:
    """Of 302 rows: a bad price, two bad prints of which one is still held, and the rest in bars final or not."""
    trades = [*calm(0, 149), held_print(150), *calm(151, 300), held_print(301)]
    trades[40] = trade(40, price=-1_000.0)
    for first in range(0, 302, 50):
        world.rawzone.put(trades[first : first + 50], first)
        world.run()
        state = restore(world.warehouse.state[0])
        in_bars = sum(world.warehouse.traded.values()) + int(state.minute_bars.trades.sum())
        held = len(state.prints.held) - int(state.prints.dropped.sum())
        rejected = sum(one.rows_rejected for one in world.warehouse.ledger)
        assert sum(one.rows_loaded for one in world.warehouse.ledger) == in_bars + rejected + held
        assert rejected == len(world.warehouse.quarantine) == sum(run.rows_rejected for run in world.warehouse.runs)
    assert (rejected, held, in_bars) == (2, 1, 299)


def test_unknown_conditions_and_minutes_of_volume_alone_are_told(world: World) -> None:
    settings = SETTINGS.model_copy(update={"condition_tables": "simulator=sip"})
    odd = msgspec.structs.replace(calm_print(0), conditions=("W", "?"))
    world.rawzone.put([odd, *calm(300, 300)], 0)
    with capture_logs() as logs:
        world.run(settings)
    told = {line["event"]: line for line in logs}
    assert told["conditions_unknown"]["trades"] == {"?": 1}
    assert (told["volume_without_price"]["minutes"], told["volume_without_price"]["volume"]) == (1, 1.0)


def test_every_series_has_its_standing(world: World) -> None:
    world.rawzone.store(0, 299)
    world.run()
    assert world.warehouse.standing == {("simulator", "S0"): "WARM_UP", ("simulator", "S1"): "WARM_UP"}
