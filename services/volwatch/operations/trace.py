"""``volwatch trace``: sends one record that is no trade and follows it through every hop."""

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from typing import Protocol

from confluent_kafka import KafkaError, Message, Producer
from psycopg2 import Error

from volwatch.analytics.bars import MARK_CONDITION
from volwatch.errors import Transient
from volwatch.operations.patience import Patience, add_option
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import Rawzone
from volwatch.runtime import Stop
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, describe, load
from volwatch.topics import check_topics
from volwatch.trade import KAFKA_HEADERS, Trade, encode
from volwatch.warehouse import hops
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-trace"
PATIENCE_SECONDS = 180.0
PERIOD_SECONDS = 1.0
SOURCE = "trace"
SYMBOL = "TRACE"

_DESCRIPTION = """\
Answers the question: does a record get through, right now? Sends one to the trades topic and follows it by its offset:
Kafka acknowledges it, the raw zone has an object that answers for it, the warehouse has loaded it. Tells how long each
hop took. The record is a mark, no trade: it is in no bar, and no price, alert or other series changes by it, however
often this is run. It takes the consumer's age of an object plus the period of the minute path.
"""
_EPILOG = """\
example:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 \\
  VOLWATCH_RAWZONE_ENDPOINT=localhost:9000 VOLWATCH_RAWZONE_ACCESS_KEY=… VOLWATCH_RAWZONE_SECRET_KEY=… \\
  VOLWATCH_WAREHOUSE_HOST=localhost VOLWATCH_WAREHOUSE_USER=volwatch_readonly VOLWATCH_WAREHOUSE_PASSWORD=… \\
  volwatch trace

exit code: 0 when the record got through, 1 when a hop did not answer in time, 2 when the configuration is wrong

environment:
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where Kafka put the record, and when by its clock."""

    partition: int
    offset: int
    timestamp_ms: int


class Route(Protocol):
    """The hops. Each raises ``Transient`` while it has no answer."""

    def send(self, timeout_seconds: float) -> Place:
        """Send the record; return when Kafka has acknowledged it."""

    def stored(self, place: Place) -> ObjectKey:
        """Return the raw zone object that answers for the record."""

    def loaded(self, place: Place, key: ObjectKey) -> int:
        """Return up to which offset the record's partition is loaded, when the record is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(KafkaSettings, RawzoneSettings, WarehouseSettings)
    add_option(parser, PATIENCE_SECONDS)


def run(args: argparse.Namespace) -> int:
    """Trace one record; return 0, or 1 when a hop did not answer in time."""
    route = Servers(*load(KafkaSettings, RawzoneSettings, WarehouseSettings))
    stop = Stop.on_signals()
    return trace(route, Patience(args.patience, time.monotonic, stop.wait), _tell)


def trace(route: Route, patience: Patience, tell: Callable[[str], object]) -> int:
    """Follow one record along the route, telling of each hop; return the exit code."""
    hop, began_seconds = "kafka", 0.0

    def passed(detail: str) -> float:
        now_seconds = patience.spent_seconds
        tell(f"{hop:<10}{now_seconds - began_seconds:7.2f} s  {detail}")
        return now_seconds

    try:
        place = route.send(patience.left_seconds)
        began_seconds = passed(f"partition {place.partition}, offset {place.offset}")
        hop = "rawzone"
        key = patience.retry(lambda: route.stored(place), repeat(PERIOD_SECONDS))
        began_seconds = passed(str(key))
        hop = "warehouse"
        reached = patience.retry(lambda: route.loaded(place, key), repeat(PERIOD_SECONDS))
        began_seconds = passed(f"partition {place.partition} is loaded up to offset {reached}")
    except Transient as error:
        tell(f"{hop:<10}no answer after {patience.spent_seconds:.0f} s: {error}")
        return 1
    tell(f"a record gets through: {began_seconds:.2f} s")
    return 0


class Servers:
    """The route through the servers that the settings name."""

    def __init__(self, kafka: KafkaSettings, rawzone: RawzoneSettings, warehouse: WarehouseSettings) -> None:
        self._kafka = kafka
        self._rawzone = Rawzone.connect(rawzone)
        self._warehouse = warehouse

    def send(self, timeout_seconds: float) -> Place:
        """Send the record; return when Kafka has acknowledged it."""
        check_topics(self._kafka)  # sending to a topic that is not there might make one that nobody configured
        places: list[Place] = []
        errors: list[KafkaError] = []

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                errors.append(error)
            else:
                places.append(_place(message))

        producer = Producer(
            {
                **self._kafka.client_config(),
                "acks": "all",
                "enable.idempotence": True,
                # As the producer chooses it, so that the record goes the way of the symbol's trades.
                "partitioner": "murmur2_random",
                "message.timeout.ms": max(1_000, round(timeout_seconds * 1_000)),
                "log_level": 0,
            }
        )
        record = mark(time.time_ns() // 1_000_000)
        producer.produce(
            self._kafka.topic, encode(record), record.symbol, headers=list(KAFKA_HEADERS), on_delivery=report
        )
        producer.flush(timeout_seconds + 1)
        if not places:
            raise Transient(f"Kafka at {self._kafka.bootstrap} took no record: {errors[0] if errors else 'no report'}")
        return places[0]

    def stored(self, place: Place) -> ObjectKey:
        """Return the raw zone object that answers for the record."""
        return find_object(self._rawzone, place)

    def loaded(self, place: Place, key: ObjectKey) -> int:
        """Return up to which offset the record's partition is loaded, when the record is."""
        with closing(connect(self._warehouse, application_name=APPLICATION_NAME)) as connection:
            try:
                with connection.cursor() as cursor:
                    reached, in_ledger = hops.loaded(cursor, place.partition, str(key))
            except Error as error:
                raise Transient(f"PostgreSQL: {str(error).strip()}") from error
        if reached <= place.offset:
            raise Transient(f"partition {place.partition} is loaded up to offset {reached}: look at the minute path")
        if not in_ledger:
            raise Transient(
                f"partition {place.partition} is loaded up to offset {reached}, yet {key} was passed over: "
                "the warehouse knows more of this topic than Kafka, as after the topic was made anew"
            )
        return reached


def mark(now_ms: int) -> Trade:
    """Return the record: of a series of its own, without price and size, and no trade."""
    return Trade(SOURCE, SYMBOL, now_ms, 0.0, 0.0, (MARK_CONDITION,), None, now_ms, now_ms)


def find_object(rawzone: Rawzone, place: Place) -> ObjectKey:
    """Return the object that answers for an offset; it lies in the hour of the record, or of those before it.

    Raises
    ------
    Transient
        There is none, or the store does not answer.
    """
    hour = hour_of(place.timestamp_ms)
    for start in (hour, hour - timedelta(hours=1)):
        for found in rawzone.list_objects(start, _behind_other_partitions(start, place.partition)):
            if found.key.partition > place.partition:
                break
            if found.key.first_offset <= place.offset <= found.key.last_offset:
                return found.key
    raise Transient("no object answers for the record: look at the consumer")


def _behind_other_partitions(hour: datetime, partition: int) -> ObjectKey | None:
    return ObjectKey(hour, partition - 1, 2**63 - 1, 2**63 - 1) if partition else None


def _place(message: Message) -> Place:
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:
        raise RuntimeError("a message that was delivered has no place")
    return Place(partition, offset, message.timestamp()[1])


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
