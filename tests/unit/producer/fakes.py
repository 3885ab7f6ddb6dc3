"""What the producer talks to, in memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from confluent_kafka import KafkaError

from volwatch.errors import Transient
from volwatch.producer.lease import Record
from volwatch.producer.publisher import DeliveryReport, ErrorReport, Headers
from volwatch.producer.source import Batch
from volwatch.trade import Trade

START_MS = 1_790_000_000_000

_T = TypeVar("_T")


def some_trade(seq: int, received_at: int = START_MS) -> Trade:
    return Trade("simulator", "SIM01", received_at - 3, 101.25, 10.0, (), None, received_at, seq)


class Sent(NamedTuple):
    topic: str
    key: str
    value: bytes
    headers: list[tuple[str, bytes]]


class MemoryKafka:
    """A Kafka client whose queue holds ``room`` messages; a poll delivers them, or what ``refuse`` says.

    The first ``in_flight`` of the queue are on their way: only a purge of such messages gives them up.
    """

    def __init__(self, room: int = 1_000_000) -> None:
        self.room = room
        self.away = False
        self.in_flight = 0
        self.refuse: KafkaError | None = None
        self.log: list[Sent] = []
        self.flushed_for: list[float] = []
        self._queue: list[Sent] = []
        self._purged: list[KafkaError] = []
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
        purged, self._purged = self._purged, []
        for error in purged:
            self._on_delivery(error, None)  # type: ignore[arg-type]
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
        self.flushed_for.append(timeout)
        self.poll(timeout)
        return len(self._queue)

    def purge(self, in_queue: bool, in_flight: bool, blocking: bool) -> None:
        on_its_way, queued = self._queue[: self.in_flight], self._queue[self.in_flight :]
        self._queue = ([] if in_flight else on_its_way) + ([] if in_queue else queued)
        self._purged += [KafkaError(KafkaError._PURGE_QUEUE)] * (len(queued) if in_queue else 0)
        self._purged += [KafkaError(KafkaError._PURGE_INFLIGHT)] * (len(on_its_way) if in_flight else 0)

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


class MemoryLease:
    """A lease in memory, whose requests take ``latency`` seconds; while ``away`` each times out, ``heard`` or not."""

    def __init__(self) -> None:
        self.lasts = False
        self.now = 1_000.0
        self.latency = 0.0
        self.away = False
        self.heard = False
        self.holder = ""
        self.changes = 0
        self.abandoned = False
        self.requests: list[str] = []

    def record(self) -> Record:
        return Record(self.holder, str(self.changes or ""), self.abandoned)

    def touch(self) -> None:
        """Change it as somebody does who puts a label on it."""
        self.changes += 1

    def read(self, timeout_seconds: float) -> Record:
        return self._answer("read", self.record, timeout_seconds)

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        return self._answer("take", lambda: self._write(seen, holder), timeout_seconds)

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        return self._answer("renew", lambda: self._write(own, own.holder), timeout_seconds)

    def release(self, own: Record, timeout_seconds: float) -> None:
        self._answer("release", lambda: self._write(own, ""), timeout_seconds)

    def _write(self, seen: Record, holder: str) -> Record | None:
        if seen != self.record():
            return None
        self.holder, self.abandoned = holder, False
        self.changes += 1
        return self.record()

    def _answer(self, name: str, request: Callable[[], _T], timeout_seconds: float) -> _T:
        self.requests.append(name)
        if not self.away:
            self.now += self.latency
            return request()
        if self.heard:
            request()
        self.now += timeout_seconds
        raise Transient("no answer")
