"""``volwatch replay`` on real servers: recorded trades come again, in order, and make the same bars."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.integration.worlds import MINUTE_MS, START_MS, World, simulated
from volwatch import topics
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load, load_one
from volwatch.trade import Trade, decode

pytestmark = pytest.mark.integration

Replay = Callable[..., subprocess.CompletedProcess[str]]
FIRST_MS, END_MS = START_MS + 10 * MINUTE_MS, START_MS + 70 * MINUTE_MS


@pytest.fixture
def replay(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Run the command on a platform of the test's own, in whose raw zone two partitions of a market are."""
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    world = World(*load(RawzoneSettings, WarehouseSettings))
    for partition, rows in market().items():
        world.put_all(rows, partition, rows=400)

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "volwatch.cli", "replay", "--from", iso(FIRST_MS), "--to", iso(END_MS)]
        return subprocess.run(
            [*command, *options], env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
        )

    return run


def iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat()


def market() -> dict[int, list[Trade]]:
    partitions: dict[int, list[Trade]] = {0: [], 3: []}
    for trade in simulated(minutes=80, symbols=3, rate=0.7):
        partitions[3 if trade.symbol == "SIM03" else 0].append(trade)
    return partitions


def recorded() -> list[Trade]:
    """Return what was recorded of the range, in order of arrival."""
    rows = [trade for of_partition in market().values() for trade in of_partition]
    inside = [trade for trade in rows if FIRST_MS <= trade.received_at < END_MS]
    return sorted(inside, key=lambda trade: trade.received_at)


def on_kafka() -> list[Trade]:
    """Return the trades on the topic, in the order in which they were sent."""
    kafka = load_one(KafkaSettings)
    offsets = topics.offsets(kafka)
    reader = {**kafka.client_config(), "group.id": "replay-test", "enable.auto.commit": False}
    wanted = sum(end - first for first, end in offsets.values())
    with closing(Consumer(reader)) as consumer:
        consumer.assign([TopicPartition(kafka.topic, partition, OFFSET_BEGINNING) for partition in offsets])
        messages = consumer.consume(wanted, timeout=30.0) if wanted else []
    return sorted((decode(message.value()) for message in messages), key=lambda trade: trade.seq)


def told(trades: list[Trade]) -> list[tuple[object, ...]]:
    """Return what a replay leaves as it is."""
    return [(t.symbol, t.event_time, t.price, t.size, t.conditions, t.trade_id, t.received_at) for t in trades]


def test_a_range_is_sent_in_order_of_arrival_over_all_partitions(replay: Replay) -> None:
    done = replay("--name", "again")
    sent = on_kafka()
    trades = [trade for trade in sent if trade.conditions != ("mark",)]
    assert told(trades) == told(recorded())
    assert {trade.source for trade in sent} == {"replay-again"}
    assert [trade.seq for trade in sent] == list(range(len(sent)))
    assert len(sent) - len(trades) == 3
    assert done.returncode == 0
    assert f"{len(sent)} records delivered as replay-again in " in done.stdout


def test_some_symbols_at_a_speed_take_their_time(replay: Replay) -> None:
    began = datetime.now(UTC)
    assert replay("--symbols", "SIM03", "--speed", "1200").returncode == 0
    assert (datetime.now(UTC) - began).total_seconds() > 2.9
    assert told(on_kafka()[:-1]) == told([trade for trade in recorded() if trade.symbol == "SIM03"])


def test_a_range_without_a_trade_says_so(replay: Replay) -> None:
    done = replay("--symbols", "NOBODY")
    assert (done.returncode, on_kafka()) == (1, [])
    assert "there is no trade of that range in the raw zone" in done.stdout


def test_what_is_wrong_is_refused_before_anything_is_sent(
    replay: Replay,
) -> None:
    done = replay("--speed", "fast", "--name", "Ä")
    assert (done.returncode, on_kafka()) == (2, [])
    assert "2 fault(s)" in done.stderr
