"""The minute path on real servers: a price goes from its file, or its object, to numbers and alerts that explain it."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.worlds import MINUTE_MS, START_MS, World, end_mark, own_world, print_of, simulated
from tests.oracle import DATA, VOLATILITY_COLUMNS
from volwatch.local.stack import Stack
from volwatch.pipeline.command import run_minute
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.settings import RawzoneSettings, WarehouseSettings, load
from volwatch.trade import Trade, encode

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
    assert (symbol, state, confirmed, threshold) == ("SIM01", "CLOSED", True, 3.7)
    assert 90 <= (onset.timestamp() * 1000 - START_MS) / MINUTE_MS <= 92
    assert statistic >= why["statistic"] >= why["threshold"] == threshold
    assert sentence.startswith(f"SIM01 {onset:%H:%M}Z: 1-min range ")
    assert f"S={why['statistic']:.1f}, enters at 3.7" in sentence
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


def test_an_alert_that_final_bars_do_not_bear_out_is_retracted_and_stays(world: World) -> None:
    """A tardy print says that the price had moved a minute earlier: the alert of the later bar goes, another comes."""
    calm = simulated(minutes=70)
    end_ms = START_MS + 70 * MINUTE_MS
    moved = print_of(calm[-1], price=calm[-1].price * 1.05, received_at=end_ms + 1_000)
    jump = [print_of(moved, event_time=end_ms + 900), print_of(moved, event_time=end_ms + 950)]
    tardy = [print_of(moved, event_time=end_ms - 1_000 + at, received_at=end_ms + 20_000) for at in (0, 10)]
    earlier_is_final = end_mark(moved, after_ms=125_000)
    for step in ([*calm, *jump], tardy, [earlier_is_final], [end_mark(earlier_is_final)]):
        world.put(0, offsets_held(world), step)
        world.run()
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
