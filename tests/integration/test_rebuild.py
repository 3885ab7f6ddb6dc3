"""The rebuild on real servers: what is right stays untouched, what is wrong comes right."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.integration.test_pipeline import MARKET_ALERTS, crowded
from tests.integration.worlds import MINUTE_MS, START_MS, MakeWorld, World, end_mark, own_world, print_of, simulated
from volwatch.configuration import engine_config
from volwatch.errors import BadInput, Misconfigured
from volwatch.local.stack import Stack
from volwatch.pipeline import rebuild
from volwatch.pipeline.rebuild import Piece
from volwatch.pipeline.rebuild_hour import Tools
from volwatch.pipeline.rebuild_report import Report
from volwatch.settings import PipelineSettings
from volwatch.trade import Trade
from volwatch.warehouse import rebuild_states
from volwatch.warehouse.connection import connect

pytestmark = pytest.mark.integration

FIRST = datetime(2026, 1, 5, 15, tzinfo=UTC)
SECOND = datetime(2026, 1, 5, 16, tzinfo=UTC)
ROWS = 150
LIVE_TABLES = (
    "stock_prices", "stock_volatility", "stock_signals", "stock_alerts", "alert_events", "raw_objects",
    "load_positions", "engine_state", "quarantine", "series_standing", "pipeline_runs", "superseded_rows",
)  # fmt: skip
REVISIONS = ("revision", "input_revision", "why,bar,revision")


def market() -> dict[int, list[Trade]]:
    """Return by partition two hours of a market with spikes, and trades that are late, rejected or nearly too late."""
    partitions: dict[int, list[Trade]] = {0: [], 1: []}
    for number, trade in enumerate(simulated(minutes=130, symbols=4, rate=0.8, spike_minute=85)):
        rows = partitions[trade.symbol in ("SIM03", "SIM04")]
        rows.append(trade)
        if number % 97 == 0:
            rows.append(print_of(trade, price=-1.0))
        if number % 89 == 0:
            rows.append(print_of(trade, price=trade.price * 1.05))
        if number % 61 == 0:
            rows.append(print_of(trade, event_time=trade.received_at - number % 7 * 30_000))
    return partitions


@pytest.fixture(scope="module")
def trades() -> Mapping[int, Sequence[Trade]]:
    return market()


def load(world: World, trades: Mapping[int, Sequence[Trade]], but: Sequence[tuple[int, int]] = ()) -> None:
    """Store the trades in objects, some of which are no gzip, and run the minute path twice an hour or so."""
    pieces = sorted(
        ((partition, first) for partition, rows in trades.items() for first in range(0, len(rows), ROWS)),
        key=lambda piece: trades[piece[0]][piece[1]].received_at,
    )
    for place, (partition, first) in enumerate(pieces):
        key = world.put(partition, first, trades[partition][first : first + ROWS])
        if (partition, first) in but:
            world.rawzone.put(key, b"\x1f\x8b\x08 no gzip")
        if place % 8 == 7:
            world.run()
            keep_states(world)
    world.run()


def keep_states(world: World) -> None:
    with (
        closing(connect(world.warehouse, application_name="test")) as connection,
        connection,
        connection.cursor() as cur,
    ):
        rebuild_states.keep_states(cur)


def repair(world: World, trades: Mapping[int, Sequence[Trade]], partition: int, first: int) -> None:
    world.put(partition, first, trades[partition][first : first + ROWS])


@contextmanager
def tools(world: World, **options: bool) -> Iterator[Tools]:
    settings = PipelineSettings()
    with closing(connect(world.warehouse, application_name="test")) as connection:
        config = engine_config(settings, {})
        yield Tools(connection, world.rawzone, settings, config, lambda: datetime.now(UTC), time.sleep, **options)


def rebuilt(world: World, first: datetime = FIRST, end: datetime | None = None, **options: bool) -> Report:
    with tools(world, **options) as given:
        return rebuild.run(given, first, end, lambda _done, _total: None)


def tables(world: World) -> dict[str, list[str]]:
    return {table: world.rows(table) for table in LIVE_TABLES}


def outcome(world: World) -> dict[str, list[str]]:
    """Return all that must be the same after a repair; revisions count it, and the ledger knows when it was."""
    clocks = ("updated_at", "recorded_at", "happened_at", "quarantined_at", "event_id", "quarantine_id", "lifted_at")
    told = {
        table: world.rows(table, *clocks, *REVISIONS)
        for table in ("stock_prices", "stock_volatility", "stock_signals", "engine_state", "series_standing")
    }
    own = ("recorded_at", "detected_at", "why,raw_objects", "reached", *REVISIONS)
    told["stock_alerts"] = world.rows("stock_alerts", *own, where="state <> 'RETRACTED' AND confirmed")
    told["alert_events"] = world.rows(
        "alert_events",
        *clocks,
        "actor",
        where="""event IN ('CONFIRMED', 'CLOSED') AND bar_start IS NOT NULL AND alert_id IN (
            SELECT alert_id FROM stock_alerts WHERE state <> 'RETRACTED')""",
    )
    told["quarantine"] = world.rows("quarantine", *clocks, where="lifted_at IS NULL")
    told["raw_objects"] = world.rows("raw_objects", "loaded_at", "rows_rejected")
    told["rejected"] = [str(world.select("SELECT sum(rows_rejected) FROM raw_objects"))]
    return told


def test_a_range_that_is_right_is_not_touched(make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]) -> None:
    world = make_world()
    load(world, trades)
    assert world.select("SELECT count(*) FROM stock_prices WHERE NOT final") != [(0,)]
    assert world.select("SELECT count(*) FROM stock_alerts WHERE confirmed") != [(0,)]
    before = tables(world)
    for first, end, hours in ((FIRST, None, 3), (SECOND, None, 2), (FIRST, SECOND, 1)):
        report = rebuilt(world, first, end)
        assert (report.changes, report.hours) == ({}, hours)
    assert tables(world) == before


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, trades: Mapping[int, Sequence[Trade]]) -> Iterator[dict[str, list[str]]]:
    """What comes of objects that can all be read."""
    with own_world(stack) as world:
        load(world, trades)
        yield outcome(world)


# One object of the calm, and the one with the spike.
BROKEN = ((1, 600), (0, 3_600))


@pytest.fixture
def repaired(make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]) -> World:
    """A world in which two objects could not be read when they were loaded, and now can."""
    world = make_world()
    load(world, trades, but=BROKEN)
    for partition, first in BROKEN:
        repair(world, trades, partition, first)
    return world


def test_a_repaired_object_gives_the_rows_that_it_would_have_given(
    repaired: World, undisturbed: dict[str, list[str]]
) -> None:
    assert outcome(repaired) != undisturbed
    report = rebuilt(repaired)
    assert outcome(repaired) == undisturbed
    assert report.objects_mended == 2
    assert report.bars_added > 0
    assert report.states_replaced == 2
    replaced = repaired.select("SELECT count(*)::int FROM superseded_rows WHERE relation = 'stock_prices'")
    assert replaced == [(report.bars_revised + report.bars_withdrawn,)]
    numbers = repaired.select(
        "SELECT max(revision) > 0 FROM stock_prices WHERE updated_at = (SELECT max(updated_at) FROM stock_prices)"
    )
    assert numbers == [(True,)]


def test_a_second_rebuild_of_the_range_changes_nothing(repaired: World) -> None:
    rebuilt(repaired)
    before = tables(repaired)
    assert rebuilt(repaired).changes == {}
    assert tables(repaired) == before


def test_a_dry_run_tells_what_would_change_and_changes_nothing(repaired: World) -> None:
    before = tables(repaired)
    would = rebuilt(repaired, dry_run=True)
    assert would.bars_added > 0
    assert tables(repaired) == before
    assert rebuilt(repaired) == would


def test_the_minute_path_goes_on_as_if_nothing_had_been(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]
) -> None:
    """A rebuild half-way through the record, then the rest by minute runs, is the whole record by minute runs."""
    half = {partition: rows[: len(rows) // ROWS // 2 * ROWS] for partition, rows in trades.items()}
    mended, plain = make_world(), make_world()
    load(mended, half, but=[(1, 600)])
    repair(mended, trades, 1, 600)
    rebuilt(mended)
    load(plain, half)
    for world in (mended, plain):
        for partition, rows in trades.items():
            for first in range(len(half[partition]), len(rows), ROWS):
                world.put(partition, first, rows[first : first + ROWS])
            world.put(partition, len(rows), [end_mark(rows[-1])])
        world.run()
    assert outcome(mended) == outcome(plain)


@pytest.mark.parametrize("damage", ["engine_version = '0'", "checksum = 'damaged'"])
def test_a_state_that_cannot_be_used_is_made_anew(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: dict[str, list[str]], damage: str
) -> None:
    world = make_world()
    load(world, trades)
    by_hand(world, f"UPDATE engine_state SET {damage}")
    by_hand(world, f"UPDATE engine_snapshots SET {damage}")
    world.put(0, len(trades[0]), [end_mark(trades[0][-1])])
    with pytest.raises(Misconfigured):
        world.run()
    assert rebuilt(world, SECOND).states_replaced == 2
    assert outcome(world) == undisturbed
    assert world.run().rows_loaded == 1


def by_hand(world: World, statement: str) -> None:
    """Change what no run would."""
    with (
        closing(connect(world.warehouse, application_name="test")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_what_was_changed_by_hand_comes_right(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: dict[str, list[str]]
) -> None:
    """A wrong close, a bar and a measure that are not there, a bar and an alert that never were, one taken back."""
    world = make_world()
    load(world, trades)
    at = datetime.fromtimestamp(START_MS / 1000 + 40 * 60, UTC)
    by_hand(world, f"UPDATE stock_prices SET close = low WHERE symbol = 'SIM02' AND bar_start = '{at}'")
    for table in ("stock_prices", "stock_volatility", "stock_signals"):
        version = {"stock_prices": "", "stock_volatility": "2", "stock_signals": "1"}[table]
        by_hand(world, f"SELECT withdraw_row('{table}', 'simulator', 'SIM03', 60, '{at}', '{version}')")
    copied = "source, symbol, kind, detector, detector_version, severity, confirmed, statistic, threshold, sentence"
    by_hand(
        world,
        f"""INSERT INTO stock_alerts (alert_id, onset_bar, state, {copied}, why, config_hash, detected_at)
            SELECT gen_random_uuid(), onset_bar - interval '20 minutes', 'CLOSED', {copied}, why, 'x', detected_at
            FROM stock_alerts WHERE confirmed LIMIT 1""",
    )
    by_hand(world, "UPDATE stock_alerts SET state = 'RETRACTED' WHERE confirmed AND config_hash <> 'x'")
    by_hand(
        world,
        f"""INSERT INTO stock_prices SELECT (held).* FROM (SELECT jsonb_populate_record(bar, jsonb_build_object(
                'symbol', 'NOBODY')) AS held FROM stock_prices AS bar
            WHERE symbol = 'SIM01' AND bar_start = '{at}' AND bar_seconds = 60) AS one""",
    )
    report = rebuilt(world)
    assert (report.bars_added, report.bars_revised, report.bars_withdrawn) == (1, 1, 1)
    assert (report.alerts_retracted, report.alerts_opened) == (1, 1)
    assert outcome(world) == undisturbed
    told = world.select("SELECT event, detail FROM alert_events WHERE actor = 'rebuild' ORDER BY event_id")
    assert [event for event, _ in told] == ["RETRACTED", "OPEN"]
    gone = world.select("SELECT held->>'symbol' FROM superseded_rows WHERE withdrawn AND held->>'symbol' = 'NOBODY'")
    assert gone == [("NOBODY",)]


def test_a_raw_zone_that_has_lost_what_was_loaded_is_not_believed(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]
) -> None:
    world = make_world()
    load(world, trades)
    before = tables(world)
    lost = next(
        info.key for info in world.rawzone.list_all() if (info.key.partition, info.key.first_offset) == (1, 600)
    )
    world.rawzone.put(lost, b"no gzip")
    with pytest.raises(BadInput, match=f"has lost what was loaded once: {lost}"):
        rebuilt(world)
    assert tables(world) == before
    assert rebuilt(world, allow_loss=True).bars_revised > 0


def test_an_object_that_came_too_late_for_the_loader_is_taken_in(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: dict[str, list[str]]
) -> None:
    world = make_world()
    missing = {1: [*trades[1][:600], *trades[1][750:]]}
    world.put(1, 0, missing[1][:600])
    world.run()
    for first in range(750, len(trades[1]), ROWS):
        world.put(1, first, trades[1][first : first + ROWS])
    world.put_all(trades[0], 0, ROWS)
    world.run()
    world.put(1, 600, trades[1][600:750])
    assert world.run().rows_loaded == 0
    assert rebuilt(world).objects_mended == 1
    told = outcome(world)
    told.pop("raw_objects")
    assert told == {table: rows for table, rows in undisturbed.items() if table != "raw_objects"}


def test_killed_in_the_middle_and_started_again_it_comes_to_the_same_end(
    repaired: World, undisturbed: dict[str, list[str]]
) -> None:
    command = [sys.executable, "-m", "volwatch.cli", "rebuild", "--from", FIRST.isoformat()]
    environment = {**os.environ, **repaired.environment}
    for line_before in ("rebuild_starts", "rebuild_hour", "T16:00"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert any(line_before in line for line in process.stdout)
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    assert outcome(repaired) != undisturbed
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert "3 hours" in done.stdout
    assert outcome(repaired) == undisturbed


@pytest.mark.parametrize("seed", [1, 2])
def test_pieces_done_in_any_order_and_twice_are_the_whole(
    repaired: World, undisturbed: dict[str, list[str]], seed: int
) -> None:
    choice = random.Random(seed)
    with tools(repaired) as given:
        number, pieces = rebuild.plan(given, FIRST, None, 100)
        told = [Piece.from_told(one.as_told()) for one in pieces]
        assert len(told) == 3
        report = Report()
        for one in choice.sample([*told, *told], 6):
            report = report.plus(rebuild.piece(given, one))
        report = rebuild.finish_pieces(given, number, report)
    assert outcome(repaired) == undisturbed
    assert report.objects_mended == 2
    before = tables(repaired)
    with tools(repaired) as given:
        number, pieces = rebuild.plan(given, FIRST, None, 100)
        report = Report()
        for one in pieces:
            report = report.plus(rebuild.piece(given, one))
        assert rebuild.finish_pieces(given, number, report).changes == {}
    assert tables(repaired) == before


def test_what_the_minute_path_loads_meanwhile_is_rebuilt_too(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: dict[str, list[str]]
) -> None:
    world = make_world()
    half = {partition: rows[: len(rows) // ROWS // 2 * ROWS] for partition, rows in trades.items()}
    load(world, half, but=[(1, 600)])
    repair(world, trades, 1, 600)
    with tools(world) as given:
        number, pieces = rebuild.plan(given, FIRST, None, 100)
        report = rebuild.piece(given, pieces[0])
        for partition, rows in trades.items():
            for first in range(len(half[partition]), len(rows), ROWS):
                world.put(partition, first, rows[first : first + ROWS])
        world.run()
        for one in pieces[1:]:
            report = report.plus(rebuild.piece(given, one))
        rebuild.finish_pieces(given, number, report)
    assert outcome(world) == undisturbed


def test_a_minute_run_beside_a_rebuild_leaves_at_once(repaired: World) -> None:
    """And the rebuild waits for a run that is at work, however often it has to look."""
    held: list[bool] = []

    with closing(connect(repaired.warehouse, application_name="test")) as other:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (0x766F6C72,))

        def pause(_seconds: float) -> None:
            held.append(repaired.run().busy)
            other.rollback()

        with tools(repaired) as given:
            waiting = Tools(given.connection, given.rawzone, given.settings, given.config, given.clock, pause)
            assert rebuild.run(waiting, FIRST, None, lambda _done, _total: None).bars_added > 0
    assert held == [True]


def test_a_rebuild_with_an_end_leaves_what_comes_after(repaired: World) -> None:
    later = f"bar_start >= '{SECOND}'"
    before = repaired.rows("stock_prices", where=later)
    states = repaired.rows("engine_state")
    assert rebuilt(repaired, FIRST, SECOND).bars_revised > 0
    assert repaired.rows("stock_prices", where=later) == before
    assert repaired.rows("engine_state") == states
    assert rebuilt(repaired, FIRST, SECOND).changes == {}


def test_a_repair_before_the_range_is_told(repaired: World) -> None:
    with capture_logs() as logs:
        rebuilt(repaired, SECOND)
    told = {(line["object"].rpartition("/")[2][:26], line["begin_with"]) for line in logs if "repair" in line["event"]}
    assert told == {("00001-00000000000000000600", FIRST.isoformat())}


def test_many_symbols_at_once_are_found_to_be_one_alert_of_the_market(make_world: MakeWorld) -> None:
    """The objects with the burst could not be read; without them there is none."""
    partitions = crowded(minutes=110, spike_minute=85, spiked=4)
    plain, mended = make_world(), make_world()
    begin_ms, bursts = START_MS + 84 * MINUTE_MS, {}
    for partition, rows in partitions.items():
        bursts[partition] = next(place for place, trade in enumerate(rows) if trade.received_at > begin_ms)
        first, last = bursts[partition], len(rows) - 1_000
        for begin, end in ((0, first), (first, last), (last, len(rows))):
            key = mended.put(partition, begin, rows[begin:end])
            plain.put(partition, begin, rows[begin:end])
            if begin == first:
                mended.rawzone.put(key, b"no gzip")
    plain.run()
    mended.run()
    assert (len(plain.select(MARKET_ALERTS)), mended.select(MARKET_ALERTS)) == (1, [])
    for partition, rows in partitions.items():
        mended.put(partition, bursts[partition], rows[bursts[partition] : -1_000])
    report = rebuilt(mended)
    assert report.market_alerts == 1
    assert mended.select(MARKET_ALERTS) == plain.select(MARKET_ALERTS)
    linked = "SELECT symbol, market_alert_id IS NULL FROM stock_alerts WHERE state <> 'RETRACTED' ORDER BY 1, onset_bar"
    assert mended.select(linked) == plain.select(linked)
    before = tables(mended)
    assert rebuilt(mended).changes == {}
    assert tables(mended) == before


def test_what_the_night_has_measured_of_a_day_that_changes_goes(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]
) -> None:
    """And the day's own measures are those of a day that was right from the beginning."""
    plain, mended = make_world(), make_world()
    for world, but in ((plain, ()), (mended, BROKEN)):
        load(world, trades, but)
        for partition, rows in trades.items():
            world.put(partition, len(rows), [end_mark(rows[-1], after_ms=12 * 3_600_000)])
        world.run()
    by_hand(
        mended,
        """INSERT INTO stock_volatility (source, symbol, bar_start, bar_seconds, estimator, window_bars, value, n_obs,
               annualisation, model_version, final, input_revision)
           SELECT source, symbol, bar_start, 86400, 'rv', 1, 0.2, 390, 'CRYPTO_DAILY', '2', true, 0
           FROM stock_prices WHERE bar_seconds = 86400""",
    )
    for partition, first in BROKEN:
        repair(mended, trades, partition, first)
    rebuilt(mended)
    assert outcome(mended)["stock_prices"] == outcome(plain)["stock_prices"]
    days = "source, symbol, estimator, window_bars, value, null_reason, n_obs"
    asked = f"SELECT {days} FROM stock_volatility WHERE bar_seconds = 86400 AND estimator {{}} 'rv' ORDER BY 2, 3, 4"
    assert mended.select(asked.format("<>")) == plain.select(asked.format("<>"))
    changed = {trades[partition][first + row].symbol for partition, first in BROKEN for row in range(ROWS)}
    measured = {symbol for _source, symbol, *_ in mended.select(asked.format("="))}
    assert measured == {"SIM01", "SIM02", "SIM03", "SIM04"} - changed


def test_a_state_is_kept_of_each_hour_then_of_each_day_then_none(world_with_states: World) -> None:
    by_hand(world_with_states, "UPDATE engine_snapshots SET made_at = hour")
    asked = (
        "SELECT extract(epoch FROM hour - %s)::int / 3600 FROM engine_snapshots WHERE kafka_partition = 0 ORDER BY 1"
    )

    def kept(days_later: float) -> list[int]:
        with (
            closing(connect(world_with_states.warehouse, application_name="test")) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            rebuild_states.forget_states(cursor, FIRST + timedelta(days=days_later))
        return [hour for (hour,) in world_with_states.select(asked, FIRST)]

    assert [kept(days) for days in (1.9, 2.5, 90.1, 91.0)] == [[0, 1, 2, 9, 10], [0, 9], [9], []]


@pytest.fixture
def world_with_states(make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]]) -> World:
    """A world in which a state is kept of hours of today and of the next day, counted from the first."""
    world = make_world()
    load(world, trades)
    keep_states(world)
    for place, hours in enumerate((7, 8)):
        mark = end_mark(trades[0][-1], after_ms=hours * 3_600_000)
        world.put(0, len(trades[0]) + place, [mark])
        world.run()
        keep_states(world)
        keep_states(world)
    return world
