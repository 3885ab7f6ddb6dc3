"""Receives trades as a member of a consumer group: what is read, what is committed, what the group gives and takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from volwatch.errors import Transient
from volwatch.settings import KafkaSettings

_log = structlog.get_logger()

# What passes by itself: the client goes on trying.
_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError._WAIT_COORD,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
}

FETCHING = {
    # What the client reads ahead, beside what the loop holds; an answer of a broker may exceed it.
    "queued.max.messages.kbytes": 32_768,
    # Once it has read so far ahead, it asks for more after this pause. Its default, a second, is longer than the loop
    # takes for what was read ahead, so that the pause became the limit. An idle topic costs no more by it: there the
    # broker keeps a question for half a second until it has something to answer.
    "fetch.queue.backoff.ms": 20,
}
"""How the client reads ahead."""

Taken = Callable[[list[int]], None]
"""Told which partitions the group takes away."""

Given = Callable[[list[int]], Mapping[int, int]]
"""Told which partitions the group gives; returns where to start those that do not go on where they were committed."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one partition, never empty."""

    partition: int
    offsets: Sequence[int]
    values: Sequence[bytes | None]
    first_timestamp_ms: int


class Subscription:
    """One member of the consumer group, on one topic."""

    def __init__(self, client: Consumer, topic: str) -> None:
        self._client = client
        self._topic = topic

    @classmethod
    def connect(cls, settings: KafkaSettings, group: str, stage: str) -> "Subscription":
        """Return the subscription that the settings name; it joins the group with ``subscribe``."""
        config: dict[str, str | int | bool | Callable[[KafkaError], None]] = {
            **settings.client_config(),
            "client.id": f"volwatch-{stage}",
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            # A killed member's partitions stand still for so long; beats are sent beside the loop, so that it suffices.
            "session.timeout.ms": 10_000,
            **FETCHING,
            "error_cb": _log_error,
        }
        return cls(Consumer(config), settings.topic)

    def subscribe(self, on_revoke: Taken, on_lost: Taken, on_assign: Given | None = None) -> None:
        """Join the group; all are called from within ``read`` or ``close``.

        Partitions that are revoked are still this member's until ``on_revoke`` returns; those that are lost are not.
        """
        self._client.subscribe(
            [self._topic],
            **({} if on_assign is None else {"on_assign": partial(_assign, on_assign)}),
            on_revoke=lambda _, partitions: on_revoke([taken.partition for taken in partitions]),
            on_lost=lambda _, partitions: on_lost([taken.partition for taken in partitions]),
        )

    def read(self, most_records: int, timeout_seconds: float) -> list[Run]:
        """Return the records that arrive within the time, in runs of a partition.

        Raises
        ------
        Transient
            When Kafka tells of a fault that does not pass by itself.
        """
        messages = self._client.consume(most_records, timeout_seconds)
        good = messages
        if any(map(Message.error, messages)):
            for error in filter(None, map(Message.error, messages)):
                _judge(error)
            good = [message for message in messages if message.error() is None]
        return [_run(partition, list(run)) for partition, run in groupby(good, Message.partition)]

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit where reading goes on, partition by partition; raise ``Transient`` unless all are committed."""
        offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in positions.items()]
        try:
            committed = self._client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise Transient(f"commit: {error}") from error
        failed = [position for position in committed if position.error is not None]
        if failed:
            raise Transient(f"commit: {failed}")

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading a partition from an offset.

        Raises
        ------
        Transient
            Kafka did not let us.
        """
        try:
            self._client.seek(TopicPartition(self._topic, partition, offset))
        except KafkaException as error:
            raise Transient(f"seek: {error}") from error

    def pause(self) -> None:
        """Read no records until ``resume``, yet stay in the group."""
        self._client.pause(self._client.assignment())

    def resume(self) -> None:
        """Read records again."""
        self._client.resume(self._client.assignment())

    def close(self) -> None:
        """Leave the group."""
        self._client.close()


def _assign(on_assign: Given, client: Consumer, given: list[TopicPartition]) -> None:
    starts = on_assign([each.partition for each in given])
    for each in given:
        each.offset = starts.get(each.partition, each.offset)
    client.incremental_assign(given)


def _run(partition: int | None, messages: list[Message]) -> Run:
    return Run(
        partition=partition,  # type: ignore[arg-type]  # None on messages not yet sent only; so are the offsets
        offsets=_offsets(messages),
        values=list(map(Message.value, messages)),  # by map: for each record a call from C, not one from Python
        first_timestamp_ms=messages[0].timestamp()[1],
    )


def _offsets(messages: list[Message]) -> Sequence[int]:
    first: int = messages[0].offset()  # type: ignore[assignment]
    last: int = messages[-1].offset()  # type: ignore[assignment]
    if last - first + 1 == len(messages):  # they ascend, so none is left out
        return range(first, last + 1)
    return [message.offset() for message in messages]  # type: ignore[misc]


def _judge(error: KafkaError) -> None:
    _log_error(error)
    if error.fatal() or error.code() not in _PASSING:
        raise Transient(f"kafka: {error.str()}")


def _log_error(error: KafkaError) -> None:
    _log.warning("kafka_error", code=error.name(), error=error.str())
