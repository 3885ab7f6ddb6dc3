"""A topic, a raw zone and a warehouse of a test's own, and consumers between them as processes of their own."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from confluent_kafka import Consumer, ConsumerGroupState, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.fakes import some_trade
from tests.integration.worlds import World as Warehouse
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.store import Rawzone
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load
from volwatch.trade import Trade, encode

Position = tuple[int, int]


class World:
    """A platform of the test's own, seen from both ends of the consumer."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            self.kafka, rawzone, warehouse = load(KafkaSettings, RawzoneSettings, WarehouseSettings)
        self.rawzone = Rawzone.connect(rawzone)
        self.warehouse = Warehouse(rawzone, warehouse)
        self.port = free_port(random.Random())
        self.sent: dict[Position, bytes] = {}
        # It asks for the group's positions and never joins it.
        self._group = Consumer({**self.kafka.client_config(), "group.id": environment["VOLWATCH_CONSUMER_GROUP"]})
        self._admin = AdminClient({**self.kafka.client_config()})

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

    def members(self) -> set[str]:
        """Return who is in the group, which is not about to change."""
        group = self.environment["VOLWATCH_CONSUMER_GROUP"]
        told = self._admin.describe_consumer_groups([group])[group].result(timeout=30)
        return {member.member_id for member in told.members} if told.state == ConsumerGroupState.STABLE else set()

    def is_ready(self) -> bool:
        """Whether the consumer that was started at ``port`` reads."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError:
            return False

    def loaded(self) -> dict[int, tuple[int, int]]:
        """Load what is stored; return by partition how many rows were ever loaded, and where loading goes on."""
        self.warehouse.run()
        return {
            partition: (rows, next_offset)
            for partition, rows, next_offset in self.warehouse.select(
                "SELECT kafka_partition, sum(rows_loaded)::int, max(next_offset)"
                " FROM raw_objects JOIN load_positions USING (kafka_partition) GROUP BY kafka_partition"
            )
        }

    @contextmanager
    def consumer(self, port: int = 0, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Run a consumer as a process of its own, and kill it at the end if it still runs."""
        own = {f"VOLWATCH_CONSUMER_{name.upper()}": value for name, value in settings.items()}
        place = {"VOLWATCH_SERVICE_HOST": LOOPBACK, "VOLWATCH_SERVICE_PORT": str(port)}
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


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.2)  # other processes bring it about, and tell nobody


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60)


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)
