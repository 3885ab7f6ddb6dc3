"""Records that are no trades, set aside on a topic of their own with the reason why, so that nothing is lost unseen."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, Message, Producer

from volwatch.errors import Transient
from volwatch.settings import KafkaSettings
from volwatch.sifting import Reject

_DELIVERY_SECONDS = 60
# With its headers a record must stay below the 1 MB that brokers and clients take by default: one that does not could
# never be set aside, and would stop its partition for ever.
_MOST_VALUE_BYTES = 900_000
_MOST_DETAIL_CHARACTERS = 1000

Headers = list[tuple[str, str | bytes | None]]


class Quarantine:
    """The topic of rejected records."""

    def __init__(self, client: Producer, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._failure: KafkaError | None = None

    @classmethod
    def connect(cls, settings: KafkaSettings) -> "Quarantine":
        """Return the quarantine that the settings name."""
        config: dict[str, str | int | bool] = {
            **settings.client_config(),
            "client.id": "volwatch-consumer-quarantine",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "message.timeout.ms": _DELIVERY_SECONDS * 1000,
        }
        return cls(Producer(config), settings.quarantine_topic)

    def send(self, rejects: Sequence[Reject]) -> None:
        """Set records aside, their values unchanged; return only when the broker has acknowledged all of them.

        Raises
        ------
        Transient
            When one was not acknowledged.
        """
        if not rejects:
            return
        self._failure = None
        for reject in rejects:
            self._produce(reject)
        unsent = self._client.flush(_DELIVERY_SECONDS + 5)
        if unsent or self._failure is not None:
            raise Transient(f"{self._topic}: {unsent} records not acknowledged, {self._failure}")

    def _produce(self, reject: Reject) -> None:
        value = reject.value if len(reject.value or b"") <= _MOST_VALUE_BYTES else None
        while True:
            try:
                self._client.produce(self._topic, value=value, headers=headers(reject), on_delivery=self._note)
            except BufferError:
                self._client.poll(1.0)
            else:
                return

    def _note(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = error


def headers(reject: Reject) -> Headers:
    """Return what a quarantined record tells of itself; a value that is too large to set aside leaves its size."""
    told: Headers = [
        ("reason", reject.reason.encode()),
        ("partition", str(reject.partition).encode()),
        ("offset", str(reject.offset).encode()),
        ("detail", reject.detail[:_MOST_DETAIL_CHARACTERS].encode(errors="backslashreplace")),
    ]
    if len(reject.value or b"") > _MOST_VALUE_BYTES:
        told.append(("omitted_bytes", str(len(reject.value or b"")).encode()))
    return told
