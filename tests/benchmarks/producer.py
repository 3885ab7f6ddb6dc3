"""Trades to Kafka: the publisher, which encodes each, against the same client producing bytes that are ready."""

import time
from collections.abc import Callable

from tests.benchmarks.market import trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
from tests.benchmarks.reading import Records, read_all
from tests.benchmarks.servers import Servers
from volwatch.errors import Transient
from volwatch.producer.publisher import Publisher, connect
from volwatch.settings import KafkaSettings
from volwatch.trade import KAFKA_HEADERS, Trade, encode

TRADES = 300_000
_ROWS_PER_POLL = 4_096
_FULL_QUEUE_WAIT_SECONDS = 0.1
_FLUSH_SECONDS = 60.0


def run(servers: Servers, tell: Callable[[str], None]) -> Measured:
    """Measure both sides until every message is acknowledged."""
    tell("producer: making the market")
    market = trades(TRADES)
    ready = [(trade.symbol, encode(trade)) for trade in market]

    def ours() -> Timed[Records]:
        settings = servers.new_topic()
        seconds, _ = timed(lambda: publish(settings, market))
        return seconds, read_all(settings, len(market))

    def peer() -> Timed[Records]:
        settings = servers.new_topic()
        seconds, _ = timed(lambda: produce(settings, ready))
        return seconds, read_all(settings, len(ready))

    return measure("producer", "trades/s", len(market), ours, peer, check, tell)


def publish(settings: KafkaSettings, market: list[Trade]) -> None:
    """Send trades as the producer does."""
    publisher = Publisher(
        lambda on_delivery, on_error: connect(settings, on_delivery, on_error),
        settings.topic,
        settings.quarantine_topic,
        time.time,
        lambda: None,
    )
    publisher.send(market)
    publisher.flush(_FLUSH_SECONDS)


def produce(settings: KafkaSettings, ready: list[tuple[str, bytes]]) -> None:
    """Send bytes through a client of the same configuration, with nothing around it."""
    client = connect(settings, lambda _error, _message: None, lambda _error: None)
    for number, (key, value) in enumerate(ready):
        while True:
            try:
                client.produce(settings.topic, value, key, headers=KAFKA_HEADERS)
            except BufferError:
                client.poll(_FULL_QUEUE_WAIT_SECONDS)
            else:
                break
        if number % _ROWS_PER_POLL == 0:
            client.poll(0.0)
    if client.flush(_FLUSH_SECONDS):
        raise Transient("the peer's messages were not delivered")


def check(made: Records, expected: Records) -> None:
    """Compare what each partition holds, in its order."""
    if made != expected:
        raise Unequal("producer: the topics differ")
