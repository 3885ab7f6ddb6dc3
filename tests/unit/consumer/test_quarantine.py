from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, Producer

from volwatch.consumer.quarantine import Quarantine, headers
from volwatch.errors import Transient
from volwatch.sifting import Reject

REJECT = Reject(3, 120, b"{\xff", "MALFORMED", "Input data was truncated")


class Client:
    """Enough of a producer: a queue of bounded length, emptied by poll and flush, and a broker that may refuse."""

    def __init__(self) -> None:
        self.queue: list[tuple[bytes | None, Any, Callable[..., None]]] = []
        self.delivered: list[tuple[bytes | None, Any]] = []
        self.refusal: KafkaError | None = None
        self.reachable = True

    def produce(self, topic: str, value: bytes | None, headers: Any, on_delivery: Callable[..., None]) -> None:
        assert topic == "trades.quarantine"
        if len(self.queue) == 2:
            raise BufferError
        self.queue.append((value, headers, on_delivery))

    def poll(self, timeout: float) -> int:
        return self.flush(timeout)

    def flush(self, _timeout: float) -> int:
        if self.reachable:
            for value, told, on_delivery in self.queue:
                on_delivery(self.refusal, None)
                self.delivered.append((value, told))
            self.queue.clear()
        return len(self.queue)


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def quarantine(client: Client) -> Quarantine:
    return Quarantine(cast("Producer", client), "trades.quarantine")


def test_a_reject_keeps_its_value_and_tells_why_and_where(client: Client, quarantine: Quarantine) -> None:
    quarantine.send([REJECT])
    told = [
        ("reason", b"MALFORMED"),
        ("partition", b"3"),
        ("offset", b"120"),
        ("detail", b"Input data was truncated"),
    ]
    assert client.delivered == [(b"{\xff", told)]


def test_a_full_queue_makes_the_sender_wait_and_drops_nothing(client: Client, quarantine: Quarantine) -> None:
    quarantine.send([REJECT] * 7)
    assert len(client.delivered) == 7


def test_a_record_that_the_broker_refuses_is_not_set_aside(client: Client, quarantine: Quarantine) -> None:
    client.refusal = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(Transient, match="0 records not acknowledged"):
        quarantine.send([REJECT])
    client.refusal = None
    quarantine.send([REJECT])


def test_a_record_that_no_broker_acknowledged_is_not_set_aside(client: Client, quarantine: Quarantine) -> None:
    client.reachable = False
    with pytest.raises(Transient, match="1 records not acknowledged"):
        quarantine.send([REJECT])


def test_a_value_too_large_for_the_topic_leaves_its_size(client: Client, quarantine: Quarantine) -> None:
    large = Reject(3, 120, bytes(1_000_000), "MALFORMED", "x" * 5000)
    quarantine.send([large])
    ((value, told),) = client.delivered
    assert (value, dict(told)["omitted_bytes"], len(dict(told)["detail"])) == (None, b"1000000", 1000)


def test_a_detail_of_any_text_can_be_told() -> None:
    assert dict(headers(Reject(0, 0, None, "MALFORMED", "\ud800")))["detail"] == b"\\ud800"
