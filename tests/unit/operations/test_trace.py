from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from tests.unit.operations.fakes import Time
from volwatch.errors import Transient
from volwatch.operations.trace import Place, find_object, mark, trace
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.trade import decode, encode

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
PLACE = Place(partition=3, offset=120, timestamp_ms=int(HOUR.timestamp() * 1000) + 7_000)
KEY = ObjectKey(HOUR, 3, 100, 130)


@dataclass
class Route:
    """Hops that answer at a time of their own."""

    time: Time
    sent_at: float = 0.0
    stored_at: float = 0.0
    loaded_at: float = 0.0

    def send(self, timeout_seconds: float) -> Place:
        self.time.now += min(self.sent_at, timeout_seconds)
        self._answer(self.sent_at, "not acknowledged")
        return PLACE

    def stored(self, place: Place) -> ObjectKey:
        self._answer(self.stored_at, "no object")
        return KEY

    def loaded(self, place: Place, key: ObjectKey) -> int:
        self._answer(self.loaded_at, "loaded up to offset 90")
        return key.last_offset + 1

    def _answer(self, at: float, reason: str) -> None:
        if self.time.now < at:
            raise Transient(reason)


def test_each_hop_tells_how_long_it_took() -> None:
    time, told = Time(), list[str]()
    route = Route(time, sent_at=0.5, stored_at=10, loaded_at=40)
    assert trace(route, time.patience(180), told.append) == 0
    assert told == [
        "kafka        0.50 s  partition 3, offset 120",
        f"rawzone     10.00 s  {KEY}",
        "warehouse   30.00 s  partition 3 is loaded up to offset 131",
        "a record gets through: 40.50 s",
    ]


@pytest.mark.parametrize(
    ("hops", "last"),
    [
        ({"sent_at": 999.0}, "kafka     no answer after 20 s: not acknowledged"),
        ({"stored_at": 999.0}, "rawzone   no answer after 20 s: no object"),
        ({"loaded_at": 999.0}, "warehouse no answer after 20 s: loaded up to offset 90"),
    ],
)
def test_the_hop_that_does_not_answer_is_named(hops: dict[str, float], last: str) -> None:
    time, told = Time(), list[str]()
    assert trace(Route(time, **hops), time.patience(20), told.append) == 1
    assert told[-1] == last


def test_the_record_is_a_mark_of_a_series_of_its_own() -> None:
    record = mark(PLACE.timestamp_ms)
    assert (record.source, record.symbol, record.conditions, record.size) == ("trace", "TRACE", ("mark",), 0.0)
    assert decode(encode(record)) == record


@dataclass
class MemoryRawzone:
    """Objects by name; counts what a listing gives out."""

    keys: list[ObjectKey]
    given: list[ObjectKey] = field(default_factory=list)

    def list_objects(self, hour: datetime, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        for key in sorted(self.keys):
            if key.hour == hour and (start_after is None or str(key) > str(start_after)):
                self.given.append(key)
                yield ObjectInfo(key, 1, "", hour)


def found(keys: list[ObjectKey], place: Place = PLACE) -> ObjectKey:
    return find_object(cast("Rawzone", MemoryRawzone(keys)), place)


@pytest.mark.parametrize("hour", [HOUR, HOUR - timedelta(hours=1)])
@pytest.mark.parametrize(("first", "last"), [(100, 130), (120, 120), (120, 130), (100, 120)])
def test_an_object_of_this_hour_or_the_last_answers_for_its_offsets(hour: datetime, first: int, last: int) -> None:
    key = ObjectKey(hour, 3, first, last)
    assert found([ObjectKey(HOUR, 3, 0, 99), key, ObjectKey(HOUR, 3, 131, 140)]) == key


def test_the_very_first_record_is_found() -> None:
    key = ObjectKey(HOUR, 0, 0, 0)
    assert found([key], Place(0, 0, PLACE.timestamp_ms)) == key


@pytest.mark.parametrize("key", [ObjectKey(HOUR, 3, 0, 119), ObjectKey(HOUR, 3, 121, 130), ObjectKey(HOUR, 2, 0, 999)])
def test_other_objects_do_not_answer(key: ObjectKey) -> None:
    with pytest.raises(Transient, match="look at the consumer"):
        found([key])


def test_other_partitions_are_not_listed() -> None:
    rawzone = MemoryRawzone([ObjectKey(HOUR, partition, 0, 999) for partition in range(6)])
    assert find_object(cast("Rawzone", rawzone), PLACE).partition == 3
    assert [key.partition for key in rawzone.given] == [3]
