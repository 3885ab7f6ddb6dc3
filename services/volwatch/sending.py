"""Sends a few trades to their topic, and tells which of them the broker has acknowledged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import KafkaError, Message, Producer

from volwatch.settings import KafkaSettings
from volwatch.trade import KAFKA_HEADERS, Trade, encode

_DELIVERY_SECONDS = 30

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Sent:
    """Which trades, by the names that they were given, arrived, and why another one did not."""

    acknowledged: frozenset[int]
    failure: str | None


class Client(Protocol):
    """The part of ``confluent_kafka.Producer`` that is used here."""

    def produce(
        self,
        topic: str,
        value: bytes,
        key: str,
        *,
        headers: Headers,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None:
        """Queue a message, which is reported from within ``flush``."""

    def flush(self, timeout: float) -> int:
        """Wait until the queue is empty; return how many messages are left in it."""


def connect(settings: KafkaSettings, client_id: str) -> Producer:
    """Return an idempotent producer that gives up on a message after half a minute."""
    return Producer(
        {
            **settings.client_config(),
            "client.id": client_id,
            "acks": "all",
            "enable.idempotence": True,
            # As the producer chooses it: a symbol's trades stay in one partition.
            "partitioner": "murmur2_random",
            "message.timeout.ms": _DELIVERY_SECONDS * 1000,
            "log_level": 0,
        }
    )


def send(client: Client, topic: str, trades: Mapping[int, Trade]) -> Sent:
    """Send trades under their symbols, in their order; return when each is acknowledged or has failed."""
    acknowledged: set[int] = set()
    failures: list[str] = []

    def reporter(name: int) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                acknowledged.add(name)
            else:
                failures.append(error.str())

        return report

    for name, trade in trades.items():
        client.produce(topic, encode(trade), trade.symbol, headers=list(KAFKA_HEADERS), on_delivery=reporter(name))
    unreported = client.flush(_DELIVERY_SECONDS + 5)
    if unreported and not failures:
        failures.append(f"no report for {unreported} records")
    return Sent(frozenset(acknowledged), failures[0] if failures else None)
