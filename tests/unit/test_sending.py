"""A few trades to their topic, and which of them arrived."""

from collections.abc import Callable
from typing import Any, cast

from confluent_kafka import KafkaError, Message

from tests.fakes import some_trade
from volwatch.sending import Headers, Sent, send
from volwatch.trade import KAFKA_HEADERS, encode

Report = Callable[[KafkaError | None, Message], None]
TRADES = {7: some_trade(1), 9: some_trade(2)}


class Broker:
    """Reports what it was sent when it is waited for: a failure for some, nothing for others, by their place."""

    def __init__(self, fails: int | None = None, silent: int | None = None) -> None:
        self.fails, self.silent = fails, silent
        self.sent: list[tuple[Any, ...]] = []
        self._reports: list[Report] = []

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers, on_delivery: Report) -> None:
        self.sent.append((topic, value, key, headers))
        self._reports.append(on_delivery)

    def flush(self, timeout: float) -> int:
        assert timeout > 0
        for place, report in enumerate(self._reports):
            if place != self.silent:
                report(KafkaError(KafkaError._MSG_TIMED_OUT) if place == self.fails else None, cast("Message", None))
        return int(self.silent is not None)


def test_a_trade_goes_under_its_symbol_with_the_version_of_the_record() -> None:
    broker = Broker()
    assert send(broker, "trades", TRADES) == Sent(frozenset({7, 9}), None)
    assert broker.sent == [("trades", encode(each), each.symbol, KAFKA_HEADERS) for each in TRADES.values()]


def test_one_that_fails_is_not_among_those_that_arrived() -> None:
    sent = send(Broker(fails=0), "trades", TRADES)
    assert sent.acknowledged == {9}
    assert sent.failure is not None
    assert "timed out" in sent.failure.lower()


def test_one_without_a_report_counts_as_not_arrived() -> None:
    assert send(Broker(silent=1), "trades", TRADES) == Sent(frozenset({7}), "no report for 1 records")
