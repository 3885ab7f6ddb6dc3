"""What is done once a day: partitions made ahead, old ones dropped, and rows counted hop by hop."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.rawzone.store import Rawzone
from volwatch.reconcile import Range, Reconciliation
from volwatch.settings import PipelineSettings
from volwatch.warehouse import notifications, rebuild_states, reconciliation, upkeep

_log = structlog.get_logger()

_AHEAD = timedelta(days=62)
_STEPS_KEPT = timedelta(days=8)  # longer than they are compared
_NOTIFICATIONS_KEPT = timedelta(days=30)


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
        First offset and end offset of each Kafka partition (``topics.offsets``).
    """
    with connection, connection.cursor() as cursor:
        made = upkeep.ensure_partitions(cursor, now, now + _AHEAD)
        dropped = upkeep.drop_partitions(cursor, "stock_prices", now - timedelta(days=settings.price_retention_days))
        for table in ("stock_volatility", "stock_signals"):
            before = now - timedelta(days=settings.volatility_retention_days)
            dropped += upkeep.drop_partitions(cursor, table, before)
        forgotten = rebuild_states.forget_states(cursor, now)
        upkeep.forget_alert_steps(cursor, now - _STEPS_KEPT)
        notifications.forget(cursor, now - _NOTIFICATIONS_KEPT)
    counted = reconciliation.count(connection, rawzone, kafka, now)
    with connection, connection.cursor() as cursor:
        upkeep.write_reconciliations(cursor, counted)
    _log.info(
        "maintenance_run",
        partitions_made=made,
        partitions_dropped=dropped,
        states_forgotten=forgotten,
        difference_rows=sum(row.difference for row in counted),
    )
    return Report(made, dropped, tuple(counted))
