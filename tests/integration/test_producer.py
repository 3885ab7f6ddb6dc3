"""The producer on real Kafka and MinIO: what it says it sent is there, in order, once."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from tests.fakes import some_trade
from volwatch.analytics.bars import MARK_CONDITION, OHLC_CONDITION
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.settings import KafkaSettings, RawzoneSettings, load
from volwatch.trade import KAFKA_HEADERS, Trade, decode

BARS = """\
date,open,high,low,close,volume
2003-03-03,24.02,24.12,23.4,23.54,50653500
2003-03-04,23.58,23.66,many,23.07,56605700
2003-03-05,23.09,23.46,23.05,23.4,64107800
"""


class World:
    """A platform of the test's own, read behind the producer."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.port = free_port(random.Random())
        place = {"VOLWATCH_SERVICE_HOST": LOOPBACK, "VOLWATCH_SERVICE_PORT": str(self.port)}
        self.environment = {**os.environ, **environment, **place}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            kafka, rawzone = load(KafkaSettings, RawzoneSettings)
        assert isinstance(kafka, KafkaSettings)
        assert isinstance(rawzone, RawzoneSettings)
        self.kafka = kafka
        self.rawzone = Rawzone.connect(rawzone)

    @contextmanager
    def producer(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run a producer as a process of its own, and kill it at the end if it still runs."""
        command = [sys.executable, "-m", "volwatch.cli", "producer", *words]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def replay(self, *words: str) -> dict[str, object]:
        """Run a replay to its end; return its last log line."""
        with self.producer("--source", "replay", *words) as process:
            return ended(process)

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/metrics", timeout=5) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def messages(self, topic: str) -> dict[int, list[Message]]:
        """Return everything in a topic, by partition."""
        consumer = Consumer({**self.kafka.client_config(), "group.id": "test", "enable.auto.commit": False})
        partitions = [TopicPartition(topic, number, 0) for number in range(self.kafka.partitions)]
        ends = {place.partition: consumer.get_watermark_offsets(place, 30)[1] for place in partitions}
        consumer.assign(partitions)
        held: dict[int, list[Message]] = defaultdict(list)
        while sum(map(len, held.values())) < sum(ends.values()):
            for message in consumer.consume(10_000, 10):
                assert message.error() is None
                held[message.partition() or 0].append(message)
        consumer.close()
        return held

    def trades(self) -> dict[int, list[Trade]]:
        held = self.messages(self.kafka.topic)
        return {partition: [decode(value(message)) for message in held[partition]] for partition in sorted(held)}


def value(message: Message) -> bytes:
    found = message.value()
    assert isinstance(found, bytes)
    return found


def ended(process: subprocess.Popen[str]) -> dict[str, object]:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    told: dict[str, object] = json.loads(output.splitlines()[-1])
    return told


def wait_until_ready(world: World) -> None:
    deadline = time.monotonic() + 60
    while not world.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def world(platform: dict[str, str]) -> World:
    return World(platform)


def test_history_goes_into_an_empty_topic_only(world: World) -> None:
    for _turn in range(2):
        with world.producer("--history-minutes", "10", "--symbols", "1", "--rate", "20") as process:
            wait_until_ready(world)
            process.send_signal(signal.SIGTERM)
            ended(process)
    received = [trade.received_at for rows in world.trades().values() for trade in rows]
    assert received == sorted(received)
    assert received[-1] - received[0] > 9 * 60_000


def test_history_and_live_market_arrive_once_and_in_order(world: World, tmp_path: Path) -> None:
    begun_ms = time.time_ns() // 1_000_000
    labels = tmp_path / "labels.jsonl"
    with world.producer("--history-minutes", "10", "--history-days", "2", "--labels", str(labels)) as process:
        wait_until_ready(world)
        time.sleep(3)
        process.send_signal(signal.SIGUSR1)
        time.sleep(2)
        delivered = world.metric('volwatch_producer_trades_total{outcome="delivered"}')
        assert world.metric("volwatch_producer_event_lag_seconds") < 5
        process.send_signal(signal.SIGTERM)
        told = ended(process)
    partitions = world.trades()
    trades = sorted((trade for rows in partitions.values() for trade in rows), key=lambda trade: trade.seq)
    first = trades[0].seq
    assert [trade.seq for trade in trades] == list(range(first, first + len(trades)))
    assert (told["event"], told["trades"], told["delivered"], told["failed"]) == (
        "producer_stopped", len(trades), len(trades), 0,
    )  # fmt: skip
    assert 2 * 24 * 10 + 10 * 60 * 50 * 0.9 < delivered <= len(trades)
    for rows in partitions.values():
        assert [trade.received_at for trade in rows] == sorted(trade.received_at for trade in rows)
    homes = [{trade.symbol for trade in rows} for rows in partitions.values()]
    assert sum(map(len, homes)) == len(set().union(*homes)) == 10
    assert trades[-1].received_at > begun_ms
    label = json.loads(labels.read_text())
    assert (label["symbol"], label["kind"], label["magnitude"]) == ("SIM01", "burst", 8.0)
    assert begun_ms < label["start_ms"] < trades[-1].received_at


def test_a_stall_is_silence_and_ends(world: World) -> None:
    with world.producer("--rate", "200") as process:
        wait_until_ready(world)
        process.send_signal(signal.SIGUSR2)
        time.sleep(1)
        before = world.metric('volwatch_producer_trades_total{outcome="delivered"}')
        time.sleep(1)
        assert world.metric('volwatch_producer_trades_total{outcome="delivered"}') == before
        process.send_signal(signal.SIGUSR2)
        time.sleep(1)
        assert world.metric('volwatch_producer_trades_total{outcome="delivered"}') > before
        process.send_signal(signal.SIGTERM)
        assert ended(process)["failed"] == 0


def test_bars_are_replayed_and_bad_rows_quarantined(world: World, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(BARS)
    told = world.replay("--name", "msft", "--ohlc", str(file), "--symbol", "MSFT")
    assert (told["trades"], told["delivered"], told["rejected"]) == (9, 9, 1)
    ((_, (*rows, mark)),) = world.trades().items()
    assert [trade.price for trade in rows] == [24.02, 24.12, 23.4, 23.54, 23.09, 23.05, 23.46, 23.4]
    assert {(trade.source, trade.symbol, trade.conditions) for trade in rows} == {
        ("replay-msft", "MSFT", (OHLC_CONDITION,))
    }
    assert (mark.source, mark.symbol, mark.conditions) == ("replay-msft", "MSFT", (MARK_CONDITION,))
    ((_, (bad,)),) = world.messages(world.kafka.quarantine_topic).items()
    assert (bad.key(), bad.headers()) == (b"MSFT", [*KAFKA_HEADERS, ("reason", b"MALFORMED")])
    assert json.loads(value(bad))["high"] == "23.66"


def test_hours_of_the_raw_zone_are_replayed_as_recorded_under_another_source(world: World) -> None:
    hour = datetime(2026, 1, 5, 15, tzinfo=UTC)
    recorded = [some_trade(seq) for seq in range(2_500)]
    world.rawzone.put(ObjectKey(hour, 0, 0, 999), encode_object(0, list(enumerate(recorded[:1_000]))))
    world.rawzone.put(ObjectKey(hour, 0, 1_000, 2_499), encode_object(0, list(enumerate(recorded))[1_000:]))
    told = world.replay("--name", "monday", "--raw-from", "2026-01-05T15")
    assert (told["trades"], told["delivered"]) == (2_501, 2_501)
    ((_, (*rows, mark)),) = world.trades().items()
    assert {trade.source for trade in [*rows, mark]} == {"replay-monday"}
    assert [(t.symbol, t.event_time, t.price, t.size, t.received_at, t.seq) for t in rows] == [
        (t.symbol, t.event_time, t.price, t.size, t.received_at, t.seq) for t in recorded
    ]


def test_a_speed_makes_a_replay_take_its_time(world: World) -> None:
    hour = datetime(2026, 1, 5, 15, tzinfo=UTC)
    recorded = [some_trade(seq * 100) for seq in range(21)]
    world.rawzone.put(ObjectKey(hour, 0, 0, 20), encode_object(0, list(enumerate(recorded))))
    begun = time.monotonic()
    told = world.replay("--name", "m", "--raw-from", "2026-01-05T15", "--speed", "0.5")
    assert (told["delivered"], time.monotonic() - begun > 2.0 / 0.5) == (22, True)
