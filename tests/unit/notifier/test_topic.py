from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from tests.unit.notifier.made import delivery, step
from volwatch.alert_transition import decode
from volwatch.errors import Transient
from volwatch.notifier.message import Message
from volwatch.notifier.topic import Headers, Report, Topic


class Broker:
    """A broker that reports on flush, or fails to."""

    def __init__(self, error: KafkaError | None = None, unreported: int = 0) -> None:
        self.records: list[tuple[str, bytes, str, Headers]] = []
        self._reports: list[Callable[[], None]] = []
        self._error = error
        self._unreported = unreported

    def produce(self, topic: str, value: bytes, key: str, *, headers: Headers, on_delivery: Report) -> None:
        self.records.append((topic, value, key, headers))
        self._reports.append(lambda: on_delivery(self._error, None))  # type: ignore[arg-type]

    def flush(self, timeout: float) -> int:
        for report in self._reports[self._unreported :]:
            report()
        return self._unreported


MESSAGE = Message((delivery(step(1)), delivery(step(1, "CLOSED", event_id=2))))


def test_records_are_keyed_by_alert_and_carry_version_and_key() -> None:
    broker = Broker()
    Topic(broker, "alerts").send(MESSAGE)
    for one, (topic, value, key, headers) in zip(MESSAGE.steps, broker.records, strict=True):
        assert (topic, decode(value), key) == ("alerts", one, one.alert_id)
        assert headers == [("v", b"1"), ("idempotency_key", one.key.encode())]


def test_a_record_that_failed_or_was_not_reported_is_tried_again() -> None:
    with pytest.raises(Transient, match="Broker: Message size too large"):
        Topic(Broker(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), "alerts").send(MESSAGE)
    with pytest.raises(Transient, match="1 without report"):
        Topic(Broker(unreported=1), "alerts").send(MESSAGE)
