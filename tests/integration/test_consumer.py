"""The consumer on real Kafka and MinIO: what the broker acknowledged ends in the raw zone, once by its offset."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.fakes import some_trade
from volwatch.local.stack import Stack
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.store import Rawzone
from volwatch.settings import KafkaSettings, RawzoneSettings, load
from volwatch.trade import Trade, decode, encode

Position = tuple[int, int]


class World:
    """A platform of the test's own, seen from both ends of the consumer."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            self.kafka, rawzone = load(KafkaSettings, RawzoneSettings)
        self.rawzone = Rawzone.connect(rawzone)
        self.sent: dict[Position, bytes] = {}
        # It asks for the group's positions and never joins it.
        self._group = Consumer({**self.kafka.client_config(), "group.id": environment["VOLWATCH_CONSUMER_GROUP"]})

    def send(self, values: list[bytes], partition: int | None = None) -> None:
        """Send values and keep what the broker acknowledged; without a partition they go round all."""
        producer = Producer({**self.kafka.client_config(), "enable.idempotence": True})

        def acknowledged(error: object, message: object) -> None:
            assert error is None
            self.sent[message.partition(), message.offset()] = message.value()  # type: ignore[attr-defined]

        for index, value in enumerate(values):
            number = index % self.kafka.partitions if partition is None else partition
            producer.produce(self.kafka.topic, value, partition=number, on_delivery=acknowledged)
            producer.poll(0)
        assert producer.flush(30) == 0

    def send_trades(self, count: int) -> None:
        self.send([encode(some_trade(len(self.sent) + index)) for index in range(count)])

    @property
    def stored(self) -> dict[Position, Trade]:
        """Every row of the raw zone; objects that overlap agree on each row."""
        rows: dict[Position, Trade] = {}
        for info in self.rawzone.list_all():
            found = decode_object(self.rawzone.read(info.key), info.key)
            for offset, trade in zip(found.trades.offset.tolist(), found.records(), strict=True):
                assert rows.setdefault((found.partition, offset), trade) == trade
        return rows

    @property
    def committed(self) -> dict[int, int]:
        asked = [TopicPartition(self.kafka.topic, partition) for partition in range(self.kafka.partitions)]
        return {found.partition: found.offset for found in self._group.committed(asked, 30) if found.offset >= 0}

    @property
    def ends(self) -> dict[int, int]:
        return {
            partition: max(offset for number, offset in self.sent if number == partition) + 1
            for partition in {number for number, _ in self.sent}
        }

    def is_settled(self) -> bool:
        return self.committed == self.ends

    @contextmanager
    def consumer(self, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Run a consumer as a process of its own, and kill it at the end if it still runs."""
        own = {f"VOLWATCH_CONSUMER_{name.upper()}": value for name, value in settings.items()}
        place = {"VOLWATCH_SERVICE_HOST": "127.0.0.1", "VOLWATCH_SERVICE_PORT": "0"}
        process = subprocess.Popen(
            [sys.executable, "-m", "volwatch.cli", "consumer"],
            env={**os.environ, **self.environment, **place, **own},
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def world(platform: dict[str, str]) -> World:
    return World(platform)


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.2)


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


def as_trades(sent: dict[Position, bytes]) -> dict[Position, Trade]:
    return {at: decode(value) for at, value in sent.items()}


def test_a_few_records_on_a_quiet_topic_are_stored_within_their_age(world: World) -> None:
    world.send_trades(3)
    with world.consumer(flush_seconds="1"):
        wait_until(world.is_settled)
    assert world.stored == as_trades(world.sent)


def test_sigterm_stores_what_is_held_commits_it_and_ends_well(world: World) -> None:
    world.send_trades(20_000)
    with world.consumer(flush_seconds="3600", flush_rows="3000") as process:
        # An object takes what a round brings, 3,000 rows at least: some of the rest may wait for company.
        wait_until(lambda: sum(world.committed.values()) >= 6 * 3_000)
        world.send_trades(100)
        time.sleep(3.0)
        assert not world.is_settled()
        assert stop(process) == 0
    assert world.stored == as_trades(world.sent)
    assert world.committed == world.ends


def test_a_killed_consumer_loses_nothing(world: World) -> None:
    for _ in range(3):
        before = sum(world.committed.values())
        world.send_trades(20_000)
        with world.consumer(flush_rows="500"):
            wait_until(lambda before=before: sum(world.committed.values()) > before)  # type: ignore[misc]
    world.send_trades(10)
    with world.consumer(flush_seconds="1"):
        wait_until(world.is_settled)
    assert world.stored == as_trades(world.sent)


def test_consumers_that_join_and_leave_lose_nothing(world: World) -> None:
    with ExitStack() as processes:
        first = processes.enter_context(world.consumer(flush_seconds="2"))
        world.send_trades(5_000)
        wait_until(lambda: sum(world.committed.values()) > 0)
        second = processes.enter_context(world.consumer(flush_seconds="2"))
        for _ in range(10):
            world.send_trades(2_000)
            time.sleep(0.5)
        assert stop(first) == 0
        world.send_trades(5_000)
        wait_until(world.is_settled)
        assert stop(second) == 0
    assert world.stored == as_trades(world.sent)


def test_records_that_are_no_trades_are_set_aside_with_their_reason(world: World) -> None:
    world.send([b"{", encode(some_trade(1)), b'{"symbol":"AAPL"}'], partition=2)
    with world.consumer(flush_seconds="1"):
        wait_until(world.is_settled)
    assert world.stored == {(2, 1): some_trade(1)}
    assert quarantined(world.kafka, 2) == {
        0: (b"{", b"MALFORMED", b"Input data was truncated"),
        2: (b'{"symbol":"AAPL"}', b"MALFORMED", b"Object missing required field `source`"),
    }


def quarantined(kafka: KafkaSettings, count: int) -> dict[int, tuple[object, object, object]]:
    reader = Consumer({**kafka.client_config(), "group.id": "test", "enable.auto.commit": False})
    partitions = range(len(reader.list_topics(kafka.quarantine_topic, 30).topics[kafka.quarantine_topic].partitions))
    reader.assign([TopicPartition(kafka.quarantine_topic, partition, 0) for partition in partitions])
    told: dict[int, tuple[object, object, object]] = {}
    for message in reader.consume(count, 30):
        headers = dict(message.headers() or [])
        assert headers["partition"] == b"2"
        told[int(headers["offset"] or b"")] = (message.value(), headers["reason"], headers["detail"])
    reader.close()
    return told


def test_a_store_that_is_away_for_a_while_is_waited_for(world: World, stack: Stack) -> None:
    with world.consumer(flush_seconds="1", buffer_bytes=str(2**20)) as process:
        world.send_trades(1_000)
        wait_until(world.is_settled)
        stack.minio.stop()
        try:
            world.send_trades(20_000)
            time.sleep(8.0)
            assert process.poll() is None
        finally:
            stack.minio.start()
        wait_until(world.is_settled)
    assert world.stored == as_trades(world.sent)


def test_a_broker_that_is_away_for_a_while_is_waited_for(world: World, stack: Stack) -> None:
    with world.consumer(flush_seconds="2") as process:
        world.send_trades(1_000)
        wait_until(world.is_settled)
        world.send_trades(1_000)
        time.sleep(1.0)
        stack.kafka.stop()
        time.sleep(8.0)  # the held records come of age meanwhile and cannot be committed
        assert process.poll() is None
        stack.kafka.start()
        world.send_trades(1_000)
        wait_until(world.is_settled)
        assert stop(process) == 0
    assert world.stored == as_trades(world.sent)


def test_a_store_that_stays_away_ends_the_consumer_with_nothing_committed(world: World) -> None:
    world.send_trades(10)
    world.environment["VOLWATCH_RAWZONE_ENDPOINT"] = "127.0.0.1:1"
    with world.consumer(flush_seconds="1", store_attempts="2") as process:
        assert process.wait(timeout=60) == 1
    assert world.committed == {}
