"""The quarantine topic: read as far as it goes now, and no further."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import cast

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition

from volwatch.errors import Transient
from volwatch.operations.aside import Aside, read


@dataclass
class Record:
    """A message as the client gives it."""

    place: tuple[int, int]
    at_ms: int
    told: dict[str, str] | None = None
    named: bytes | None = None
    held: bytes | None = b"{}"

    def error(self) -> KafkaError | None:
        return None

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]

    def timestamp(self) -> tuple[int, int]:
        return 2, self.at_ms

    def key(self) -> bytes | None:
        return self.named

    def value(self) -> bytes | None:
        return self.held

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.told and [(name, text.encode()) for name, text in self.told.items()]  # type: ignore[return-value]


@dataclass
class Topic:
    """A client whose topic ends where it does when it is asked; what comes ``behind`` is newer."""

    records: list[Record]
    behind: list[Record] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)

    def list_topics(self, topic: str, timeout: float) -> object:
        raise NotImplementedError

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        held = [each.place[1] for each in self.records if each.place[0] == partition.partition]
        return (held[0], held[-1] + 1) if held else (0, 0)

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        def first(asked: TopicPartition) -> int:
            later = (e.place[1] for e in self.records if e.place[0] == asked.partition and e.at_ms >= asked.offset)
            return next(later, -1)

        return [TopicPartition(asked.topic, asked.partition, first(asked)) for asked in partitions]

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.begun = {each.partition: each.offset for each in partitions}
        held = [*self.records, *self.behind]
        self._left = [each for each in held if each.place[1] >= self.begun.get(each.place[0], 2**63)]

    def poll(self, timeout: float) -> Message | None:
        return cast("Message", self._left.pop(0)) if self._left else None


def records() -> list[Record]:
    return [Record((number % 2, number // 2), number * 1000, {"reason": "MALFORMED"}) for number in range(10)]


def found(topic: Topic, since_ms: int | None = None, most: int = 100, reason: str | None = None) -> list[Aside]:
    since = None if since_ms is None else datetime.fromtimestamp(since_ms / 1000, UTC)
    rows, counted = read(
        topic, "aside", [0, 1, 2], since, most, lambda each: reason in (None, each.reason), count(0.0, 5.0).__next__
    )
    assert most < counted.total() or counted == Counter(each.reason for each in rows)
    return rows


def places(rows: list[Aside]) -> list[tuple[int, int]]:
    return [(each.partition, each.offset) for each in rows]


def test_the_newest_come_first_and_partitions_without_records_are_not_waited_for() -> None:
    assert places(found(Topic(records()))) == [each.place for each in reversed(records())]
    assert found(Topic([])) == []


def test_without_a_time_so_many_of_each_partition_are_read() -> None:
    topic = Topic(records())
    assert places(found(topic, most=2)) == [(1, 4), (0, 4)]
    assert topic.begun == {0: 3, 1: 3}


def test_with_a_time_all_since_then_are_read() -> None:
    topic = Topic(records())
    assert places(found(topic, since_ms=8_500)) == [(1, 4)]
    assert topic.begun == {1: 4}
    assert found(Topic(records()), since_ms=10_000) == []


def test_what_comes_while_it_reads_is_not_waited_for() -> None:
    topic = Topic(records(), behind=[Record((0, 5), 11_000), Record((0, 6), 12_000)])
    assert (0, 5) not in places(found(topic))


def test_only_what_is_wanted_is_kept() -> None:
    held = records()
    held[3].told = {"reason": "UNKNOWN_SYMBOL"}
    assert places(found(Topic(held), reason="UNKNOWN_SYMBOL")) == [(1, 1)]


def test_what_a_record_tells_of_itself() -> None:
    told = {"reason": "MALFORMED", "partition": "3", "offset": "17", "detail": "no JSON"}
    consumed, produced, bare = Record((0, 0), 1000, told), Record((0, 1), 2000, {"v": "1"}, b"AAPL"), Record((0, 2), 0)
    bare.held = None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert found(Topic([consumed, produced, bare])) == [
        Aside(0, 1, epoch.replace(second=2), "AAPL", "", "", "", b"{}"),
        Aside(0, 0, epoch.replace(second=1), None, "MALFORMED", "no JSON", "3/17", b"{}"),
        Aside(0, 2, epoch, None, "", "", "", None),
    ]


def test_a_server_that_falls_silent_is_given_up_on() -> None:
    topic = Topic(records())
    topic.get_watermark_offsets = lambda partition, timeout: (0, 99)  # type: ignore[method-assign]
    with pytest.raises(Transient, match="aside: no record for 30 s, though there are more"):
        found(topic)
