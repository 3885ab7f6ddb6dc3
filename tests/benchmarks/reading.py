"""Reading a topic to its end, for the peers and for the comparison of results."""

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, Message

from volwatch.errors import Transient
from volwatch.settings import KafkaSettings

Records = dict[int, list[tuple[bytes | None, bytes | None]]]
"""Key and value of the messages of each partition, in order."""

_MOST_MESSAGES_A_READ = 10_000
_READ_SECONDS = 0.2
_SILENT_READS = 150


def subscribed(settings: KafkaSettings, group: str, options: Mapping[str, int] | None = None) -> Consumer:
    """Return a member of a group of its own that reads the topic from its beginning and commits by itself nothing.

    Parameters
    ----------
    options : mapping
        What differs from the client's defaults.
    """
    client = Consumer(
        {
            **settings.client_config(),
            **(options or {}),
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    client.subscribe([settings.topic])
    return client


def each_batch(client: Consumer, count: int, take: Callable[[list[Message]], object]) -> float:
    """Hand over ``count`` messages as they come; return when the first of them came, by ``time.perf_counter``.

    Raises
    ------
    Transient
        They do not come.
    """
    began, left, silent = 0.0, count, 0
    while left > 0:
        messages = client.consume(_MOST_MESSAGES_A_READ, _READ_SECONDS)
        faults = [error for message in messages if (error := message.error()) is not None]
        silent = 0 if messages else silent + 1
        if faults or silent > _SILENT_READS:
            raise Transient(f"{left} of {count} messages did not come: {faults}")
        if left == count and messages:
            began = time.perf_counter()
        left -= len(messages)
        take(messages)
    return began


def each_message(client: Consumer, count: int, take: Callable[[Message], object]) -> float:
    """Hand over ``count`` messages one by one; return when the first of them came, by ``time.perf_counter``.

    Raises
    ------
    Transient
        They do not come.
    """
    began, left, silent = 0.0, count, 0
    while left > 0:
        message = client.poll(_READ_SECONDS)
        silent = 0 if message is not None else silent + 1
        if silent > _SILENT_READS:
            raise Transient(f"{left} of {count} messages did not come")
        if message is None:
            continue
        if message.error() is not None:
            raise Transient(f"{left} of {count} messages did not come: {message.error()}")
        if left == count:
            began = time.perf_counter()
        left -= 1
        take(message)
    return began


def read_all(settings: KafkaSettings, count: int) -> Records:
    """Return the messages of a topic."""
    records: Records = {}

    def keep(messages: list[Message]) -> None:
        for message in messages:
            records.setdefault(message.partition() or 0, []).append((message.key(), message.value()))

    client = subscribed(settings, "read-all")
    each_batch(client, count, keep)
    client.close()
    return records
