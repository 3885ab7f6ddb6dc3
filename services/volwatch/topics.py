"""The topics: made once by whoever provisions Kafka, looked for by whoever waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic

from volwatch.errors import Transient
from volwatch.settings import KafkaSettings

TIMESTAMP_TYPE = "message.timestamp.type"
LOG_APPEND_TIME = "LogAppendTime"
"""The broker's clock: the hour of a raw zone object then never runs behind that of the one before it."""

_TIMEOUT_SECONDS = 30.0
_LOOK_SECONDS = 5.0
_LOOKS, _PAUSE_SECONDS = 5, 0.2
_FORBIDDEN = {
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_CONFIG,
}


def topic_names(settings: KafkaSettings) -> list[str]:
    """Return the topics without which no trade gets anywhere."""
    return [settings.topic, settings.quarantine_topic]


def create_topics(settings: KafkaSettings) -> list[str]:
    """Let the topics exist, dated by the broker; return those that producers date and that we may not change.

    A new topic has the partitions and copies of the settings; one that exists keeps its own.

    Raises
    ------
    Transient
        Kafka did not do its part.
    """
    names = [*topic_names(settings), settings.alerts_topic]
    with _admin(settings) as admin:
        present = admin.list_topics(timeout=_LOOK_SECONDS).topics
        existing = [name for name in names if name in present or not _create(admin, settings, name)]
        return [name for name in existing if not _let_broker_date(admin, name)]


def check_topics(settings: KafkaSettings) -> None:
    """Return when both topics are there.

    Raises
    ------
    Transient
        One is not, or this user may not see it, or Kafka does not answer.
    """
    with _admin(settings) as admin:
        found = admin.list_topics(timeout=_LOOK_SECONDS).topics
    missing = [name for name in topic_names(settings) if name not in found]
    if missing:
        raise Transient(f"Kafka at {settings.bootstrap}: there is no topic {', '.join(missing)}")


def offsets(settings: KafkaSettings) -> dict[int, tuple[int, int]]:
    """Return first offset and end offset of each partition of the topic of trades; nothing where there is no topic.

    Raises
    ------
    Transient
        Kafka does not answer.
    """
    consumer = Consumer(settings.client_config() | {"group.id": "volwatch-offsets", "enable.auto.commit": False})
    try:
        topic = consumer.list_topics(settings.topic, timeout=_TIMEOUT_SECONDS).topics[settings.topic]
        return {
            partition: consumer.get_watermark_offsets(
                TopicPartition(settings.topic, partition), timeout=_TIMEOUT_SECONDS
            )
            for partition in topic.partitions
        }
    except KafkaException as error:
        raise Transient(f"Kafka at {settings.bootstrap}: {error}") from error
    finally:
        consumer.close()


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[AdminClient]:
    told: list[KafkaError] = []
    # librdkafka writes to standard error by itself, many times a second: one reason in the exception says it all.
    options: dict[str, object] = {**settings.client_config(), "log_level": 0, "error_cb": told.append}
    admin = AdminClient(cast("dict[str, str | int | float | bool]", options))  # its stubs know of no callbacks
    try:
        yield admin
    except (KafkaException, TimeoutError) as error:
        admin.poll(0)  # serves what the client has to tell
        reason = error.args[0].str() if isinstance(error, KafkaException) else f"no answer for {_TIMEOUT_SECONDS:g} s"
        causes = [cause.str() for cause in told if cause.code() != KafkaError._ALL_BROKERS_DOWN]
        raise Transient(f"Kafka at {settings.bootstrap}: {causes[-1] if causes else reason}") from error


def _create(admin: AdminClient, settings: KafkaSettings, name: str) -> bool:
    """Return whether the topic is new."""
    topic = NewTopic(
        name,
        num_partitions=settings.partitions,
        replication_factor=settings.replication,
        config={TIMESTAMP_TYPE: LOG_APPEND_TIME},
    )
    try:
        admin.create_topics([topic], request_timeout=_TIMEOUT_SECONDS)[name].result(_TIMEOUT_SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _let_broker_date(admin: AdminClient, name: str) -> bool:
    """Return whether the broker dates the topic from now on; False where it does not let us see or say so."""
    try:
        if _told_by(admin, name) != LOG_APPEND_TIME:
            entry = ConfigEntry(TIMESTAMP_TYPE, LOG_APPEND_TIME, incremental_operation=AlterConfigOpType.SET)
            resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
            altered = admin.incremental_alter_configs([resource], request_timeout=_TIMEOUT_SECONDS)
            altered[resource].result(_TIMEOUT_SECONDS)
    except KafkaException as error:
        if error.args[0].code() not in _FORBIDDEN:
            raise
        return False
    return True


def _told_by(admin: AdminClient, name: str) -> str | None:
    for looks_left in reversed(range(_LOOKS)):
        try:
            return _asked(admin, name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or not looks_left:
                raise
        # A topic that was made just now is listed before its settings can be asked for.
        time.sleep(_PAUSE_SECONDS)
    return None


def _asked(admin: AdminClient, name: str) -> str | None:
    resource = ConfigResource(ResourceType.TOPIC, name)
    described = admin.describe_configs([resource], request_timeout=_TIMEOUT_SECONDS)
    entry: ConfigEntry = described[resource].result(_TIMEOUT_SECONDS)[TIMESTAMP_TYPE]
    return entry.value
