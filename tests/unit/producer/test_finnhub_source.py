"""What a feed queued comes out as trades, gaps and rejects, once."""

import json
from collections import deque
from typing import Any

import pytest
from structlog.testing import capture_logs

from volwatch.analytics.bars import GAP_CONDITION
from volwatch.errors import Misconfigured
from volwatch.producer.feed import Arrived, Failed, Item, Opened
from volwatch.producer.finnhub_source import FinnhubSource
from volwatch.producer.source import Batch, Rejected
from volwatch.trade import Trade

NOW_MS = 1_790_000_000_000
FIRST_SEQ = 5_000


class Queued:
    """A feed whose queue the test fills."""

    def __init__(self, *items: Item) -> None:
        self.items = deque(items)

    def take(self) -> Item | None:
        return self.items.popleft() if self.items else None


def source_of(feed: Queued, *symbols: str) -> FinnhubSource:
    return FinnhubSource(feed, symbols or ("AAPL", "MSFT"), FIRST_SEQ, 120, lambda text: text.replace("t0ken", "***"))


def item(symbol: str, price: Any = 100.5, size: float = 3.0) -> dict[str, Any]:
    return {"s": symbol, "p": price, "t": NOW_MS - 20, "v": size, "c": ["1"]}


def arrived(*prints: dict[str, Any], at: int = NOW_MS) -> Arrived:
    return Arrived(json.dumps({"type": "trade", "data": prints}).encode(), at)


def trade(symbol: str, seq: int, at: int = NOW_MS) -> Trade:
    return Trade("finnhub", symbol, NOW_MS - 20, 100.5, 3.0, ("1",), None, at, seq)


def gap(symbol: str, seq: int, at: int) -> Trade:
    return Trade("finnhub", symbol, at, 0.0, 0.0, (GAP_CONDITION,), None, at, seq)


def read(source: FinnhubSource, until_ms: int = NOW_MS) -> Batch:
    batch = source.read(until_ms)
    assert batch is not None
    return batch


def test_trades_come_out_in_order_and_numbered_without_gaps() -> None:
    feed = Queued(arrived(item("AAPL"), item("MSFT")), arrived(item("AAPL"), at=NOW_MS + 9))
    assert read(source_of(feed)) == Batch(
        [trade("AAPL", 5_000), trade("MSFT", 5_001), trade("AAPL", 5_002, NOW_MS + 9)], more=False
    )


def test_each_time_the_feed_can_see_again_every_symbol_has_a_gap_before_its_trades() -> None:
    feed = Queued(Opened(NOW_MS), arrived(item("AAPL")), Opened(NOW_MS + 50), arrived(item("MSFT"), at=NOW_MS + 60))
    assert read(source_of(feed)).trades == [
        gap("AAPL", 5_000, NOW_MS),
        gap("MSFT", 5_001, NOW_MS),
        trade("AAPL", 5_002),
        gap("AAPL", 5_003, NOW_MS + 50),
        gap("MSFT", 5_004, NOW_MS + 50),
        trade("MSFT", 5_005, NOW_MS + 60),
    ]


def test_a_message_sent_again_goes_and_takes_no_number_even_after_a_reconnection() -> None:
    message = (item("AAPL"), item("AAPL"), item("AAPL", price="dear"))
    feed = Queued(arrived(*message), Opened(NOW_MS + 10), arrived(*message, at=NOW_MS + 20), arrived(item("MSFT")))
    batch = read(source_of(feed, "AAPL", "MSFT"))
    assert [row.seq for row in batch.trades] == [5_000, 5_001, 5_002, 5_003, 5_004]
    assert [row.symbol for row in batch.trades if row.conditions != (GAP_CONDITION,)] == ["AAPL", "AAPL", "MSFT"]
    assert len(batch.rejected) == 1


def test_what_is_no_trade_is_set_aside_with_its_reason_and_takes_no_good_trade_along() -> None:
    bad, unknown = item("AAPL", price="dear"), item("TSLA")
    feed = Queued(arrived(bad, item("AAPL"), unknown), Arrived(b"<html>", NOW_MS))
    batch = read(source_of(feed))
    assert batch.trades == [trade("AAPL", 5_000)]
    assert batch.rejected == (
        Rejected("finnhub", "BAD_PRICE", json.dumps(bad).encode()),
        Rejected("finnhub", "UNKNOWN_SYMBOL", json.dumps(unknown).encode()),
        Rejected("finnhub", "MALFORMED", b"<html>"),
    )


def test_pings_and_messages_of_other_kinds_are_nothing() -> None:
    feed = Queued(Arrived(b'{"type":"ping"}', NOW_MS), Arrived(b'{"type":"news","data":[]}', NOW_MS))
    assert read(source_of(feed)) == Batch([], more=False)


def test_a_feed_that_has_nothing_is_not_waited_for() -> None:
    assert read(source_of(Queued())) == Batch([], more=False)


def test_a_long_queue_is_read_in_parts() -> None:
    feed = Queued(*(arrived(item("AAPL", size=float(each))) for each in range(1, 2_501)))
    source = source_of(feed)
    parts = [read(source), read(source)]
    assert [(len(part.trades), part.more) for part in parts] == [(2_000, True), (500, False)]


def test_the_error_that_ended_the_feed_is_raised_after_what_came_before() -> None:
    source = source_of(Queued(arrived(item("AAPL")), Failed(Misconfigured(["refused"]))))
    assert read(source).trades == [trade("AAPL", 5_000)]
    for _turn in range(2):
        with pytest.raises(Misconfigured, match="refused"):
            source.read(NOW_MS)


def test_an_error_that_finnhub_tells_is_logged_without_the_token() -> None:
    feed = Queued(Arrived(b'{"type":"error","msg":"t0ken: Subscribing to too many symbols"}', NOW_MS))
    with capture_logs() as logs:
        read(source_of(feed))
    assert logs == [
        {"event": "finnhub_error", "log_level": "warning", "detail": "***: Subscribing to too many symbols"}
    ]


def test_symbols_without_a_trade_are_told_of_after_five_minutes_and_hourly_but_those_that_tick() -> None:
    feed = Queued(arrived(item("AAPL")))
    source = source_of(feed, "MSFT", "AAPL", "HALT")
    told = []
    for seconds in (0, 299, 300, 301, 3_899, 3_900):
        with capture_logs() as logs:
            read(source, NOW_MS + seconds * 1_000)
        told += [(seconds, line["symbols"], line["of"]) for line in logs if line["event"] == "symbols_silent"]
    assert told == [(300, ["HALT", "MSFT"], 3), (3_900, ["HALT", "MSFT"], 3)]
