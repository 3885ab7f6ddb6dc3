"""The client of Finnhub against its double, over real sockets; then the whole producer in front of a real Kafka."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from structlog.typing import EventDict

from volwatch.analytics.bars import GAP_CONDITION
from volwatch.errors import Misconfigured
from volwatch.local.finnhub_double import FinnhubDouble, Print
from volwatch.producer.feed import Feed
from volwatch.producer.finnhub_source import FinnhubSource
from volwatch.producer.source import Rejected
from volwatch.producer.websocket import Lost, finnhub_connection, redacted
from volwatch.runtime import Stop
from volwatch.trade import Trade

TOKEN = "s3cret-t0ken/of+finnhub"
# Backoff and watchdog are judged by this many seconds to a real one.
SPEED = 200.0
SYMBOLS = ("AAPL", "BINANCE:BTCUSDT")


class FastStop:
    """A stop in which sleep is as short as the clock is fast."""

    def __init__(self) -> None:
        self._stop = Stop()
        self.waits: list[float] = []

    @property
    def requested(self) -> bool:
        return self._stop.requested

    def request(self) -> None:
        self._stop.request()

    def wait(self, seconds: float) -> bool:
        if not self.requested:
            self.waits.append(seconds)
        return self._stop.wait(seconds / SPEED)


class Client:
    """Feed and source, read by the test."""

    def __init__(self, url: str, token: str, symbols: tuple[str, ...], fast: bool) -> None:
        self.stop = FastStop()
        secret = SecretStr(token)
        self._feed = Feed(
            partial(finnhub_connection, url, secret),
            symbols,
            self.stop,
            clock=time.time,
            monotonic=(lambda: time.monotonic() * SPEED) if fast else time.monotonic,
            random=random.Random(1).random,
        )
        self._source = FinnhubSource(self._feed, symbols, 0, 120, partial(redacted, token=secret))
        self._thread = Thread(target=self._feed.run)
        self._thread.start()
        self.trades: list[Trade] = []
        self.rejected: list[Rejected] = []

    def read(self) -> None:
        batch = self._source.read(time.time_ns() // 1_000_000)
        assert batch is not None
        self.trades += batch.trades
        self.rejected += batch.rejected

    def read_until(self, trades: int, rejected: int = 0) -> None:
        deadline = time.monotonic() + 15
        while len(self.trades) < trades or len(self.rejected) < rejected:
            assert time.monotonic() < deadline, (self.trades, self.rejected)
            self.read()
            time.sleep(0.01)

    def end(self) -> None:
        self.stop.request()
        self._thread.join(15)
        assert not self._thread.is_alive()


@contextmanager
def client(
    double: FinnhubDouble, symbols: tuple[str, ...] = SYMBOLS, token: str = TOKEN, fast: bool = False
) -> Iterator[Client]:
    made = Client(double.url, token, symbols, fast)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def double() -> Iterator[FinnhubDouble]:
    with FinnhubDouble(TOKEN) as started:
        yield started


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[list[EventDict]]:
    """What was logged; whatever the test was about, the token is in none of it, the library's debug lines included."""
    caplog.set_level("DEBUG")
    with capture_logs() as captured:
        yield captured
    assert captured != []
    text = str([*captured, *(record.getMessage() for record in caplog.get_records("call"))])
    assert [spelt for spelt in (TOKEN, "s3cret-t0ken") if spelt in text] == []


def item(symbol: str, size: float, price: float = 101.25) -> Print:
    return {"s": symbol, "p": price, "t": time.time_ns() // 1_000_000, "v": size, "c": ["1"]}


def seen(trades: list[Trade]) -> list[tuple[str, float, bool]]:
    return [(trade.symbol, trade.size, trade.conditions == (GAP_CONDITION,)) for trade in trades]


GAPS = [(symbol, 0.0, True) for symbol in SYMBOLS]


def test_trades_of_the_subscribed_symbols_arrive_in_order(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double) as reader:
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        double.trade(item("AAPL", 1), item("BINANCE:BTCUSDT", 0.5), item("TSLA", 9))
        double.trade(item("AAPL", 2))
        reader.read_until(5)
    assert seen(reader.trades) == [
        *GAPS, ("AAPL", 1.0, False), ("BINANCE:BTCUSDT", 0.5, False), ("AAPL", 2.0, False),
    ]  # fmt: skip
    assert [trade.seq for trade in reader.trades] == list(range(5))
    received = [trade.received_at for trade in reader.trades]
    assert received == sorted(received)
    assert double.requests == [f'{{"type":"subscribe","symbol":"{symbol}"}}' for symbol in SYMBOLS]


def test_above_the_cap_finnhub_tells_of_an_error_that_is_logged(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double, tuple(f"S{number:02}" for number in range(51))) as reader:
        double.wait_for(lambda it: len(it.requests) == 51)
        double.trade(item("S00", 1))
        reader.read_until(52)
        assert double.subscribed == [[f"S{number:02}" for number in range(50)]]
    assert [line["detail"] for line in logs if line["event"] == "finnhub_error"] == ["Subscribing to too many symbols"]


@pytest.mark.parametrize("how", ["close", "drop"])
def test_after_a_loss_it_connects_subscribes_and_marks_the_gap(
    double: FinnhubDouble, logs: list[EventDict], how: str
) -> None:
    with client(double) as reader:
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        double.trade(item("AAPL", 1))
        reader.read_until(3)
        lost_ms = time.time_ns() // 1_000_000
        double.close() if how == "close" else double.drop()
        double.wait_for(lambda it: len(it.handshakes) == 2 and it.subscribed == [list(SYMBOLS)])
        double.trade(item("AAPL", 2))
        reader.read_until(6)
    assert seen(reader.trades) == [*GAPS, ("AAPL", 1.0, False), *GAPS, ("AAPL", 2.0, False)]
    gap = reader.trades[3]
    assert lost_ms <= gap.event_time == gap.received_at <= reader.trades[5].received_at


def test_failures_in_a_row_are_spaced_ever_wider(double: FinnhubDouble, logs: list[EventDict]) -> None:
    double.answers += [(503, {})] * 8
    with client(double) as reader:
        reader.read_until(2)
    assert [low <= wait <= high for wait, low, high in zip(
        reader.stop.waits,
        [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 48, 48],
        [1.2, 2.4, 4.8, 9.6, 19.2, 38.4, 72, 72],
        strict=True,
    )] == [True] * 8  # fmt: skip


def test_too_many_requests_are_answered_with_the_wait_that_is_asked_for(
    double: FinnhubDouble, logs: list[EventDict]
) -> None:
    double.answers += [(429, {"Retry-After": "90"}), (429, {})]
    with client(double) as reader:
        reader.read_until(2)
    assert reader.stop.waits == [90.0, 60.0]


def test_a_stall_is_noticed_and_left(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double, fast=True) as reader:
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        double.stalled = True
        double.wait_for(lambda it: len(it.handshakes) == 2)
        double.stalled = False
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        double.trade(item("AAPL", 2))
        reader.read_until(5)
    assert seen(reader.trades) == [*GAPS, *GAPS, ("AAPL", 2.0, False)]
    assert [line["reason"] for line in logs if line["event"] == "feed_lost"] == ["no message for 120 s"]


def test_pings_alone_keep_a_connection(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double, fast=True) as reader:  # two minutes are 0.6 s, a ping comes each 0.2 s
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        double.wait_for(lambda it: it.pings >= 8)
        reader.read_until(2)
    assert (len(double.handshakes), seen(reader.trades)) == (1, GAPS)


def test_rubbish_is_set_aside_and_messages_sent_again_are_dropped(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double) as reader:
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        twins = item("AAPL", 1)
        for _turn in range(3):
            double.trade(twins, twins)
        double.send("<html>Bad Gateway</html>")
        double.send(b"\xff\xfe")
        double.send('{"type":"trade","data":[{"s":"AAPL","p":"dear","t":1,"v":1}]}')
        double.trade(item("AAPL", 2))
        reader.read_until(5, rejected=3)
    assert seen(reader.trades) == [*GAPS, ("AAPL", 1.0, False), ("AAPL", 1.0, False), ("AAPL", 2.0, False)]
    assert [(row.reason, row.record[:6]) for row in reader.rejected] == [
        ("MALFORMED", b"<html>"), ("MALFORMED", b"\xff\xfe"), ("BAD_PRICE", b'{"s":"'),
    ]  # fmt: skip


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_ends_it_at_once(double: FinnhubDouble, logs: list[EventDict], status: int) -> None:
    double.answers.append((status, {}))
    with capture_logs(), client(double) as reader, pytest.raises(Misconfigured) as caught:
        reader.read_until(1)
    logs.append({"event": "told", "log_level": "error", "text": repr(caught.value) + str(caught.value)})
    assert f"HTTP {status}" in caught.value.faults[0]
    assert (len(double.handshakes), reader.stop.waits) == (1, [])


def test_a_wrong_token_is_refused(double: FinnhubDouble) -> None:
    with pytest.raises(Misconfigured), finnhub_connection(double.url, SecretStr("another")):
        pass


def test_a_second_connection_with_the_token_drops_both(double: FinnhubDouble, logs: list[EventDict]) -> None:
    with client(double) as reader:
        double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        with (
            pytest.raises(Lost, match="one connection per key"),
            finnhub_connection(double.url, SecretStr(TOKEN)) as second,
        ):
            second.receive(10.0)
        double.wait_for(lambda it: len(it.handshakes) == 3 and it.subscribed == [list(SYMBOLS)])
        reader.read_until(4)
    assert seen(reader.trades) == [*GAPS, *GAPS]
    assert [line["event"] for line in logs] == ["feed_opened", "feed_lost", "feed_opened"]


def test_a_server_that_is_away_is_tried_again(logs: list[EventDict]) -> None:
    with FinnhubDouble(TOKEN) as gone:
        url = gone.url
    reader = Client(url, TOKEN, SYMBOLS, fast=False)
    deadline = time.monotonic() + 10
    while len(reader.stop.waits) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reader.end()
    assert {line["reason"].partition(":")[0] for line in logs} == {"ConnectionRefusedError"}
