from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from tests.unit.producer.fakes import START_MS, MemoryKafka, Sent, some_trade
from volwatch.errors import Transient
from volwatch.metrics import REGISTRY
from volwatch.producer.publisher import Publisher
from volwatch.producer.source import Rejected
from volwatch.trade import KAFKA_HEADERS, encode

TRADES = [some_trade(seq) for seq in range(10)]


def publisher(kafka: MemoryKafka, on_wait: Callable[[], None] = lambda: None, now: float = 0.0) -> Publisher:
    return Publisher(kafka.connect, "trades", "trades.quarantine", clock=lambda: now, on_wait=on_wait)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_trades_are_sent_in_order_under_their_symbol_with_the_version_as_header() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    sender.send(TRADES)
    assert kafka.log == [Sent("trades", "SIM01", encode(trade), [*KAFKA_HEADERS]) for trade in TRADES]
    assert (sender.sent, sender.delivered, sender.failed, sender.waits) == (10, 10, 0, 0)


def test_a_full_queue_makes_the_source_wait_and_loses_nothing() -> None:
    kafka = MemoryKafka(room=3)
    waited: list[int] = []
    sender = publisher(kafka, on_wait=lambda: waited.append(len(kafka.log)))
    before = metric("volwatch_producer_backpressure_total")
    sender.send(TRADES)
    assert [sent.value for sent in kafka.log] == [encode(trade) for trade in TRADES]
    assert waited == [0, 3, 6]
    assert (sender.waits, metric("volwatch_producer_backpressure_total") - before) == (3, 3)


def test_who_waits_may_give_up() -> None:
    kafka = MemoryKafka(room=3)
    kafka.away = True

    def give_up() -> None:
        raise Transient("enough")

    with pytest.raises(Transient, match="enough"):
        publisher(kafka, on_wait=give_up).send(TRADES)


def test_only_what_the_broker_acknowledged_counts_as_delivered() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    before = metric("volwatch_producer_trades_total", outcome="delivered")
    kafka.away = True
    sender.send(TRADES)
    assert (sender.sent, sender.delivered) == (10, 0)
    kafka.away = False
    sender.poll()
    assert (sender.sent, sender.delivered) == (10, 10)
    assert metric("volwatch_producer_trades_total", outcome="delivered") - before == 10


def test_a_delivery_that_failed_for_good_is_counted_and_ends_the_work() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    kafka.refuse = KafkaError(KafkaError._MSG_TIMED_OUT)
    before = metric("volwatch_producer_trades_total", outcome="failed")
    with pytest.raises(Transient, match="_MSG_TIMED_OUT"):
        sender.send(TRADES)
    assert (sender.failed, sender.delivered) == (10, 0)
    assert metric("volwatch_producer_trades_total", outcome="failed") - before == 10


def test_a_fatal_error_ends_the_work_and_another_is_only_logged() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    with capture_logs() as logs:
        kafka.on_error(KafkaError(KafkaError._TRANSPORT))
        sender.poll()
        kafka.on_error(KafkaError(KafkaError._FATAL, "out of order", fatal=True))
    with pytest.raises(Transient, match="out of order"):
        sender.poll()
    assert [(line["error"], line["fatal"]) for line in logs] == [("_TRANSPORT", False), ("_FATAL", True)]


def test_rejected_rows_go_to_quarantine_with_their_reason() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    sender.quarantine([Rejected("MSFT", "NO_SESSION", b"{}")])
    sender.poll()
    assert kafka.log == [Sent("trades.quarantine", "MSFT", b"{}", [*KAFKA_HEADERS, ("reason", b"NO_SESSION")])]
    assert (sender.rejected, sender.sent, sender.delivered) == (1, 0, 0)


def test_values_are_sent_as_they_are() -> None:
    kafka = MemoryKafka()
    publisher(kafka).send_values([("SIM01", b"\xff")])
    kafka.poll(0)
    assert kafka.log == [Sent("trades", "SIM01", b"\xff", [*KAFKA_HEADERS])]


def test_a_flush_that_leaves_messages_is_an_error() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    kafka.away = True
    sender.send(TRADES)
    with pytest.raises(Transient, match="10 messages were not delivered within 2 s"):
        sender.flush(2.0)


def test_lag_is_measured_from_the_event_of_the_newest_trade() -> None:
    publisher(MemoryKafka(), now=(START_MS + 497) / 1_000).send(TRADES[:1])
    assert metric("volwatch_producer_event_lag_seconds") == pytest.approx(0.5)


def test_the_delivery_time_is_observed_once_the_marked_trades_are_delivered() -> None:
    kafka = MemoryKafka()
    now = [0.0]
    sender = Publisher(kafka.connect, "trades", "q", clock=lambda: now[0], on_wait=lambda: None)
    kafka.away = True
    before = metric("volwatch_producer_delivery_seconds_sum"), metric("volwatch_producer_delivery_seconds_count")
    sender.send(TRADES)
    kafka.away = False
    now[0] = 4.0
    sender.poll()
    after = metric("volwatch_producer_delivery_seconds_sum"), metric("volwatch_producer_delivery_seconds_count")
    assert after[0] - before[0] == pytest.approx(4.0)
    assert after[1] - before[1] == 1


class OutOfTurn(Exception):
    """What a check raises."""


class Turn:
    """A right to send that ends."""

    def __init__(self) -> None:
        self.ours = True

    def check(self) -> None:
        if not self.ours:
            raise OutOfTurn


def test_nothing_is_handed_to_the_client_out_of_turn() -> None:
    kafka, turn = MemoryKafka(), Turn()
    sender = Publisher(kafka.connect, "trades", "q", lambda: 0.0, on_wait=lambda: None, check=turn.check)
    turn.ours = False
    acts: list[Callable[[], None]] = [
        lambda: sender.send(TRADES),
        lambda: sender.send_values([("SIM01", b"?")]),
        lambda: sender.quarantine([Rejected("MSFT", "NO_SESSION", b"{}")]),
        sender.poll,
        lambda: sender.flush(1.0),
    ]
    for act in acts:
        with pytest.raises(OutOfTurn):
            act()
    kafka.poll(0)
    assert (kafka.log, kafka.flushed_for) == ([], [])


def test_a_turn_that_ends_while_the_queue_is_full_is_noticed() -> None:
    kafka, turn = MemoryKafka(room=3), Turn()
    kafka.away = True

    def lose() -> None:
        turn.ours = False

    sender = Publisher(kafka.connect, "trades", "q", lambda: 0.0, on_wait=lose, check=turn.check)
    with pytest.raises(OutOfTurn):
        sender.send(TRADES)


def test_a_turn_that_ends_during_the_flush_is_noticed_though_the_queue_is_empty() -> None:
    kafka, turn = MemoryKafka(), Turn()
    sender = Publisher(kafka.connect, "trades", "q", lambda: 0.0, on_wait=lambda: None, check=turn.check)
    kafka.away = True
    sender.send(TRADES)
    kafka.away, flush = False, kafka.flush

    def flush_and_lose(timeout: float) -> int:
        turn.ours = False
        return flush(timeout)

    kafka.flush = flush_and_lose  # type: ignore[method-assign]
    with pytest.raises(OutOfTurn):
        sender.flush(1.0)


def test_what_is_withdrawn_is_not_sent_and_no_failure() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    before = metric("volwatch_producer_trades_total", outcome="withdrawn")
    kafka.away, kafka.in_flight = True, 3
    sender.send(TRADES)
    kafka.away = False
    sender.withdraw(1.5)
    assert [sent.value for sent in kafka.log] == [encode(trade) for trade in TRADES[:3]]
    assert (sender.sent, sender.delivered, sender.failed, sender.withdrawn) == (10, 3, 0, 7)
    assert (kafka.flushed_for, metric("volwatch_producer_trades_total", outcome="withdrawn") - before) == ([1.5], 7)


def test_what_nobody_answers_for_is_forgotten_so_that_it_is_not_sent_again() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    kafka.away, kafka.in_flight = True, 3
    sender.send(TRADES)
    sender.withdraw(1.5)
    kafka.away = False
    kafka.poll(0)
    assert (kafka.log, sender.delivered, sender.withdrawn) == ([], 0, 10)


def test_a_halt_takes_back_the_queue_and_leaves_what_is_on_its_way() -> None:
    kafka = MemoryKafka()
    sender = publisher(kafka)
    kafka.away, kafka.in_flight = True, 3
    sender.send(TRADES)
    sender.halt()
    assert len(kafka) == 3
