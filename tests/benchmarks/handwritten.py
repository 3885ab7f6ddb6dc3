"""The consumer's peer: the loop that one writes first. The client as it comes, a message at a time by ``poll``, each
through ``json.loads`` and ``csv.writer``; when a partition has enough rows, ``gzip.compress`` as it comes, an object
stored and its offset committed; all in one thread.

Half of its time goes to gzip, whose default level is 9. At level 1 the loop is 1.8 times as fast; with ``consume`` in
place of ``poll`` it is a twentieth faster. Neither is what one writes first.
"""

import csv
import gzip
import io
import json
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from volwatch.rawzone.encode import COLUMNS
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import Rawzone


class _Part:
    """The rows of one partition that are not stored yet."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self.writer = csv.writer(self.text, lineterminator="\n")
        self.writer.writerow(COLUMNS)
        self.offsets: list[int] = []
        self.first_timestamp_ms = 0


class HandWritten:
    """A consumer of JSON records that stores CSV objects of ``flush_rows`` rows."""

    def __init__(self, client: Consumer, topic: str, store: Rawzone, flush_rows: int) -> None:
        self._client = client
        self._topic = topic
        self._store = store
        self._flush_rows = flush_rows
        self._parts: dict[int, _Part] = {}

    def take(self, message: Message) -> None:
        """Write the message's row; store what is due."""
        number: int = message.partition()  # type: ignore[assignment]  # None on messages not yet sent only
        offset: int = message.offset()  # type: ignore[assignment]  # the same
        part = self._parts.get(number) or self._begin(number)
        part.writer.writerow([number, offset, *_fields(json.loads(message.value() or b""))])
        part.first_timestamp_ms = part.first_timestamp_ms or message.timestamp()[1]
        part.offsets.append(offset)
        if len(part.offsets) >= self._flush_rows:
            self._store_part(number)

    def finish(self) -> None:
        """Store what is left."""
        for number in list(self._parts):
            self._store_part(number)

    def _begin(self, number: int) -> _Part:
        self._parts[number] = _Part()
        return self._parts[number]

    def _store_part(self, number: int) -> None:
        part = self._parts.pop(number)
        key = ObjectKey(hour_of(part.first_timestamp_ms), number, part.offsets[0], part.offsets[-1])
        self._store.put(key, gzip.compress(part.text.getvalue().encode()))
        position = TopicPartition(self._topic, number, part.offsets[-1] + 1)
        self._client.commit(offsets=[position], asynchronous=False)


def _fields(record: dict[str, Any]) -> list[Any]:
    conditions = json.dumps(record["conditions"]) if record["conditions"] else ""
    before = ("source", "symbol", "event_time", "price", "size")
    after = ("trade_id", "received_at", "seq")
    return [*(record[name] for name in before), conditions, *(record[name] for name in after)]
