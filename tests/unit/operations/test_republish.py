"""Trades to their topic again, and which of them arrived."""

from collections.abc import Callable
from typing import Any, cast

from confluent_kafka import KafkaError, Message

from tests.unit.operations.quarantined import TRADE, print_of
from volwatch.operations.republish import Headers, Sent, send
from volwatch.trade import KAFKA_HEADERS, encode

Report = Callable[[KafkaError | None, Message], None]


class Broker:
    """Reports what it was sent when it is waited for: a failure for some keys, nothing for others."""

    def __init__(self, fails: str = "", silent: str = "") -> None:
        self.fails, self.silent = fails, silent
        self.sent: list[tuple[Any, ...]] = []
        self._reports: list[tuple[str, Report]] = []

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers, on_delivery: Report) -> None:
        self.sent.append((topic, value, key, headers))
        self._reports.append((key, on_delivery))

    def flush(self, timeout: float) -> int:
        assert timeout > 0
        for key, report in self._reports:
            if key != self.silent:
                error = KafkaError(KafkaError._MSG_TIMED_OUT) if key == self.fails else None
                report(error, cast("Message", None))
        return sum(key == self.silent for key, _ in self._reports)


TRADES = {7: TRADE, 9: print_of(symbol="MSFT")}


def test_a_trade_goes_under_its_symbol_with_the_version_of_the_record() -> None:
    broker = Broker()
    assert send(broker, "trades", TRADES) == Sent(frozenset({7, 9}), None)
    assert broker.sent == [("trades", encode(each), each.symbol, KAFKA_HEADERS) for each in TRADES.values()]


def test_one_that_fails_is_not_among_those_that_arrived() -> None:
    sent = send(Broker(fails="AAPL"), "trades", TRADES)
    assert sent.acknowledged == {9}
    assert sent.failure is not None
    assert "timed out" in sent.failure.lower()


def test_one_without_a_report_counts_as_not_arrived() -> None:
    assert send(Broker(silent="MSFT"), "trades", TRADES) == Sent(frozenset({7}), "no report for 1 records")
