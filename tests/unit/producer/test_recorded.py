from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from structlog.testing import capture_logs

from tests.fakes import MemoryStore
from volwatch.producer.recorded import Wanted, rawzone_trades
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.trade import Trade

TEN, ELEVEN, TWELVE = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (10, 11, 12))


class MemoryRawzone(MemoryStore):
    """A raw zone in memory that can be listed and read."""

    def store(self, hour: datetime, partition: int, first: int, trades: list[Trade]) -> None:
        key = ObjectKey(hour, partition, first, first + len(trades) - 1)
        self.put(key, encode_object(partition, list(enumerate(trades, first))))

    def list_objects(self, hour: datetime) -> Iterator[ObjectInfo]:
        keys = sorted(key for key in self.objects if key.hour == hour)
        return (ObjectInfo(key, len(self.objects[key]), "", hour) for key in keys)

    def read(self, key: ObjectKey) -> bytes:
        return self.objects[key]


def trade(symbol: str, received_at: int, source: str = "simulator") -> Trade:
    return Trade(source, symbol, received_at - 3, 100.25, 5.0, ("x",), "id", received_at, received_at * 7)


def replayed(zone: MemoryRawzone, first: datetime = TEN, last: datetime = ELEVEN) -> list[Trade]:
    return list(rawzone_trades(cast("Rawzone", zone), first, last, "replay-monday"))


def expected(*recorded: Trade) -> list[Trade]:
    return [
        Trade("replay-monday", t.symbol, t.event_time, t.price, t.size, t.conditions, t.trade_id, t.received_at, seq)
        for seq, t in enumerate(recorded)
    ]


def test_partitions_are_merged_by_receipt_and_the_hours_are_both_included() -> None:
    zone = MemoryRawzone()
    a, b, c, d = trade("A", 10), trade("B", 20), trade("A", 30), trade("B", 40)
    zone.store(TEN, 0, 0, [a])
    zone.store(ELEVEN, 0, 1, [c])
    zone.store(TEN, 1, 0, [b, d])
    zone.store(TWELVE, 0, 2, [trade("A", 50)])
    assert replayed(zone) == expected(a, b, c, d)


def test_overlapping_objects_give_each_offset_once() -> None:
    zone = MemoryRawzone()
    rows = [trade("A", 10 + index) for index in range(4)]
    zone.store(TEN, 0, 0, rows[:3])
    zone.store(TEN, 0, 1, rows[1:])
    assert replayed(zone) == expected(*rows)


def test_what_an_earlier_replay_left_is_passed_over() -> None:
    zone = MemoryRawzone()
    zone.store(TEN, 0, 0, [trade("A", 10, "replay-sunday"), trade("A", 11)])
    assert replayed(zone) == expected(trade("A", 11))


def test_an_object_that_cannot_be_read_is_skipped_and_told_of() -> None:
    zone = MemoryRawzone()
    zone.put(ObjectKey(TEN, 0, 0, 9), b"no gzip")
    zone.store(TEN, 0, 10, [trade("A", 10)])
    with capture_logs() as logs:
        assert replayed(zone) == expected(trade("A", 10))
    assert [(line["event"], line["reason"]) for line in logs] == [("object_skipped", "BAD_GZIP")]


def chosen(zone: MemoryRawzone, wanted: Wanted) -> list[Trade]:
    return list(rawzone_trades(cast("Rawzone", zone), TEN, ELEVEN, "replay-monday", wanted))


def test_of_a_range_only_what_the_producer_had_in_it_is_given() -> None:
    zone = MemoryRawzone()
    rows = [trade("A", received_at) for received_at in (10, 20, 30, 40)]
    zone.store(TEN, 0, 0, rows[:2])
    zone.store(ELEVEN, 0, 2, rows[2:])
    zone.store(ELEVEN, 1, 0, [trade("B", 25), trade("B", 45)])
    assert chosen(zone, Wanted(20, 40)) == expected(rows[1], trade("B", 25), rows[2])


def test_only_some_symbols_or_one_source_are_given() -> None:
    zone = MemoryRawzone()
    a, b, quote = trade("A", 10), trade("B", 20), trade("A", 30, "finnhub-quote")
    zone.store(TEN, 0, 0, [a, b, quote])
    assert chosen(zone, Wanted(0, 99, symbols=frozenset({"A"}))) == expected(a, quote)
    assert chosen(zone, Wanted(0, 99, source="finnhub-quote")) == expected(quote)
    assert chosen(zone, Wanted(0, 99, frozenset({"B"}), "finnhub-quote")) == []


def test_the_objects_of_a_range_are_looked_for_an_hour_before_and_after() -> None:
    half_past_ten = round(TEN.timestamp() * 1_000) + 1_800_000
    nine = datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert Wanted(half_past_ten, half_past_ten + 1).hours == (nine, ELEVEN)
