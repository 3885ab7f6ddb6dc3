"""The minute path on real servers: a price goes from its file, or its object, to numbers and alerts that explain it."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.worlds import MINUTE_MS, START_MS, World, end_mark, own_world, print_of, simulated
from tests.oracle import DATA, VOLATILITY_COLUMNS
from volwatch.analytics.results import Facts, Transition
from volwatch.local.stack import Stack
from volwatch.pipeline.command import run_minute
from volwatch.producer.simulator import Simulator
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.settings import RawzoneSettings, WarehouseSettings, load
from volwatch.trade import Trade, encode
from volwatch.warehouse.alert_writer import Told, write_transitions
from volwatch.warehouse.connection import connect

EVERY_TABLE = (
    "stock_prices", "stock_volatility", "stock_signals", "stock_alerts", "alert_events", "raw_objects",
    "load_positions", "engine_state", "quarantine",
)  # fmt: skip


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    with own_world(stack) as made:
        yield made


def read_csv(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


@contextmanager
def consumer(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    own = {"VOLWATCH_CONSUMER_FLUSH_SECONDS": "1", "VOLWATCH_SERVICE_PORT": "0"}
    process = subprocess.Popen([sys.executable, "-m", "volwatch.cli", "consumer"], env={**environment, **own})
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def replay(environment: dict[str, str], file: Path) -> None:
    command = [sys.executable, "-m", "volwatch.cli", "producer", "--source", "replay", "--name", "msft"]
    subprocess.run(
        [*command, "--ohlc", str(file), "--symbol", "MSFT"],
        env={**environment, "VOLWATCH_SERVICE_PORT": "0"},
        check=True,
        timeout=120,
    )


def run_until_loaded(rows: int) -> None:
    deadline = time.monotonic() + 60
    loaded = 0
    while loaded < rows:
        assert time.monotonic() < deadline, f"{loaded} of {rows} rows came"
        loaded += run_minute().rows_loaded


def test_real_daily_prices_give_the_independent_volatilities(
    platform: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: file, producer, Kafka, consumer, MinIO, pipeline, PostgreSQL; then a run that changes nothing."""
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    prices = read_csv("ohlc_msft_daily.csv")
    environment = {**os.environ, "VOLWATCH_SERVICE_HOST": "127.0.0.1"}
    with consumer(environment):
        replay(environment, DATA / "ohlc_msft_daily.csv")
        run_until_loaded(4 * len(prices) + 1)
    world = World(*load(RawzoneSettings, WarehouseSettings))
    assert day_bars(world) == {
        date.fromisoformat(row["date"]): tuple(Decimal(row[name]) for name in ("open", "high", "low", "close"))
        for row in prices
    }
    assert_equal_to_reference(world, read_csv("mpvol_msft_daily_n20_N252.csv"))
    before = {table: world.rows(table) for table in EVERY_TABLE}
    assert run_minute().rows_loaded == 0
    assert {table: world.rows(table) for table in EVERY_TABLE} == before


def day_bars(world: World) -> dict[date, tuple[Decimal, ...]]:
    found = world.select(
        """SELECT (bar_start AT TIME ZONE 'UTC')::date, open, high, low, close FROM stock_prices
           WHERE source = 'replay-msft' AND symbol = 'MSFT' AND bar_seconds = 86400 AND final"""
    )
    return {day: tuple(values) for day, *values in found}


def assert_equal_to_reference(world: World, reference: list[dict[str, str]]) -> None:
    for estimator, column in VOLATILITY_COLUMNS.items():
        found = world.select(
            """SELECT (bar_start AT TIME ZONE 'UTC')::date, value FROM stock_volatility
               WHERE source = 'replay-msft' AND bar_seconds = 86400 AND estimator = %s""",
            estimator,
        )
        values: dict[date, float | None] = dict(found)
        expected = {date.fromisoformat(row["date"]): float(row[column]) for row in reference if row[column]}
        assert len(expected) > 2_400
        assert {day: values[day] for day in expected} == pytest.approx(expected, rel=1e-12, abs=0)


def rejectable(trade: Trade) -> dict[str, Trade]:
    """Return by its reason what is not taken right behind a trade."""
    return {
        "BAD_PRICE": print_of(trade, price=-1.0),
        "BAD_SIZE": print_of(trade, size=-1.0),
        "ZERO_SIZE": print_of(trade, size=0.0),
        "TOO_OLD": print_of(trade, event_time=trade.received_at - 86_400_000),
        "FUTURE": print_of(trade, event_time=trade.received_at + 5_001),
        "LATE": print_of(trade, event_time=trade.received_at - 600_000),
    }


def test_rejected_trades_are_set_aside_once_with_their_reason_and_the_ledger_adds_up(world: World) -> None:
    good = simulated(minutes=30)
    bad = rejectable(good[-1])
    world.put_all([*good, *bad.values(), end_mark(good[-1])], rows=400)
    world.run()
    first = len(good)
    world.put(0, first, [*bad.values(), end_mark(good[-1])])  # an overlapping object: loaded already
    world.run()
    found = world.select("SELECT kafka_offset, symbol, reason, record FROM quarantine ORDER BY kafka_offset")
    assert found == [
        (first + place, trade.symbol, reason, encode(trade).decode())
        for place, (reason, trade) in enumerate(bad.items())
    ]
    [(loaded, rejected)] = world.select("SELECT sum(rows_loaded)::int, sum(rows_rejected)::int FROM raw_objects")
    [(in_bars,)] = world.select("SELECT sum(trades)::int FROM stock_prices WHERE bar_seconds = 60 AND final")
    assert (loaded, rejected, in_bars) == (len(good) + len(bad) + 1, len(bad), len(good))


def test_an_object_that_cannot_be_read_is_recorded_and_the_rest_goes_on(world: World) -> None:
    trades = simulated(minutes=20)
    third = len(trades) // 3
    world.put(0, 0, trades[:third])
    broken = ObjectKey(hour_of(START_MS), 0, third, 2 * third - 1)
    world.rawzone.put(broken, b"\x1f\x8b\x08 no gzip")
    world.put(0, 2 * third, [*trades[2 * third :], end_mark(trades[-1])])
    report = world.run()
    assert (report.objects, report.rows_loaded) == (3, len(trades) - third + 1)
    faults = world.select("SELECT object_key, rows_read, rows_loaded, fault FROM raw_objects WHERE fault IS NOT NULL")
    assert faults == [(str(broken), 0, 0, "BAD_GZIP")]
    [(in_bars,)] = world.select("SELECT sum(trades)::int FROM stock_prices WHERE bar_seconds = 60")
    assert in_bars == len(trades) - third
    assert world.run().objects == 0


def test_a_spike_raises_one_alert_that_tells_why(world: World) -> None:
    trades = simulated(minutes=120, spike_minute=90)
    trades.append(end_mark(trades[-1]))
    calm = len(trades) * 3 // 4
    world.put(0, 0, trades[:calm])
    for first in range(calm, len(trades), 60):
        world.put(0, first, trades[first : first + 60])
    assert world.run(rows_per_transaction=60).left == 0
    [alert] = world.select(
        """SELECT symbol, state, confirmed, statistic, threshold, sentence, why, onset_bar, alert_id
           FROM stock_alerts WHERE state <> 'RETRACTED'"""
    )
    symbol, state, confirmed, statistic, threshold, sentence, why, onset, alert_id = alert
    assert (symbol, state, confirmed, threshold) == ("SIM01", "CLOSED", True, 3.8)
    assert 90 <= (onset.timestamp() * 1000 - START_MS) / MINUTE_MS <= 92
    assert statistic >= why["statistic"] >= why["threshold"] == threshold
    assert sentence.startswith(f"SIM01 {onset:%H:%M}Z: 1-min range ")
    assert f"S={why['statistic']:.1f}, enters at 3.8" in sentence
    assert_bar_is_the_stored_one(world, why)
    assert raw_offsets(world, why["raw_objects"]) >= set(range(why["offsets"][0], why["offsets"][1] + 1))
    steps = world.select("SELECT event, count(*) FROM alert_events WHERE alert_id = %s GROUP BY 1", alert_id)
    once = {event: count for event, count in steps if event != "ESCALATED"}
    assert once == {"OPEN": 1, "CONFIRMED": 1, "CLOSED": 1}


def assert_bar_is_the_stored_one(world: World, why: dict[str, dict[str, object]]) -> None:
    columns = "open::float, high::float, low::float, close::float, volume::float, trades, revision"
    [stored] = world.select(
        f"SELECT {columns} FROM stock_prices WHERE bar_seconds = 60 AND bar_start = %s", why["bar"]["start"]
    )
    told = (why["bar"][name] for name in ("open", "high", "low", "close", "volume", "trades", "revision"))
    assert tuple(told) == stored


def raw_offsets(world: World, names: list[str]) -> set[int]:
    """Return the offsets that the named objects hold, all of which are in the bucket."""
    keys = [ObjectKey.parse(name) for name in names]
    stored = {info.key for info in world.rawzone.list_all()}
    assert set(keys) <= stored
    return {offset for key in keys for offset in range(key.first_offset, key.last_offset + 1)}


def load_moved_onset(world: World) -> int:
    """Load a tardy print that says that the price had moved a minute earlier: the alert of the later bar, whose start
    is returned, goes, and another comes."""
    calm = simulated(minutes=70)
    end_ms = START_MS + 70 * MINUTE_MS
    moved = print_of(calm[-1], price=calm[-1].price * 1.05, received_at=end_ms + 1_000)
    jump = [print_of(moved, event_time=end_ms + at) for at in (900, 925, 950)]
    tardy = [print_of(moved, event_time=end_ms - 1_000 + at, received_at=end_ms + 20_000) for at in (0, 10)]
    earlier_is_final = end_mark(moved, after_ms=125_000)
    for step in ([*calm, *jump], tardy, [earlier_is_final], [end_mark(earlier_is_final)]):
        world.put(0, offsets_held(world), step)
        world.run()
    return end_ms


def test_an_alert_that_final_bars_do_not_bear_out_is_retracted_and_stays(world: World) -> None:
    end_ms = load_moved_onset(world)
    found = world.select("SELECT onset_bar, state, confirmed, closed_at IS NOT NULL FROM stock_alerts ORDER BY 1")
    told = [((onset.timestamp() * 1000 - end_ms) // MINUTE_MS, *rest) for onset, *rest in found]
    assert told == [(-1, "CLOSED", True, True), (0, "RETRACTED", False, True)]
    steps = world.select(
        """SELECT event FROM alert_events JOIN stock_alerts USING (alert_id)
           WHERE state = 'RETRACTED' ORDER BY event_id"""
    )
    assert steps == [("OPEN",), ("RETRACTED",)]


def offsets_held(world: World) -> int:
    return max((info.key.last_offset + 1 for info in world.rawzone.list_all()), default=0)


def crowded(minutes: int, spike_minute: int, spiked: int, symbols: int = 6) -> dict[int, list[Trade]]:
    """Return by partition a calm market, some symbols of which burst in the same minute."""
    begin_ms = START_MS + spike_minute * MINUTE_MS
    simulator = Simulator("gbm", 1, symbols, 3.0, START_MS)
    trades: list[Trade] = []
    for until_ms in (begin_ms, START_MS + minutes * MINUTE_MS):
        more = True
        while more:
            batch = simulator.read(until_ms)
            more = batch.more
            trades += batch.trades
        if until_ms == begin_ms:
            for name in simulator.names[:spiked]:
                simulator.spike(begin_ms, name)
    partitions: dict[int, list[Trade]] = {0: [], 1: []}
    for trade in trades:
        partitions[int(trade.symbol[-1]) % 2].append(trade)
    return {partition: [*rows, end_mark(rows[-1])] for partition, rows in partitions.items()}


MARKET_ALERTS = """
    SELECT source, symbol, state, confirmed, statistic, threshold, sentence, why->'members', alert_id::text, onset_bar
    FROM stock_alerts WHERE kind = 'MARKET' AND state <> 'RETRACTED'"""


def test_many_symbols_at_once_are_one_alert_of_the_market_however_the_rows_come(stack: Stack) -> None:
    """Four of six symbols burst, in two partitions: in one run, and in runs of a minute or so of one partition each."""
    partitions = crowded(minutes=110, spike_minute=85, spiked=4)
    with own_world(stack) as world, own_world(stack) as piecemeal:
        for partition, rows in partitions.items():
            world.put_all(rows, partition, rows=2_000)
        world.run()
        [alert] = world.select(MARKET_ALERTS)
        source, symbol, state, confirmed, statistic, threshold, sentence, members, alert_id, onset = alert
        assert (source, symbol, state, confirmed, threshold) == ("simulator", "24/7", "CLOSED", True, 0.3)
        assert 85 <= (onset.timestamp() * 1000 - START_MS) / MINUTE_MS <= 87
        assert statistic == 4 / 6
        assert list(members) == ["SIM01", "SIM02", "SIM03", "SIM04"]
        assert sentence.startswith(f"24/7 {onset:%H:%M}Z: 4 of 6 symbols opened within 3 minutes (67 %")
        linked = world.select(
            "SELECT DISTINCT symbol FROM stock_alerts WHERE market_alert_id = %s ORDER BY 1", alert_id
        )
        assert [name for (name,) in linked] == list(members)
        steps = world.select("SELECT event FROM alert_events WHERE alert_id = %s ORDER BY event_id", alert_id)
        assert {event for (event,) in steps} >= {"OPEN", "CONFIRMED", "CLOSED"}
        before = {table: world.rows(table) for table in EVERY_TABLE}
        assert world.run().rows_loaded == 0
        assert {table: world.rows(table) for table in EVERY_TABLE} == before
        for partition, first in sorted(
            ((partition, first) for partition, rows in partitions.items() for first in range(0, len(rows), 150)),
            key=lambda piece: piece[1],
        ):
            piecemeal.put(partition, first, partitions[partition][first : first + 150])
            piecemeal.run()
        told = "confirmed state severity statistic sentence why closed_at market_alert_id".replace(" ", ", ")
        asked = f"SELECT symbol, onset_bar, {told} FROM stock_alerts WHERE state <> 'RETRACTED' ORDER BY 1, 2"
        market = asked.replace("WHERE", "WHERE kind = 'MARKET' AND")
        assert piecemeal.select(market) == world.select(market)
        of_symbols = (
            "SELECT symbol, onset_bar, market_alert_id FROM stock_alerts WHERE state <> 'RETRACTED' ORDER BY 1, 2"
        )
        assert piecemeal.select(of_symbols) == world.select(of_symbols)


def opening(number: int, minute: int, state: str = "OPEN", partition: int = 0) -> Transition:
    """Return a step of the alert of a symbol, on a bar that may still change."""
    start = START_MS + minute * MINUTE_MS
    facts = Facts(**dict.fromkeys((column.name for column in fields(Facts)), 1))
    return Transition(
        source="feed",
        symbol=f"BINANCE:S{number}",
        kind="VOLATILITY",
        state=state,
        severity="LOW",
        onset=start,
        bar=start,
        peak=4.0,
        final=state != "OPEN",
        watermark=start + 65_000,
        facts=facts if state == "OPEN" else None,
    )


FIRST_DAY = datetime(1970, 1, 2, tzinfo=UTC)

INSERT_BAR = """
    INSERT INTO stock_prices (source, symbol, bar_start, bar_seconds, open, high, low, close, volume, trades, session,
        revision, final, flags, elapsed_bars, first_trade_at, last_trade_at, kafka_partition, first_offset, last_offset)
    SELECT 'feed', 'BINANCE:S' || number, at, 60, 1, 2, 1, 2, 3, 1, 'regular', 0, true, '{}', 1, at, at, 0, 0, 0
    FROM generate_series(0, 9) AS number, to_timestamp(%s) AS at"""


def test_an_alert_of_the_market_is_taken_back_with_those_of_its_symbols_and_comes_again_as_the_same(
    world: World,
) -> None:
    """Four of ten symbols open, in two runs; one is retracted, then opens again; all the while runs are repeated."""
    with closing(connect(world.warehouse, application_name="test")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ensure_partitions(to_timestamp(%s), to_timestamp(%s))", [START_MS / 1000] * 2)
        cursor.execute(INSERT_BAR, (START_MS / 1000,))

        def step(*steps: Transition) -> list[tuple[object, ...]]:
            for _again in range(2):
                told = [Told(0, 0, 1, steps)]
                write_transitions(cursor, told, "pipeline", bars_since=FIRST_DAY, threshold=3.7, config_hash="h")
            cursor.execute(
                """SELECT state, statistic, (SELECT count(*)::int FROM stock_alerts AS member
                       WHERE member.market_alert_id = market.alert_id) FROM stock_alerts AS market
                   WHERE kind = 'MARKET'"""
            )
            return cursor.fetchall()

        assert step(opening(0, 30), opening(1, 30)) == []
        assert step(opening(2, 31), opening(3, 32)) == [("OPEN", 0.4, 4)]
        assert step(opening(1, 30, "RETRACTED")) == [("RETRACTED", 0.4, 0)]
        assert step(opening(1, 30)) == [("OPEN", 0.4, 4)]
        assert step(opening(4, 32)) == [("OPEN", 0.5, 5)]
        closings = [opening(number, minute, "CLOSED") for number, minute in enumerate((30, 30, 31, 32, 32))]
        assert step(*closings[:4]) == [("OPEN", 0.5, 5)]
        assert step(closings[4]) == [("CLOSED", 0.5, 5)]
        cursor.execute(
            "SELECT event FROM alert_events JOIN stock_alerts USING (alert_id) WHERE kind = 'MARKET' ORDER BY event_id"
        )
        assert [event for (event,) in cursor.fetchall()] == ["OPEN", "RETRACTED", "CLOSED"]
