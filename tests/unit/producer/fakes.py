"""What the producer talks to, in memory."""

from collections.abc import Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError

from volwatch.producer.publisher import DeliveryReport, ErrorReport, Headers
from volwatch.producer.source import Batch
from volwatch.trade import Trade

START_MS = 1_790_000_000_000


def some_trade(seq: int, received_at: int = START_MS) -> Trade:
    return Trade("simulator", "SIM01", received_at - 3, 101.25, 10.0, (), None, received_at, seq)


class Sent(NamedTuple):
    topic: str
    key: str
    value: bytes
    headers: list[tuple[str, bytes]]


class MemoryKafka:
    """A Kafka client whose queue holds ``room`` messages; a poll delivers them, or what ``refuse`` says."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.away = False
        self.refuse: KafkaError | None = None
        self.log: list[Sent] = []
        self._queue: list[Sent] = []
        self.on_error: ErrorReport
        self._on_delivery: DeliveryReport

    def connect(self, on_delivery: DeliveryReport, on_error: ErrorReport) -> "MemoryKafka":
        self._on_delivery, self.on_error = on_delivery, on_error
        return self

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers) -> None:
        if len(self._queue) >= self.room:
            raise BufferError
        self._queue.append(Sent(topic, key, value, list(headers)))

    def poll(self, timeout: float) -> int:
        if self.away:
            return 0
        served, self._queue = self._queue, []
        for sent in served:
            if self.refuse is None:
                self.log.append(sent)
            else:
                self._on_delivery(self.refuse, None)  # type: ignore[arg-type]
        return len(served)

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self._queue)

    def __len__(self) -> int:
        return len(self._queue)


class ListSource:
    """A source that hands over the given batches, one a reading, and then ends."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = iter(batches)
        self.read_at: list[int] = []

    def read(self, until_ms: int) -> Batch | None:
        self.read_at.append(until_ms)
        return next(self._batches, None)
