import argparse
from collections import deque
from typing import Any, cast

import pytest

from tests.fakes import TIMESTAMP_MS
from volwatch import cli
from volwatch.local import finnhub_market
from volwatch.local.finnhub_double import FinnhubDouble
from volwatch.local.finnhub_market import Market
from volwatch.local.finnhub_quotes import Quotes
from volwatch.producer.source import Batch
from volwatch.trade import Trade


class Double:
    """Keeps what it was told to send."""

    def __init__(self) -> None:
        self.quotes = Quotes(None)
        self.sent: list[tuple[dict[str, Any], ...]] = []

    def trade(self, *prints: dict[str, Any]) -> None:
        self.sent.append(prints)


class Batches:
    """Gives batches in turn, then none."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = deque(batches)
        self.asked: list[int] = []

    def read(self, until_ms: int) -> Batch | None:
        self.asked.append(until_ms)
        return self._batches.popleft() if self._batches else None


def trade(number: int) -> Trade:
    return Trade("simulator", "SIM01", TIMESTAMP_MS + number, 100.0 + number, 2.0, (), None, TIMESTAMP_MS, number)


def market(double: Double, *batches: Batch) -> Market:
    return Market(cast("FinnhubDouble", double), Batches(*batches), {"SIM01": "AAPL"})


def test_trades_are_sent_under_their_own_names_and_the_last_is_the_quote() -> None:
    double = Double()
    played = market(
        double, Batch([trade(1)], more=True), Batch([trade(2_000)], more=False), Batch([trade(3)], more=False)
    )
    played.step(7)
    told = [{"s": "AAPL", "p": 100.0 + n, "t": TIMESTAMP_MS + n, "v": 2.0, "c": ["1"]} for n in (1, 2_000)]
    assert double.sent == [(told[0],), (told[1],)]
    assert played.trades == 2
    assert double.quotes.prices == {"AAPL": (2_100.0, TIMESTAMP_MS // 1_000 + 2)}


def test_many_trades_go_in_messages_of_a_hundred() -> None:
    double = Double()
    market(double, Batch([trade(number) for number in range(250)], more=False)).step(7)
    assert [len(prints) for prints in double.sent] == [100, 100, 50]


def test_a_source_that_ends_is_no_fault() -> None:
    double = Double()
    market(double).step(7)
    assert double.sent == []


def test_it_teaches_how_it_is_used() -> None:
    parser = argparse.ArgumentParser()
    finnhub_market.add_arguments(parser)
    assert "volwatch producer --source finnhub" in parser.format_help()
    assert parser.parse_args([]).port == 8080


def test_a_market_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["local", "finnhub", "--symbols", " , "]) == 2
    assert "--symbols: name at least one" in capsys.readouterr().err
