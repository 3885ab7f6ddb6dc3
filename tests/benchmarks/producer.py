"""Trades to Kafka: the publisher, which encodes each, against the same client producing bytes that are ready."""

import time
from collections.abc import Callable

from tests.benchmarks.market import MESSAGES, trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
from tests.benchmarks.reading import Records, read_all
from tests.benchmarks.servers import Servers
from volwatch.errors import Transient
from volwatch.producer.publisher import Client, Publisher, connect
from volwatch.settings import KafkaSettings
from volwatch.trade import KAFKA_HEADERS, Trade, encode

_ROWS_PER_POLL = 4_096
_FULL_QUEUE_WAIT_SECONDS = 0.1
_FLUSH_SECONDS = 60.0


def run(servers: Servers, tell: Callable[[str], None]) -> Measured:
    """Measure both sides until every message is acknowledged."""
    tell("producer: making the market")
    market = trades(MESSAGES)
    ready = [(trade.symbol, encode(trade)) for trade in market]

    def ours() -> Timed[Records]:
        settings = servers.new_topic()
        publisher = connected(settings, market[0])
        seconds, _ = timed(lambda: publish(publisher, market[1:]))
        return seconds, read_all(settings, len(market))

    def peer() -> Timed[Records]:
        settings = servers.new_topic()
        client = connect(settings, lambda _error, _message: None, lambda _error: None)
        produce(client, settings.topic, ready[:1])
        seconds, _ = timed(lambda: produce(client, settings.topic, ready[1:]))
        return seconds, read_all(settings, len(ready))

    return measure("producer", "trades/s", len(market) - 1, ours, peer, check, tell)


def connected(settings: KafkaSettings, first: Trade) -> Publisher:
    """Return a publisher that has delivered its first trade, so that connecting is in no rate."""
    publisher = Publisher(
        lambda on_delivery, on_error: connect(settings, on_delivery, on_error),
        settings.topic,
        settings.quarantine_topic,
        time.time,
        lambda: None,
    )
    publish(publisher, [first])
    return publisher


def publish(publisher: Publisher, market: list[Trade]) -> None:
    """Send trades as the producer does, until each is acknowledged."""
    publisher.send(market)
    publisher.flush(_FLUSH_SECONDS)


def produce(client: Client, topic: str, ready: list[tuple[str, bytes]]) -> None:
    """Send bytes through a client of the same configuration, with nothing around it, until each is acknowledged."""
    for number, (key, value) in enumerate(ready):
        try:
            client.produce(topic, value, key, headers=KAFKA_HEADERS)
        except BufferError:
            _produce_when_there_is_room(client, topic, key, value)
        if number % _ROWS_PER_POLL == 0:
            client.poll(0.0)
    if client.flush(_FLUSH_SECONDS):
        raise Transient("the peer's messages were not delivered")


def _produce_when_there_is_room(client: Client, topic: str, key: str, value: bytes) -> None:
    while True:
        client.poll(_FULL_QUEUE_WAIT_SECONDS)
        try:
            client.produce(topic, value, key, headers=KAFKA_HEADERS)
        except BufferError:
            continue
        return


def check(made: Records, expected: Records) -> None:
    """Compare what each partition holds, in its order."""
    if made != expected:
        raise Unequal("producer: the topics differ")
