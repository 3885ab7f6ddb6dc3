"""The rows of each Kafka partition, hop by hop: counted now, and as counted before."""

from collections.abc import Mapping
from datetime import datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from volwatch.rawzone.store import Rawzone
from volwatch.reconcile import Hop, Range, Reconciliation, reconcile
from volwatch.warehouse import upkeep, writer


def count(connection: Connection, rawzone: Rawzone, kafka: Mapping[int, Range], now: datetime) -> list[Reconciliation]:
    """Count the rows of every partition that a hop knows of; nothing is written.

    Parameters
    ----------
    kafka : mapping of int to (int, int)
        First offset and end offset of each Kafka partition (``topics.offsets``).

    Raises
    ------
    Transient
        The raw zone does not answer.
    """
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
    return counted


def counted_since(cursor: Cursor, since: datetime) -> list[Reconciliation]:
    """Return the counts that were stored at a time or later, the oldest first."""
    cursor.execute(
        """SELECT checked_at, kafka_partition, kafka_first, kafka_end, raw_rows, loaded_rows, rejected_rows,
               missing_raw, unloaded
           FROM reconciliations WHERE checked_at >= %s ORDER BY checked_at, kafka_partition""",
        (since,),
    )
    return [Reconciliation(*row) for row in cursor.fetchall()]
