"""The consumer on real Kafka and MinIO: what the broker acknowledged ends in the raw zone, once by its offset."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.fakes import some_trade
from tests.integration.consuming import Position, World, cpu_seconds, stop, wait_until
from volwatch.local.stack import Stack
from volwatch.settings import KafkaSettings
from volwatch.trade import Trade, decode, encode


@pytest.fixture
def world(platform: dict[str, str]) -> World:
    return World(platform)


def as_trades(sent: dict[Position, bytes]) -> dict[Position, Trade]:
    return {at: decode(value) for at, value in sent.items()}


def test_a_few_records_on_a_quiet_topic_are_stored_within_their_age(world: World) -> None:
    world.send_trades(3)
    with world.consumer(flush_seconds="1") as process:
        wait_until(world.is_settled)
        idle_since = cpu_seconds(process)
        time.sleep(3.0)
        assert cpu_seconds(process) - idle_since < 0.3
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
    for _ in range(2):
        before = sum(world.committed.values())
        world.send_trades(20_000)
        with world.consumer(flush_rows="500"):
            wait_until(lambda before=before: sum(world.committed.values()) > before)  # type: ignore[misc]
    world.send_trades(10)
    with world.consumer(flush_seconds="1"):
        wait_until(world.is_settled)
    assert world.stored == as_trades(world.sent)


def test_consumers_join_leave_and_die_under_load_and_each_record_is_loaded_once(world: World) -> None:
    with ExitStack() as processes:
        first = processes.enter_context(world.consumer(flush_seconds="1"))
        with under_load(world):
            wait_until(lambda: sum(world.committed.values()) > 0)
            second = processes.enter_context(world.consumer(flush_seconds="1"))
            wait_until(lambda: len(world.members()) == 2)
            world.loaded()
            assert stop(first) == 0
            third = processes.enter_context(world.consumer(flush_seconds="1"))
            wait_until(lambda: len(world.members()) == 2)
            second.kill()
            wait_until(lambda: len(world.members()) == 1)
            world.loaded()
        wait_until(world.is_settled)
        assert stop(third) == 0
    assert world.stored == as_trades(world.sent)
    assert world.loaded() == {partition: (end, end) for partition, end in world.ends.items()}


@contextmanager
def under_load(world: World) -> Iterator[None]:
    """Send some 2,000 trades a second meanwhile, half a minute at most."""
    enough = threading.Event()

    def send() -> None:
        for _ in range(60):
            world.send_trades(1_000)
            if enough.wait(0.5):
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        enough.set()
        sender.join()


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


def test_a_store_that_is_away_for_a_while_is_waited_for_within_the_group(world: World, stack: Stack) -> None:
    with world.consumer(world.port, flush_seconds="1", buffer_bytes=str(2**20)) as process:
        world.send_trades(1_000)
        wait_until(world.is_settled)
        before = world.members()
        stack.minio.stop()
        try:
            world.send_trades(40_000)  # more than fits
            wait_until(lambda: not world.is_ready())
            waiting_since, already = time.monotonic(), cpu_seconds(process)
            time.sleep(8.0)
            assert process.poll() is None
            assert cpu_seconds(process) - already < 0.2 * (time.monotonic() - waiting_since)
        finally:
            stack.minio.start()
        wait_until(world.is_settled)
        assert world.members() == before
        assert world.is_ready()
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
