"""The topics on a Kafka in memory."""

from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource
from confluent_kafka.cimpl import NewTopic

from volwatch import topics
from volwatch.errors import Transient
from volwatch.settings import KafkaSettings
from volwatch.topics import TIMESTAMP_TYPE, check_topics, create_topics

SETTINGS = KafkaSettings(bootstrap="kafka:9092", partitions=3, replication=2)


def answer(give: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(give())
    except KafkaException as error:
        future.set_exception(error)
    return future


class Cluster:
    """Topics with their settings, and an administrator's client of them."""

    def __init__(self) -> None:
        self.topics: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.refuses: int | None = None
        self.unknown = 0
        self.away = False
        self._tell: Callable[[KafkaError], None]

    def client(self, options: dict[str, Any]) -> "Cluster":
        self._tell = options["error_cb"]
        return self

    def poll(self, _seconds: float) -> None:
        self._tell(KafkaError(KafkaError._RESOLVE, "nobody is called kafka"))
        self._tell(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    def list_topics(self, timeout: float) -> SimpleNamespace:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics=self.topics.keys() - self.hidden)

    def create_topics(self, wanted: list[NewTopic], request_timeout: float) -> dict[str, Future[Any]]:
        [topic] = wanted

        def create() -> None:
            if topic.topic in self.topics:
                raise KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))
            self.topics[topic.topic] = {
                "partitions": topic.num_partitions,
                "replication": topic.replication_factor,
                **(topic.config or {}),
            }

        return {topic.topic: answer(create)}

    def describe_configs(self, resources: list[ConfigResource], request_timeout: float) -> dict[Any, Future[Any]]:
        [resource] = resources
        if self.unknown:
            self.unknown -= 1
            return {resource: answer(unknown)}
        value = self.topics[resource.name][TIMESTAMP_TYPE]
        return {resource: answer(lambda: {TIMESTAMP_TYPE: SimpleNamespace(value=value)})}

    def incremental_alter_configs(
        self, resources: list[ConfigResource], request_timeout: float
    ) -> dict[Any, Future[Any]]:
        [resource] = resources

        def alter() -> None:
            if self.refuses is not None:
                raise KafkaException(KafkaError(self.refuses))
            self.topics[resource.name] |= {entry.name: entry.value for entry in resource.incremental_configs}

        return {resource: answer(alter)}


def unknown() -> None:
    raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(topics, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(topics, "AdminClient", made.client)
    return made


NEW = {"partitions": 3, "replication": 2, TIMESTAMP_TYPE: "LogAppendTime"}


def test_topics_are_made_once_and_dated_by_the_broker(cluster: Cluster) -> None:
    assert [create_topics(SETTINGS), create_topics(SETTINGS)] == [[], []]
    assert cluster.topics == {"trades": NEW, "trades.quarantine": NEW, "alerts": NEW}
    check_topics(SETTINGS)


def test_a_topic_that_exists_keeps_its_partitions_and_is_dated_by_the_broker_from_now_on(cluster: Cluster) -> None:
    cluster.topics["trades"] = {"partitions": 1, TIMESTAMP_TYPE: "CreateTime"}
    assert create_topics(SETTINGS) == []
    assert cluster.topics["trades"] == {"partitions": 1, TIMESTAMP_TYPE: "LogAppendTime"}


def test_a_topic_whose_settings_cannot_be_asked_for_yet_is_asked_about_again_but_not_for_ever(cluster: Cluster) -> None:
    cluster.topics["trades"] = {"partitions": 1, TIMESTAMP_TYPE: "CreateTime"}
    cluster.unknown = 4
    assert create_topics(SETTINGS) == []
    cluster.unknown = 5
    with pytest.raises(Transient):
        create_topics(SETTINGS)


def test_a_topic_that_another_one_made_just_now_is_taken_as_it_is(cluster: Cluster) -> None:
    cluster.topics["trades"] = dict(NEW)
    cluster.hidden = {"trades"}
    assert create_topics(SETTINGS) == []


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.POLICY_VIOLATION])
def test_a_topic_that_may_not_be_changed_is_told_of(cluster: Cluster, code: int) -> None:
    cluster.topics["trades"] = {TIMESTAMP_TYPE: "CreateTime"}
    cluster.refuses = code
    assert create_topics(SETTINGS) == ["trades"]


def test_any_other_fault_is_transient(cluster: Cluster) -> None:
    cluster.topics["trades"] = {TIMESTAMP_TYPE: "CreateTime"}
    cluster.refuses = KafkaError.NOT_CONTROLLER
    with pytest.raises(Transient, match="Kafka at kafka:9092"):
        create_topics(SETTINGS)


def test_topics_that_are_missing_are_named(cluster: Cluster) -> None:
    with pytest.raises(Transient, match=r"there is no topic trades, trades\.quarantine"):
        check_topics(SETTINGS)
    create_topics(SETTINGS)
    cluster.hidden = {"trades"}
    with pytest.raises(Transient, match=r"there is no topic trades$"):
        check_topics(SETTINGS)


def test_a_kafka_that_is_away_says_why(cluster: Cluster) -> None:
    cluster.away = True
    with pytest.raises(Transient, match=r"Kafka at kafka:9092: nobody is called kafka$"):
        check_topics(SETTINGS)
