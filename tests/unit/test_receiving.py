from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from volwatch.errors import Transient
from volwatch.receiving import Run, Subscription


def message(partition: int, offset: int, value: bytes | None = b"v", error: KafkaError | None = None) -> Message:
    return Message("trades", partition, offset, None, value, None, error, (1, 1000 + offset))


class Client:
    """Enough of a Kafka client to see what the subscription asks of it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.committed: list[TopicPartition] = []
        self.refusal: KafkaError | None = None
        self.partition_refusal: KafkaError | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.on_revoke: Callable[..., None]
        self.on_lost: Callable[..., None]
        self.on_assign: Callable[..., None] | None = None

    def subscribe(self, topics: list[str], **told: Callable[..., None]) -> None:
        self.calls.append(("subscribe", topics))
        self.on_revoke, self.on_lost = told["on_revoke"], told["on_lost"]
        self.on_assign = told.get("on_assign")

    def incremental_assign(self, given: list[TopicPartition]) -> None:
        self.calls.append(("assign", [(each.partition, each.offset) for each in given]))

    def seek(self, position: TopicPartition) -> None:
        if self.refusal:
            raise KafkaException(self.refusal)
        self.calls.append(("seek", position.partition, position.offset))

    def consume(self, _most: int, _timeout: float) -> list[Message]:
        return self.messages

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        assert not asynchronous
        if self.refusal:
            raise KafkaException(self.refusal)
        self.committed += offsets
        return offsets

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("trades", 0), TopicPartition("trades", 4)]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.calls.append(("pause", [taken.partition for taken in partitions]))

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.calls.append(("resume", [taken.partition for taken in partitions]))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def subscription(client: Client) -> Subscription:
    return Subscription(cast("Consumer", client), "trades")


def test_messages_come_in_runs_of_a_partition(client: Client, subscription: Subscription) -> None:
    client.messages = [message(1, 7), message(1, 9, None), message(0, 3), message(1, 10)]
    assert subscription.read(100, 0.0) == [
        Run(1, [7, 9], [b"v", None], 1007),
        Run(0, range(3, 4), [b"v"], 1003),
        Run(1, range(10, 11), [b"v"], 1010),
    ]


@pytest.mark.parametrize("code", [KafkaError._ALL_BROKERS_DOWN, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_fault_that_passes_by_itself_leaves_the_records(
    client: Client, subscription: Subscription, code: int
) -> None:
    client.messages = [message(0, 3), message(0, -1, error=KafkaError(code)), message(0, 4)]
    assert subscription.read(100, 0.0) == [Run(0, range(3, 5), [b"v", b"v"], 1003)]


@pytest.mark.parametrize(
    "error",
    [KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), KafkaError(KafkaError._TIMED_OUT, "fatal", True)],
)
def test_any_other_fault_ends_reading(client: Client, subscription: Subscription, error: KafkaError) -> None:
    client.messages = [message(0, -1, error=error)]
    with pytest.raises(Transient):
        subscription.read(100, 0.0)


def test_positions_are_committed(client: Client, subscription: Subscription) -> None:
    subscription.commit({0: 5, 4: 9})
    assert [(one.topic, one.partition, one.offset) for one in client.committed] == [("trades", 0, 5), ("trades", 4, 9)]


def test_a_refused_commit_is_transient(client: Client, subscription: Subscription) -> None:
    client.refusal = KafkaError(KafkaError.ILLEGAL_GENERATION)
    with pytest.raises(Transient, match="commit"):
        subscription.commit({0: 5})


def test_the_group_tells_which_partitions_it_takes(client: Client, subscription: Subscription) -> None:
    told: list[tuple[str, list[int]]] = []
    subscription.subscribe(lambda taken: told.append(("revoke", taken)), lambda taken: told.append(("lost", taken)))
    client.on_revoke(client, client.assignment())
    client.on_lost(client, client.assignment()[:1])
    assert told == [("revoke", [0, 4]), ("lost", [0])]
    assert client.calls == [("subscribe", ["trades"])]


def test_pausing_and_resuming_takes_all_that_is_assigned(client: Client, subscription: Subscription) -> None:
    subscription.pause()
    subscription.resume()
    assert client.calls == [("pause", [0, 4]), ("resume", [0, 4])]


def test_who_keeps_positions_of_its_own_says_where_partitions_that_are_given_start(
    client: Client, subscription: Subscription
) -> None:
    subscription.subscribe(lambda _: None, lambda _: None, lambda partitions: {partitions[0]: 17})
    assert client.on_assign is not None
    client.on_assign(client, [TopicPartition("trades", 3), TopicPartition("trades", 5, 40)])
    assert client.calls[-1] == ("assign", [(3, 17), (5, 40)])


def test_who_goes_on_where_it_committed_leaves_that_to_the_client(client: Client, subscription: Subscription) -> None:
    subscription.subscribe(lambda _: None, lambda _: None)
    assert client.on_assign is None


def test_reading_goes_on_elsewhere_or_fails_in_a_way_that_is_tried_again(
    client: Client, subscription: Subscription
) -> None:
    subscription.seek(2, 99)
    assert client.calls[-1] == ("seek", 2, 99)
    client.refusal = KafkaError(KafkaError._TIMED_OUT)
    with pytest.raises(Transient, match="seek"):
        subscription.seek(2, 99)
