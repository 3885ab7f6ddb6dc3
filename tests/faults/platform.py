"""The platform under test: topics, a bucket and a database of its own on the servers of a stack."""

import csv
import io
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.faults.check import Check
from tests.faults.source import Log, is_mark
from tests.integration.worlds import World, end_mark, own_world
from volwatch import topics
from volwatch.errors import BadTrade
from volwatch.local.stack import Stack
from volwatch.settings import KafkaSettings, as_environment, inherited_environment
from volwatch.trade import KAFKA_HEADERS, Trade, decode, encode

Outcome = Mapping[str, Sequence[str]]
"""The rows of each table of a warehouse."""

_TIMEOUT_SECONDS = 30.0
_READ_SECONDS = 180.0
# librdkafka writes to standard error by itself: that a broker was away is no news here.
_QUIET: dict[str, str | int | bool] = {"log_level": 0}
_HEADERS: list[tuple[str, str | bytes | None]] = [*KAFKA_HEADERS]
# The row of an alert of a market is compared, the steps to it are not: for a while it may stand by the symbols of the
# partitions that were loaded first, be closed and opened again, or be taken back, as the other ones have their say.
_OF_SYMBOLS = (
    "event IN ('CONFIRMED', 'CLOSED') AND alert_id IN (SELECT alert_id FROM stock_alerts"
    " WHERE kind NOT IN ('MARKET', 'BLIND'))"
)


class Platform:
    """What both runs have: a topic, and behind it a raw zone and a warehouse."""

    def __init__(self, kafka: KafkaSettings, world: World) -> None:
        self.kafka = kafka
        self.world = world
        self.group = f"faults-{uuid.uuid4().hex[:8]}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What its processes are told."""
        return {
            **self.world.environment,
            **as_environment(self.kafka),
            "VOLWATCH_CONSUMER_GROUP": self.group,
            **self._detector,
        }

    @property
    def _detector(self) -> Mapping[str, str]:
        return {"VOLWATCH_DETECTOR_GROUP": f"{self.group}-detector"}

    def ends(self) -> dict[int, int]:
        """Return the end offset of each partition that has records."""
        return {partition: end for partition, (_first, end) in topics.offsets(self.kafka).items() if end}

    def committed(self) -> dict[int, int]:
        """Return how far the consumers have committed."""
        with closing(Consumer({**self.kafka.client_config(), **_QUIET, "group.id": self.group})) as member:
            asked = [TopicPartition(self.kafka.topic, partition) for partition in range(self.kafka.partitions)]
            found = member.committed(asked, _TIMEOUT_SECONDS)
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def loaded(self) -> dict[int, int]:
        """Return how far the loader is."""
        return dict(self.world.select("SELECT kafka_partition, next_offset FROM load_positions"))

    def detected(self) -> dict[int, int]:
        """Return how far the detector is, of the partitions that have records."""
        return dict(self.world.select("SELECT kafka_partition, next_offset FROM detector_state WHERE next_offset > 0"))

    def log(self) -> Log:
        """Return the whole topic of trades, read by a plain consumer that belongs to no group."""
        return {
            partition: [message.value() or b"" for message in messages]
            for partition, messages in read(self.kafka, self.kafka.topic).items()
        }

    def set_aside(self) -> set[tuple[int, int]]:
        """Return partition and offset of the records on the topic of quarantine."""
        messages = [message for held in read(self.kafka, self.kafka.quarantine_topic).values() for message in held]
        return {(_number(message, "partition"), _number(message, "offset")) for message in messages}

    def send_marks(self, log: Log) -> None:
        """Send behind every symbol's last trade the record that makes its bars final."""
        client = Producer({**self.kafka.client_config(), **_QUIET, "enable.idempotence": True})
        for partition, values in log.items():
            for trade in last_trades(values).values():
                client.produce(
                    self.kafka.topic, encode(end_mark(trade)), trade.symbol, partition=partition, headers=_HEADERS
                )
        assert client.flush(_TIMEOUT_SECONDS) == 0

    def outcome(self) -> Outcome:
        """Return all of the warehouse that must be the same however the records came."""
        # Who was first to say so is no matter.
        events = self.world.rows("alert_events", "event_id", "happened_at", "actor", where=_OF_SYMBOLS)
        return self.world.outcome() | {"alert_events": events}

    def reconcile(self) -> Check:
        """Run ``volwatch reconcile``, and return what it says."""
        words = ["reconcile", "--no-store", "--format", "csv"]
        done = subprocess.run(
            [sys.executable, "-m", "volwatch.cli", *words],
            env={**inherited_environment(), **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        counted = sum(int(row["raw_rows"]) for row in rows)
        missing = sum(int(row["kafka_end"]) - int(row["kafka_first"]) - int(row["raw_rows"]) for row in rows)
        lost = sum(int(row["difference"]) for row in rows) + max(missing, 0)
        examples = [done.stderr.strip()] if done.returncode else []
        return Check("reconcile", counted, lost or done.returncode, max(-missing, 0), tuple(examples))


def _number(message: Message, name: str) -> int:
    value = dict(message.headers() or [])[name]
    assert isinstance(value, bytes)
    return int(value)


def last_trades(values: Sequence[bytes]) -> dict[str, Trade]:
    """Return the last trade of each symbol."""
    found: dict[str, Trade] = {}
    for value in values:
        try:
            trade = decode(value)
        except BadTrade:
            continue
        if not is_mark(trade):
            found[trade.symbol] = trade
    return found


def read(kafka: KafkaSettings, topic: str) -> dict[int, list[Message]]:
    """Return everything in a topic, by partition, each from offset 0 on without a gap."""
    held: dict[int, list[Message]] = {}
    # It is assigned its partitions and never joins the group that it must name.
    with closing(
        Consumer({**kafka.client_config(), "group.id": "faults-reader", "enable.auto.commit": False})
    ) as reader:
        places = [TopicPartition(topic, partition, 0) for partition in range(kafka.partitions)]
        left = sum(reader.get_watermark_offsets(place, _TIMEOUT_SECONDS)[1] for place in places)
        reader.assign(places)
        deadline = time.monotonic() + _READ_SECONDS
        while left:
            assert time.monotonic() < deadline, f"{topic}: {left} records did not come"
            messages = reader.consume(10_000, 0.2)
            for message in messages:
                assert message.error() is None, message.error()
                rows = held.setdefault(message.partition() or 0, [])
                assert message.offset() == len(rows), f"{topic}: offset {message.offset()} follows {len(rows) - 1}"
                rows.append(message)
            left -= len(messages)
    return held


@contextmanager
def own_platform(stack: Stack, kafka: KafkaSettings) -> Iterator[Platform]:
    """Make a bucket and a database behind a topic; the latter goes at the end."""
    with own_world(stack) as world:
        yield Platform(kafka, world)


@contextmanager
def own_topics(stack: Stack) -> Iterator[KafkaSettings]:
    """Make a topic of trades and one of quarantine; they go at the end."""
    name = f"trades-{uuid.uuid4().hex[:8]}"
    kafka = stack.kafka_settings.model_copy(update={"topic": name, "quarantine_topic": f"{name}.quarantine"})
    topics.create_topics(kafka)
    yield kafka
    admin = AdminClient({**kafka.client_config()})
    for deleted in admin.delete_topics(topics.topic_names(kafka)).values():
        deleted.result(_TIMEOUT_SECONDS)
