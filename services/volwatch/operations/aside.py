"""The Kafka topic of records that were no trades, read as far as it goes now and no further."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Protocol, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from volwatch.errors import Transient
from volwatch.settings import KafkaSettings

_ANSWER_SECONDS = 30.0
_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Aside:
    """A record of the topic.

    Attributes
    ----------
    partition, offset : where it is on the topic.
    at : when the broker had it.
    symbol : its key; None where the consumer set it aside, which gives none.
    reason, detail : why it is no trade.
    origin : partition/offset of the topic of trades, where it came from there.
    value : its bytes, None where they were too many to set aside.
    """

    partition: int
    offset: int
    at: datetime
    symbol: str | None
    reason: str
    detail: str
    origin: str
    value: bytes | None


class Client(Protocol):
    """The part of ``confluent_kafka.Consumer`` that is used here."""

    def list_topics(self, topic: str, timeout: float) -> object:
        """Return what there is."""

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        """Return first and end offset."""

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Return the first offsets at a time or later; below 0 where there is none."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Read these from their offsets on."""

    def poll(self, timeout: float) -> Message | None:
        """Return the next record."""


def connect(settings: KafkaSettings) -> Consumer:
    """Return a client that commits nothing and joins no group."""
    return Consumer(
        {
            **settings.client_config(),
            "group.id": "volwatch-quarantine",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )


def newest(
    settings: KafkaSettings, since: datetime | None, most: int, wanted: Callable[[Aside], bool]
) -> tuple[list[Aside], Counter[str]]:
    """Return the newest wanted records, and how many of each reason were wanted (``read``).

    Raises
    ------
    Transient
        Kafka does not answer.
    """
    try:
        with closing(connect(settings)) as client:
            topic = client.list_topics(settings.quarantine_topic, timeout=_ANSWER_SECONDS).topics
            partitions = sorted(topic[settings.quarantine_topic].partitions)
            return read(client, settings.quarantine_topic, partitions, since, most, wanted, time.monotonic)
    except KafkaException as error:
        raise Transient(f"Kafka at {settings.bootstrap}: {error}") from error


def read(
    client: Client,
    topic: str,
    partitions: Sequence[int],
    since: datetime | None,
    most: int,
    wanted: Callable[[Aside], bool],
    clock: Callable[[], float],
) -> tuple[list[Aside], Counter[str]]:
    """Return the newest wanted records, at most so many, and how many of each reason were wanted.

    Parameters
    ----------
    since : datetime, optional
        Read what the broker had from then on; without it the last ``most`` records of each partition.
    clock : callable
        Seconds that only go up.

    Raises
    ------
    Transient
        Nothing came for half a minute, though there is more.
    """
    starts, ends = _span(client, topic, partitions, since, most)
    client.assign([TopicPartition(topic, partition, start) for partition, start in starts.items()])
    kept: dict[int, deque[Aside]] = {partition: deque(maxlen=most) for partition in starts}
    counted: Counter[str] = Counter()
    open_ones, heard = set(starts), clock()
    while open_ones:
        message = client.poll(_POLL_SECONDS)
        if message is None or message.error() is not None:
            if clock() - heard > _ANSWER_SECONDS:
                reason = "no record" if message is None else message.error()
                raise Transient(f"{topic}: {reason} for {_ANSWER_SECONDS:g} s, though there are more")
            continue
        heard = clock()
        record = _record(message)
        if record.offset >= ends[record.partition] - 1:
            open_ones.discard(record.partition)
        if record.offset < ends[record.partition] and wanted(record):
            kept[record.partition].append(record)
            counted[record.reason] += 1
    found = sorted(chain(*kept.values()), key=lambda each: (each.at, each.partition, each.offset), reverse=True)
    return found[:most], counted


def _span(
    client: Client, topic: str, partitions: Sequence[int], since: datetime | None, most: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Return where to begin in each partition that has something to read, and its end offset."""
    starts, ends = {}, {}
    for partition in partitions:
        first, end = client.get_watermark_offsets(TopicPartition(topic, partition), timeout=_ANSWER_SECONDS)
        starts[partition], ends[partition] = max(first, end - most), end
    if since is not None:
        asked = [TopicPartition(topic, partition, round(since.timestamp() * 1000)) for partition in partitions]
        for found in client.offsets_for_times(asked, timeout=_ANSWER_SECONDS):
            starts[found.partition] = found.offset if found.offset >= 0 else ends[found.partition]
    return {partition: start for partition, start in starts.items() if start < ends[partition]}, ends


def _record(message: Message) -> Aside:
    partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
    if partition is None or offset is None:
        raise RuntimeError("a record that was read has no place")
    given = cast("list[tuple[str, bytes | None]]", message.headers() or [])  # its stubs also allow what producers give
    told = {name: _text(text) for name, text in given}
    origin = f"{told['partition']}/{told['offset']}" if {"partition", "offset"} <= told.keys() else ""
    return Aside(
        partition,
        offset,
        datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        None if key is None else _text(key),
        told.get("reason", ""),
        told.get("detail", ""),
        origin,
        value if value is None or isinstance(value, bytes) else value.encode(),
    )


def _text(given: str | bytes | None) -> str:
    return given.decode(errors="backslashreplace") if isinstance(given, bytes) else given or ""
