"""One hour in which everything happens, by every path there is: the same alerts, to the row."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from tests.integration.scenes import MINUTES, SOURCE, WARM_MINUTES, Partitions, everything
from tests.integration.worlds import MINUTE_MS, START_MS, MakeWorld, World, own_world
from volwatch import topics
from volwatch.alerts import alert_id
from volwatch.local.ports import LOOPBACK
from volwatch.local.stack import Stack
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load
from volwatch.trade import KAFKA_HEADERS, Trade, decode, encode

pytestmark = pytest.mark.integration

NAME = "parity"
PATIENCE_SECONDS = 60.0
KILLED_WITHIN_SECONDS = 3.0
"""Of a start, some of which are still waiting for their partitions then."""


class Row(NamedTuple):
    """An alert, without what tells when and by whom it was written."""

    symbol: str
    kind: str
    onset_bar: datetime
    closed_at: datetime | None
    severity: str
    state: str
    confirmed: bool
    alert_id: str


def alerts(world: World, source: str = SOURCE) -> list[Row]:
    """Return the alerts that stand. What a path opened on a bar that may still change and took back is its own."""
    rows = world.select(
        """SELECT symbol, kind, onset_bar, closed_at, severity, state, confirmed, alert_id::text FROM stock_alerts
           WHERE source = %s AND state <> 'RETRACTED' ORDER BY onset_bar, symbol, kind""",
        source,
    )
    return [Row(*row) for row in rows]


@pytest.fixture(scope="module")
def scene() -> Partitions:
    return everything()


@pytest.fixture(scope="module")
def at_once(stack: Stack, scene: Partitions) -> Iterator[World]:
    """The hour in one minute run at its end."""
    with own_world(stack) as world:
        for partition, rows in scene.items():
            world.put_all(rows, partition, rows=5_000)
        world.run()
        yield world


def test_the_hour_has_everything(at_once: World) -> None:
    found = alerts(at_once)
    assert {row.kind for row in found} == {"VOLATILITY", "REOPEN", "MARKET"}
    assert {row.severity for row in found} == {"LOW", "MEDIUM", "HIGH"}
    assert len(found) >= 20
    assert all(row.confirmed for row in found)
    reasons = dict(at_once.select("SELECT reason, count(*)::int FROM quarantine GROUP BY 1"))
    assert {name for name in ("LATE", "OUTLIER", "BAD_PRICE") if reasons.get(name, 0) < 3} == set()


def test_a_run_each_minute_gives_the_alerts_of_one_run(
    make_world: MakeWorld, scene: Partitions, at_once: World
) -> None:
    world = make_world()
    for _ in minutely(world, scene):
        world.run()
    assert alerts(world) == alerts(at_once)


def minutely(world: World, scene: Partitions) -> Iterator[int]:
    """Store what comes in a minute as an object of each partition; yield after each, and after the warm-up."""
    ends = [START_MS + minute * MINUTE_MS for minute in range(WARM_MINUTES, MINUTES + 1)]
    begun = dict.fromkeys(scene, 0)
    for end in [*ends, 2 * START_MS]:
        for partition, rows in scene.items():
            first = begun[partition]
            behind = next((place for place in range(first, len(rows)) if rows[place].received_at >= end), len(rows))
            if behind > first:
                world.put(partition, first, rows[first:behind])
                begun[partition] = behind
        yield end


def test_a_replay_gives_the_alerts_under_a_name_of_its_own(
    platform: dict[str, str], make_world: MakeWorld, at_once: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"replay-{NAME}"
    world = make_world()
    volwatch(
        {**platform, **at_once.environment},
        *("replay", "--from", iso(START_MS), "--to", iso(START_MS + (MINUTES + 1) * MINUTE_MS), "--name", NAME),
    )
    for partition, rows in on_kafka(platform, monkeypatch).items():
        world.put_all(rows, partition, rows=20_000)
    world.run()
    found = alerts(world, source)
    assert [row.alert_id for row in found] == [id_of(source, row) for row in found]
    assert [row[:-1] for row in found] == [row[:-1] for row in alerts(at_once)]


def test_a_backtest_of_the_raw_zone_gives_the_alerts_of_symbols(at_once: World, tmp_path: Path) -> None:
    found = tmp_path / "alerts.csv"
    range_of = f"{iso(START_MS)}..{iso(START_MS + (MINUTES + 1) * MINUTE_MS)}"
    volwatch(at_once.environment, "backtest", "--raw", range_of, "-o", str(found))
    frame = pd.read_csv(found)
    onsets, ends = (pd.to_datetime(frame[name]).dt.to_pydatetime() for name in ("ts_utc", "closed_utc"))
    told = zip(frame["symbol"], frame["kind"], onsets, ends, frame["highest_severity"], strict=True)
    expected = [row for row in alerts(at_once) if row.kind != "MARKET"]
    assert [Row(*each, "CLOSED", True, "") for each in told] == [row._replace(alert_id="") for row in expected]
    assert [row.alert_id for row in expected] == [id_of(SOURCE, row) for row in expected]
    sentences = (
        "SELECT sentence FROM stock_alerts WHERE state <> 'RETRACTED' AND kind <> 'MARKET' ORDER BY onset_bar, symbol"
    )
    assert [*frame["why"]] == [sentence for (sentence,) in at_once.select(sentences)]


@pytest.mark.parametrize("kills", [0, 10])
def test_the_fast_path_gives_the_alerts_of_one_run(
    platform_as: Callable[[str], dict[str, str]],
    scene: Partitions,
    at_once: World,
    monkeypatch: pytest.MonkeyPatch,
    kills: int,
) -> None:
    platform = platform_as("detector")
    kafka, rawzone, warehouse = settings_of(platform, monkeypatch)
    detector, world = World(rawzone, warehouse), World(*settings_of(platform_as("pipeline"), monkeypatch)[1:])
    expected = alerts(at_once)
    # The detector takes over from the minute path once that has seen the symbols.
    warm = {partition: warm_up(rows) for partition, rows in scene.items()}
    for partition, rows in warm.items():
        world.put(partition, 0, rows)
    world.run()
    with fast_path(platform, kafka, scene, kills):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while but_confirmed(alerts(detector)) != but_confirmed(expected) and time.monotonic() < deadline:
            time.sleep(0.5)
    assert but_confirmed(alerts(detector)) == but_confirmed(expected)
    for partition, rows in scene.items():
        world.put(partition, len(warm[partition]), rows[len(warm[partition]) :])
    world.run()
    assert alerts(world) == expected
    assert world.select("SELECT count(*)::int FROM alert_differences") == [(0,)]


def but_confirmed(rows: Sequence[Row]) -> list[Row]:
    """Return alerts without what only the minute path says."""
    return [row._replace(confirmed=True) for row in rows]


def warm_up(rows: Sequence[Trade]) -> Sequence[Trade]:
    """Return what comes before anything happens."""
    end = START_MS + WARM_MINUTES * MINUTE_MS
    return rows[: next(place for place, trade in enumerate(rows) if trade.received_at >= end)]


@contextmanager
def fast_path(environment: dict[str, str], kafka: KafkaSettings, scene: Partitions, kills: int) -> Iterator[None]:
    """Send the hour to the topic while the detector reads it, and kill that so many times, at moments from a seed; the
    last one runs until the end."""
    choice, process = random.Random(kills), detector(environment)
    try:
        for number, part in enumerate(parts(scene, kills + 1)):
            if number:
                time.sleep(choice.uniform(0.3, KILLED_WITHIN_SECONDS))
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=30)
                process = detector(environment)
            send(kafka, part)
        yield
    finally:
        process.kill()
        process.wait(timeout=30)


def detector(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    own = {"VOLWATCH_SERVICE_HOST": LOOPBACK, "VOLWATCH_SERVICE_PORT": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", "detector"], env={**os.environ, **environment, **own}
    )


def parts(scene: Partitions, count: int) -> Iterator[list[tuple[int, Trade]]]:
    """Yield the hour in pieces of about one size, in order of arrival, each trade with its partition."""
    rows = [(partition, trade) for partition, trades in scene.items() for trade in trades]
    rows.sort(key=lambda row: row[1].received_at)
    bounds = [len(rows) * place // count for place in range(count + 1)]
    yield from (rows[first:last] for first, last in pairwise(bounds))


def send(kafka: KafkaSettings, rows: Sequence[tuple[int, Trade]]) -> None:
    """Send trades to their partitions; return when the broker has them all."""
    producer = Producer({**kafka.client_config(), "enable.idempotence": True, "queue.buffering.max.messages": 200_000})
    for partition, trade in rows:
        producer.produce(kafka.topic, encode(trade), trade.symbol, partition=partition, headers=list(KAFKA_HEADERS))
    assert producer.flush(60) == 0


def id_of(source: str, row: Row) -> str:
    return str(alert_id(source, row.symbol, row.kind, round(row.onset_bar.timestamp() * 1_000)))


def iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1_000, UTC).isoformat()


def volwatch(environment: dict[str, str], *arguments: str) -> None:
    """Run a command to its end."""
    told = subprocess.run(
        [sys.executable, "-m", "volwatch.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


def on_kafka(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[int, list[Trade]]:
    """Return the trades on the topic of a platform, by partition, in order of their offsets."""
    kafka, _, _ = settings_of(platform, monkeypatch)
    ends = topics.offsets(kafka)
    reader = {**kafka.client_config(), "group.id": "parity-test", "enable.auto.commit": False}
    found: dict[int, list[Trade]] = {partition: [] for partition, (first, end) in ends.items() if end > first}
    wanted = sum(end - first for first, end in ends.values())
    with closing(Consumer(reader)) as consumer:
        consumer.assign([TopicPartition(kafka.topic, partition, OFFSET_BEGINNING) for partition in ends])
        while sum(map(len, found.values())) < wanted:
            messages = consumer.consume(10_000, timeout=10.0)
            assert messages, "the topic gives no more"
            for message in messages:
                partition = message.partition()
                assert partition is not None
                found[partition].append(decode(message.value()))
    return found


def settings_of(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[KafkaSettings, RawzoneSettings, WarehouseSettings]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load(KafkaSettings, RawzoneSettings, WarehouseSettings)
