import signal
from argparse import Namespace
from collections.abc import Iterator

import pytest

from tests.unit.producer.fakes import START_MS
from volwatch.producer.sources import open_source, spike_faults
from volwatch.runtime import Stop
from volwatch.settings import ProducerSettings


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The signals mean what they meant before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def arguments(**given: object) -> Namespace:
    return Namespace(**{"spike_symbol": None, "history_days": 0, **given})


@pytest.mark.parametrize("symbol", [None, "SIM01", "SIM10"])
def test_a_symbol_of_the_market_may_have_a_burst(symbol: str | None) -> None:
    assert spike_faults(arguments(spike_symbol=symbol), ProducerSettings()) == []


def test_another_symbol_may_not() -> None:
    assert spike_faults(arguments(spike_symbol="AAPL"), ProducerSettings(symbols=20)) == [
        "--spike-symbol: no 'AAPL', there are SIM01 … SIM20"
    ]


def test_a_source_without_bursts_is_not_asked_for_one() -> None:
    assert spike_faults(arguments(spike_symbol="AAPL"), ProducerSettings(source="finnhub")) == []


def test_a_simulated_market_begins_when_it_is_opened() -> None:
    opened = open_source(arguments(), ProducerSettings(rate=100), None, Stop(), START_MS)
    batch = opened.source.read(START_MS + 1_000)
    assert batch is not None
    assert all(START_MS <= trade.received_at <= START_MS + 1_000 for trade in batch.trades)
    assert batch.trades[0].seq == START_MS * 1_000
    opened.close()


def test_its_history_ends_where_it_begins() -> None:
    settings = ProducerSettings(history_minutes=3, rate=100)
    batch = open_source(arguments(), settings, None, Stop(), START_MS).source.read(START_MS)
    assert batch is not None
    assert START_MS - 4 * 60_000 < batch.trades[0].received_at <= START_MS - 3 * 60_000 + 1_000
