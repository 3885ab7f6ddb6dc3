"""A backlog of any length is drained in memory that is bounded, and stated."""

import os
import time
from collections.abc import Iterator
from itertools import cycle, islice, pairwise

import psutil
import pytest
from confluent_kafka import Producer

from tests.integration.consuming import World, stop
from tests.integration.worlds import simulated
from volwatch.trade import encode

MOST_BYTES = 384 * 2**20
"""Resident memory of a consumer with default settings: a quarter below the limit of its pod."""

_MILLION = 1_000_000
_DRAIN_SECONDS = 900.0


@pytest.fixture
def world(platform: dict[str, str]) -> World:
    return World(platform)


def fill(world: World, messages: int) -> None:
    """Send ready bytes as fast as the client can."""
    ready = [(trade.symbol, encode(trade)) for trade in simulated(minutes=10, symbols=50, rate=20.0)]
    producer = Producer({**world.kafka.client_config(), "enable.idempotence": True, "compression.type": "lz4"})
    for number, (symbol, value) in enumerate(islice(cycle(ready), messages)):
        while number % 10_000 == 0 and len(producer) > 50_000:  # its queue holds twice as many
            producer.poll(0.1)
        producer.produce(world.kafka.topic, value, symbol)
    assert producer.flush(60) == 0


def drain(world: World, messages: int) -> Iterator[tuple[int, int]]:
    """Let a consumer store them all; yield how many are committed and the memory it takes, again and again."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    with world.consumer() as process:
        memory = psutil.Process(process.pid).memory_info
        while (committed := sum(world.committed.values())) < messages:
            assert time.monotonic() < deadline, f"{committed} of {messages} are stored"
            for _ in range(10):
                yield committed, memory().rss
                time.sleep(0.03)  # between two looks at its memory
        assert stop(process) == 0


def stored(world: World) -> int:
    """Return how many records the objects answer for, which leave none out and hold none twice."""
    keys = [info.key for info in world.rawzone.list_all()]
    by_partition = {key.partition: sorted(own for own in keys if own.partition == key.partition) for key in keys}
    for own in by_partition.values():
        assert own[0].first_offset == 0
        assert all(before.last_offset + 1 == after.first_offset for before, after in pairwise(own))
    return sum(own[-1].last_offset + 1 for own in by_partition.values())


def test_a_backlog_is_drained_in_bounded_memory(world: World) -> None:
    fill(world, 300_000)
    assert max(memory for _, memory in drain(world, 300_000)) < MOST_BYTES
    assert stored(world) == 300_000


@pytest.mark.timeout(1_800)
@pytest.mark.skipif("VOLWATCH_LONG_BACKLOG" not in os.environ, reason="minutes: for VOLWATCH_LONG_BACKLOG=1")
def test_memory_does_not_grow_with_the_backlog(world: World) -> None:
    fill(world, 5 * _MILLION)
    seen = list(drain(world, 5 * _MILLION))
    early, whole = max(memory for committed, memory in seen if committed < _MILLION), max(memory for _, memory in seen)
    assert whole < MOST_BYTES
    assert whole < 1.1 * early
    assert stored(world) == 5 * _MILLION
