"""The fast path on real servers: its alerts are there at once, and are those of the minute path."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from confluent_kafka import Producer
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.consuming import World as Platform
from tests.integration.worlds import MINUTE_MS, START_MS, own_world, simulated
from tests.unit.warehouse.test_alert_writer import FACTS
from volwatch.analytics.results import Transition
from volwatch.local.ports import LOOPBACK
from volwatch.local.stack import Stack
from volwatch.trade import KAFKA_HEADERS, Trade, encode
from volwatch.warehouse import alert_writer, detector_state, provision
from volwatch.warehouse.alert_writer import Path, Told
from volwatch.warehouse.connection import connect
from volwatch.warehouse.detector_state import Saved

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 30.0
SPIKE_MINUTE = 70


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(START_MS / 1000 + minute * 60, UTC)


def wait_for(question: Callable[[], Any], answer: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while question() != answer and time.monotonic() < deadline:
        time.sleep(0.1)
    assert question() == answer


@contextmanager
def detecting(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    own = {"VOLWATCH_SERVICE_HOST": LOOPBACK, "VOLWATCH_SERVICE_PORT": "0", "VOLWATCH_DETECTOR_SNAPSHOT_SECONDS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", "detector"], env={**os.environ, **environment, **own}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)


def send(platform: Platform, trades: list[Trade]) -> None:
    producer = Producer({**platform.kafka.client_config(), "enable.idempotence": True})
    for trade in trades:
        producer.produce(platform.kafka.topic, encode(trade), trade.symbol, partition=0, headers=list(KAFKA_HEADERS))
    assert producer.flush(30) == 0


STANDS = "SELECT state, confirmed, recorded_at IS NOT NULL, why -> 'raw_objects' <> '[]' FROM stock_alerts"


def test_an_alert_is_opened_before_the_minute_path_runs_and_confirmed_by_it_under_its_id(
    platform_as: Callable[[str], dict[str, str]],
) -> None:
    platform, trades = Platform(platform_as("pipeline")), simulated(80, rate=1.0, spike_minute=SPIKE_MINUTE)
    during = [trade for trade in trades if trade.received_at < START_MS + SPIKE_MINUTE * MINUTE_MS + 50_000]
    warehouse = platform.warehouse
    with detecting(platform_as("detector")) as process:
        send(platform, during)
        wait_for(lambda: warehouse.select(STANDS), [("OPEN", False, True, False)])
        (first,) = warehouse.select("SELECT alert_id, onset_bar FROM stock_alerts")
        assert first[1] == at(SPIKE_MINUTE)
        warehouse.put(0, 0, during)
        warehouse.run()
        send(platform, trades[len(during) :])
        ended = "SELECT state, confirmed FROM stock_alerts WHERE alert_id = %s"
        wait_for(lambda: warehouse.select(ended, first[0]), [("CLOSED", False)])
        warehouse.put(0, len(during), trades[len(during) :])
        warehouse.run()
        wait_for(
            lambda: warehouse.select("SELECT next_offset FROM detector_state WHERE kafka_partition = 0"),
            [(len(trades),)],
        )
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert warehouse.select(ended, first[0]) == [("CLOSED", True)]
    assert {row for (row,) in warehouse.select("SELECT why -> 'raw_objects' <> '[]' FROM stock_alerts")} == {True}
    assert warehouse.select("SELECT count(*)::int FROM alert_differences") == [(0,)]
    assert warehouse.select("SELECT count(DISTINCT path)::int, count(*)::int > 1 FROM alert_steps") == [(2, True)]
    events = warehouse.select("SELECT event, actor FROM alert_events WHERE alert_id = %s ORDER BY event_id", first[0])
    assert events[0] == ("OPEN", "detector")
    assert [event for event, _ in events].count("OPEN") == 1
    assert ("CONFIRMED", "pipeline") in events


def test_one_that_was_away_goes_on_from_the_state_of_the_minute_path(
    platform_as: Callable[[str], dict[str, str]],
) -> None:
    platform, trades = Platform(platform_as("pipeline")), simulated(80, rate=1.0, spike_minute=SPIKE_MINUTE)
    half = next(n for n, trade in enumerate(trades) if trade.received_at > START_MS + 66 * MINUTE_MS)
    send(platform, trades)
    platform.warehouse.put(0, 0, trades[:half])
    platform.warehouse.run()
    with detecting(platform_as("detector")):
        wait_for(
            lambda: platform.warehouse.select("SELECT since_offset, next_offset FROM detector_state"),
            [(half, len(trades))],
        )
    assert platform.warehouse.select("SELECT DISTINCT onset_bar FROM stock_alerts") == [(at(SPIKE_MINUTE),)]
    platform.warehouse.put(0, half, trades[half:])
    platform.warehouse.run()
    assert platform.warehouse.select("SELECT count(*)::int FROM alert_differences") == [(0,)]


def test_its_role_writes_alerts_and_nothing_else(platform_as: Callable[[str], dict[str, str]]) -> None:
    detector = Platform(platform_as("detector")).warehouse
    for statement in (
        "UPDATE stock_prices SET final = true",
        "INSERT INTO watchlist VALUES ('A', 'XNYS')",
        "UPDATE load_positions SET next_offset = 0",
        "UPDATE engine_state SET revision = 1",
        "DELETE FROM stock_alerts",
        "UPDATE alert_events SET actor = 'somebody'",
        "SELECT acknowledge_alert(gen_random_uuid(), 'somebody')",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            detector.select(statement)


def step(state: str, minute: int, bar: int, severity: str = "LOW", *, final: bool = True) -> Transition:
    onset, start = START_MS + minute * MINUTE_MS, START_MS + bar * MINUTE_MS
    return Transition(
        source="simulator",
        symbol="SIM01",
        kind="VOLATILITY",
        state=state,
        severity=severity,
        onset=onset,
        bar=start,
        peak=4.0 + bar,
        final=final,
        watermark=start + (180_000 if final else 30_000),
        facts=replace(FACTS, start=start) if state == "OPEN" else None,
    )


# Records 0 to 59: by final bars one alert opens, escalates and closes; another one opens. Before they were final, bars
# had shown more: a higher severity, and an alert that none of them bears out.
RECORD = [
    Told(0, 0, 20, [step("OPEN", 1, 1), step("ESCALATED", 1, 2, "MEDIUM")], {"simulator": START_MS + 3 * MINUTE_MS}),
    Told(0, 20, 40, [step("CLOSED", 1, 5, "MEDIUM")], {"simulator": START_MS + 9 * MINUTE_MS}),
    Told(0, 40, 60, [step("OPEN", 12, 12, "HIGH")], {"simulator": START_MS + 14 * MINUTE_MS}),
]
FAST = [
    Told(0, 0, 5, [step("OPEN", 1, 1, final=False)]),
    Told(0, 5, 9, [step("ESCALATED", 1, 2, "HIGH", final=False)]),
    Told(0, 9, 20, [step("OPEN", 1, 1), step("ESCALATED", 1, 2, "MEDIUM")]),
    Told(0, 20, 33, [step("CLOSED", 1, 5, "MEDIUM")]),
    Told(0, 33, 41, [step("OPEN", 11, 11, final=False)]),
    Told(0, 41, 50, [step("RETRACTED", 11, 11), step("OPEN", 12, 12, "MEDIUM", final=False)]),
    Told(0, 50, 60, [step("OPEN", 12, 12, "HIGH")]),
]


def write(cursor: Cursor, told: Told, path: Path) -> None:
    alert_writer.write_transitions(cursor, [told], path, bars_since=at(600), threshold=3.8, config_hash="hash")


def stand(cursor: Cursor) -> list[tuple[Any, ...]]:
    cursor.execute(
        """SELECT onset_bar, state, severity, confirmed, closed_at, statistic FROM stock_alerts
           WHERE state <> 'RETRACTED' ORDER BY 1"""
    )
    return cursor.fetchall()


EXPECTED = [
    (at(1), "CLOSED", "MEDIUM", True, at(6), 9.0),
    (at(12), "OPEN", "HIGH", True, None, 16.0),
]


@pytest.fixture(scope="module")
def cursor(stack: Stack) -> Iterator[Cursor]:
    with own_world(stack) as world:
        owner = stack.postgres.settings(provision.OWNER, world.warehouse.database)
        with closing(connect(owner, application_name="test")) as connection:
            yield connection.cursor()


@pytest.mark.parametrize("seed", range(40))
def test_in_whatever_order_both_paths_write_the_alerts_end_as_those_of_the_record(cursor: Cursor, seed: int) -> None:
    """The detector dies now and then, and begins again with what it told before its last saved state."""
    choice = random.Random(seed)
    record, fast = list(RECORD), list(FAST)
    place, dead = 0, seed % 4 == 3
    try:
        while record or place < len(fast):
            if record and (dead or place == len(fast) or choice.random() < 0.3):
                write(cursor, record.pop(0), "pipeline")
            elif choice.random() < 0.2:
                place = choice.randint(0, place)
            else:
                write(cursor, fast[place], "detector")
                place += 1
                dead = dead or (seed % 4 == 2 and choice.random() < 0.3)
            if dead and not record:
                break
        assert stand(cursor) == EXPECTED
        cursor.execute("SELECT count(*)::int FROM stock_alerts WHERE state IN ('OPEN', 'ESCALATED')")
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT count(*) - count(DISTINCT (alert_id, event, severity, bar_start)) FROM alert_events")
        assert cursor.fetchone() == (0,)
    finally:
        cursor.connection.rollback()


@pytest.mark.parametrize(("missing", "found_by"), [(None, []), ("detector", ["pipeline"]), ("pipeline", ["detector"])])
def test_what_only_one_path_finds_on_final_bars_is_a_difference(
    cursor: Cursor, missing: str | None, found_by: list[str]
) -> None:
    paths: dict[Path, list[Told]] = {"pipeline": RECORD, "detector": FAST}
    try:
        for path, all_told in paths.items():
            for told in all_told:
                steps = [step for step in told.steps if path != missing or step.state != "CLOSED"]
                write(cursor, replace(told, steps=steps), path)
        cursor.execute("INSERT INTO load_positions VALUES (0, 60, now())")
        detector_state.write(cursor, Saved(0, b"state", 60, 0, 0, {}), "hash")
        cursor.execute("SELECT event, found_by FROM alert_differences")
        assert cursor.fetchall() == [("CLOSED", path) for path in found_by]
    finally:
        cursor.connection.rollback()
