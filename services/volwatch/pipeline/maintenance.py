"""What is done once a day: partitions made ahead, old ones dropped, and rows counted hop by hop."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import Transient
from volwatch.rawzone.store import Rawzone
from volwatch.reconcile import Hop, Range, Reconciliation, reconcile
from volwatch.settings import KafkaSettings, PipelineSettings
from volwatch.warehouse import upkeep, writer

_log = structlog.get_logger()

_AHEAD = timedelta(days=62)
_KAFKA_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a run of the maintenance did."""

    partitions_made: int
    partitions_dropped: int
    reconciliations: tuple[Reconciliation, ...]


def run(
    connection: Connection,
    rawzone: Rawzone,
    settings: PipelineSettings,
    kafka: Mapping[int, Range],
    now: datetime,
) -> Report:
    """Make partitions for the coming months, drop those past retention, and reconcile every Kafka partition.

    Parameters
    ----------
    kafka : mapping of int to (int, int)
        First offset and end offset of each Kafka partition (``kafka_offsets``).
    """
    with connection, connection.cursor() as cursor:
        made = upkeep.ensure_partitions(cursor, now, now + _AHEAD)
        dropped = upkeep.drop_partitions(cursor, "stock_prices", now - timedelta(days=settings.price_retention_days))
        for table in ("stock_volatility", "stock_signals"):
            before = now - timedelta(days=settings.volatility_retention_days)
            dropped += upkeep.drop_partitions(cursor, table, before)
    counted = _reconcile(connection, rawzone, kafka, now)
    _log.info(
        "maintenance_run",
        partitions_made=made,
        partitions_dropped=dropped,
        difference_rows=sum(row.difference for row in counted),
    )
    return Report(made, dropped, tuple(counted))


def _reconcile(
    connection: Connection, rawzone: Rawzone, kafka: Mapping[int, Range], now: datetime
) -> list[Reconciliation]:
    # The ledger is read before the listing: an object that is stored in between counts as not loaded yet, not as lost.
    with connection, connection.cursor() as cursor:
        positions, ledger = writer.positions(cursor), upkeep.ledger(cursor)
    stored: dict[int, list[Range]] = {}
    for info in rawzone.list_all():
        stored.setdefault(info.key.partition, []).append((info.key.first_offset, info.key.last_offset))
    counted = []
    for partition in sorted({*kafka, *stored, *positions}):
        entry = ledger.get(partition, upkeep.NO_LEDGER)
        hop = Hop(
            kafka=kafka.get(partition, (0, 0)),
            stored=stored.get(partition, []),
            ledger=list(entry.ranges),
            next_offset=positions[partition].next_offset if partition in positions else 0,
            loaded_rows=entry.rows_loaded,
            rejected_rows=entry.rows_rejected,
        )
        counted.append(reconcile(partition, hop, now))
    with connection, connection.cursor() as cursor:
        upkeep.write_reconciliations(cursor, counted)
    return counted


def kafka_offsets(settings: KafkaSettings) -> dict[int, Range]:
    """Return first offset and end offset of each partition of the topic.

    Raises
    ------
    Transient
        Kafka does not answer.
    """
    consumer = Consumer(settings.client_config() | {"group.id": "volwatch-reconcile", "enable.auto.commit": False})
    try:
        topic = consumer.list_topics(settings.topic, timeout=_KAFKA_TIMEOUT_SECONDS).topics[settings.topic]
        return {
            partition: consumer.get_watermark_offsets(
                TopicPartition(settings.topic, partition), timeout=_KAFKA_TIMEOUT_SECONDS
            )
            for partition in topic.partitions
        }
    except KafkaException as error:
        raise Transient(f"Kafka at {settings.bootstrap}: {error}") from error
    finally:
        consumer.close()
