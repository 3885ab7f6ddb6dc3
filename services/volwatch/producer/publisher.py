"""The publisher: trades to Kafka, each acknowledged by all replicas or the process ends.

librdkafka reports only failed deliveries one by one; delivered messages are counted by what is no longer queued, and
the delivery time is measured on marks, one per ``send``. A report per message would cost more than sending it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, cast

import structlog
from confluent_kafka import KafkaError, Message, Producer

from volwatch import metrics
from volwatch.errors import Transient
from volwatch.producer.source import Rejected
from volwatch.settings import KafkaSettings
from volwatch.trade import KAFKA_HEADERS, Trade, encode

_log = structlog.get_logger()

Headers = Sequence[tuple[str, bytes]]
DeliveryReport = Callable[[KafkaError | None, Message], None]
ErrorReport = Callable[[KafkaError], None]

_ROWS_PER_POLL = 4_096
_FULL_QUEUE_WAIT_SECONDS = 0.1
_MARKS = 10_000
_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}


class Client(Protocol):
    """The part of ``confluent_kafka.Producer`` that is used here."""

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers) -> None:
        """Queue a message; raise BufferError when the queue is full."""

    def poll(self, timeout: float) -> int:
        """Serve the reports that are due."""

    def flush(self, timeout: float) -> int:
        """Wait until the queue is empty; return how many messages are left in it."""

    def purge(self, in_queue: bool, in_flight: bool, blocking: bool) -> None:
        """Give up what is queued, or what is on its way: each message is reported as one that failed."""

    def __len__(self) -> int: ...


def connect(settings: KafkaSettings, on_delivery: DeliveryReport, on_error: ErrorReport) -> Client:
    """Return an idempotent producer that reports to the two functions from within ``poll`` and ``flush``."""
    options: dict[str, object] = {
        **settings.client_config(),
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": 10,
        "queue.buffering.max.messages": 200_000,
        "queue.buffering.max.kbytes": 262_144,
        # The partitioner of Java clients, so that every tool finds a symbol in the same partition.
        "partitioner": "murmur2_random",
        "delivery.report.only.error": True,
        "on_delivery": on_delivery,
        "error_cb": on_error,
    }
    # Its stubs ask for lists of exactly their own kind of pairs.
    return cast("Client", Producer(options))


class Publisher:
    """Sends trades and keeps count.

    Parameters
    ----------
    connect : callable
        Makes the Kafka client, given where it shall report failed deliveries and errors.
    clock : callable
        Seconds since the epoch.
    on_wait : callable
        Called each time a full queue makes the source wait; may raise to give up.
    check : callable
        Called before anything is handed to the client; raises when it must not be.
    """

    def __init__(
        self,
        connect: Callable[[DeliveryReport, ErrorReport], Client],
        topic: str,
        quarantine_topic: str,
        clock: Callable[[], float],
        on_wait: Callable[[], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = connect(self._note_delivery, self._note_error)
        self._topic = topic
        self._quarantine_topic = quarantine_topic
        self._clock = clock
        self._on_wait = on_wait
        self._check = check
        self._failure: KafkaError | None = None
        self._marks: deque[tuple[int, float]] = deque(maxlen=_MARKS)
        self.sent = 0
        self.delivered = 0
        self.failed = 0
        self.rejected = 0
        self.withdrawn = 0
        self.waits = 0

    def send(self, trades: Sequence[Trade]) -> None:
        """Queue trades in their order, waiting for room where there is none."""
        produce, topic = self._client.produce, self._topic
        for start in range(0, len(trades), _ROWS_PER_POLL):
            rows = trades[start : start + _ROWS_PER_POLL]
            self._check()
            for trade in rows:
                try:
                    produce(topic, encode(trade), trade.symbol, headers=KAFKA_HEADERS)
                except BufferError:
                    self._send_when_there_is_room(topic, encode(trade), trade.symbol, KAFKA_HEADERS)
            self.sent += len(rows)
            self.poll()
        if trades:
            self._marks.append((self.sent, self._clock()))
            metrics.producer_event_lag_seconds.set(self._clock() - trades[-1].event_time / 1_000)
            metrics.producer_newest_event_timestamp_seconds.set(trades[-1].event_time / 1_000)

    def send_values(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Queue (key, value) pairs as they are, as if they were trades."""
        for key, value in records:
            self._send_when_there_is_room(self._topic, value, key, KAFKA_HEADERS)
            self.sent += 1

    def quarantine(self, rows: Iterable[Rejected]) -> None:
        """Set aside rows that are no trades, each with its reason as a header."""
        for row in rows:
            headers = [*KAFKA_HEADERS, ("reason", row.reason.encode())]
            self._send_when_there_is_room(self._quarantine_topic, row.record, row.key, headers)
            self.rejected += 1
            metrics.producer_trades_total.labels("rejected").inc()

    def poll(self, timeout_seconds: float = 0.0) -> None:
        """Serve delivery reports and count what was delivered.

        Raises
        ------
        Transient
            A delivery failed for good, or the client did.
        Exception
            What ``check`` raises: nothing more may be sent.
        """
        self._check()
        self._client.poll(timeout_seconds)
        self._count()

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything is delivered.

        Raises
        ------
        Transient
            Something is not.
        Exception
            What ``check`` raises: nothing more may be sent, and what was queued may be withdrawn.
        """
        self._check()
        left = self._client.flush(timeout_seconds)
        self._count()
        self._check()
        if left:
            raise Transient(f"{left} messages were not delivered within {timeout_seconds:g} s")

    def halt(self) -> None:
        """Let what is queued be taken back, from any thread and without waiting; what is on its way goes on."""
        self._client.purge(in_queue=True, in_flight=False, blocking=False)

    def withdraw(self, timeout_seconds: float) -> None:
        """Send nothing more: take back what is queued, await the answers to what is on its way, then forget the rest.

        What was forgotten is counted as withdrawn, and may have been delivered.
        """
        self._client.purge(in_queue=True, in_flight=False, blocking=True)
        self._client.flush(timeout_seconds)
        self._client.purge(in_queue=True, in_flight=True, blocking=True)
        self._client.poll(0.0)
        self._count()

    def _send_when_there_is_room(self, topic: str, value: bytes, key: str, headers: Headers) -> None:
        while True:
            self._check()
            try:
                self._client.produce(topic, value, key, headers=headers)
            except BufferError:
                self.waits += 1
                metrics.producer_backpressure_total.inc()
                self._on_wait()
                self.poll(_FULL_QUEUE_WAIT_SECONDS)
            else:
                return

    def _count(self) -> None:
        confirmed = self.sent - len(self._client) - self.failed - self.withdrawn
        if confirmed > self.delivered:
            now = self._clock()
            metrics.producer_trades_total.labels("delivered").inc(confirmed - self.delivered)
            metrics.producer_last_success_timestamp_seconds.set(now)
            self.delivered = confirmed
            while self._marks and self._marks[0][0] <= confirmed:
                metrics.producer_delivery_seconds.observe(now - self._marks.popleft()[1])
        if self._failure is not None:
            raise Transient(f"Kafka: {self._failure.name()}: {self._failure.str()}")

    def _note_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and error.code() in _PURGED:
            self.withdrawn += 1
            metrics.producer_trades_total.labels("withdrawn").inc()
        elif error is not None:
            self.failed += 1
            metrics.producer_trades_total.labels("failed").inc()
            self._failure = error

    def _note_error(self, error: KafkaError) -> None:
        _log.warning("kafka_error", error=error.name(), detail=error.str(), fatal=error.fatal())
        if error.fatal():
            self._failure = error
