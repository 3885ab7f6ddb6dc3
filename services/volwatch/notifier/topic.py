"""The topic of alerts: each transition is a record, in the order of its alert's life."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record

from volwatch.alert_transition import RECORD_VERSION, AlertTransition, encode
from volwatch.errors import Transient
from volwatch.notifier.message import Message
from volwatch.settings import KafkaSettings

_DELIVERY_SECONDS = 10

Headers = list[tuple[str, str | bytes | None]]
Report = Callable[[KafkaError | None, Record], None]


class Client(Protocol):
    """The part of ``confluent_kafka.Producer`` that is used here."""

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers, on_delivery: Report) -> None:
        """Queue a record."""

    def flush(self, timeout: float) -> int:
        """Wait until the queue is empty; return how many records are left in it."""


class Topic:
    """The other end of the channel to Kafka."""

    refresh_seconds: float | None = None

    def __init__(self, client: Client, topic: str) -> None:
        self._client = client
        self._topic = topic

    @classmethod
    def connect(cls, settings: KafkaSettings) -> "Topic":
        """Return the topic that the settings name."""
        config: dict[str, Any] = {
            **settings.client_config(),
            "client.id": "volwatch-notifier",
            "enable.idempotence": True,
            "compression.type": "lz4",
            # As the trades' keys: an alert's records stay in one partition, whoever counts partitions.
            "partitioner": "murmur2_random",
            "message.timeout.ms": _DELIVERY_SECONDS * 1000,
            "log_level": 0,
        }
        return cls(Producer(config), settings.alerts_topic)

    def send(self, message: Message) -> None:
        """Append the transitions; return when the broker has acknowledged all."""
        failures: list[str] = []

        def report(error: KafkaError | None, _record: Record) -> None:
            if error is not None:
                failures.append(error.str())

        for step in message.steps:
            self._produce(step, report)
        unreported = self._client.flush(_DELIVERY_SECONDS + 5)
        if unreported or failures:
            raise Transient(f"topic {self._topic}: {failures[0] if failures else f'{unreported} without report'}")

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Do nothing: the topic keeps what it was told."""

    def _produce(self, step: AlertTransition, report: Report) -> None:
        headers: Headers = [("v", RECORD_VERSION.encode()), ("idempotency_key", step.key.encode())]
        try:
            self._client.produce(self._topic, encode(step), step.alert_id, headers=headers, on_delivery=report)
        except (BufferError, KafkaException) as error:
            raise Transient(f"topic {self._topic}: {error}") from error
