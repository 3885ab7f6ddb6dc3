"""The rows of each Kafka partition, hop by hop: counted now, and as counted before."""

from collections.abc import Mapping
from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from volwatch.rawzone.keys import hour_prefix, last_key_before
from volwatch.rawzone.store import Rawzone
from volwatch.reconcile import Hop, Range, Reconciliation, reconcile
from volwatch.warehouse import upkeep, writer


def count(
    connection: Connection,
    rawzone: Rawzone,
    kafka: Mapping[int, Range],
    now: datetime,
    since: datetime | None = None,
) -> list[Reconciliation]:
    """Count the rows of every partition that a hop knows of; nothing is written.

    With ``since`` no object of an hour before its own is listed; offsets are looked at behind the last one that the
    ledger has of those hours. The difference is exact there, for it is what the loader passed and the ledger has not.

    Parameters
    ----------
    kafka : mapping of int to (int, int)
        First offset and end offset of each Kafka partition (``topics.offsets``).

    Raises
    ------
    Transient
        The raw zone does not answer.
    """
    hour = None if since is None else since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    # The ledger is read before the listing: an object that is stored in between counts as not loaded yet, not as lost.
    with connection, connection.cursor() as cursor:
        positions = writer.positions(cursor)
        ledger = upkeep.ledger(cursor, "" if hour is None else hour_prefix(hour))
    stored: dict[int, list[Range]] = {}
    for info in rawzone.list_all(None if hour is None else last_key_before(hour)):
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
            start=entry.start,
        )
        counted.append(reconcile(partition, hop, now, hour))
    return counted


def counted_since(cursor: Cursor, since: datetime) -> list[Reconciliation]:
    """Return the counts that were stored at a time or later, the oldest first."""
    cursor.execute(
        """SELECT checked_at, kafka_partition, kafka_first, kafka_end, raw_rows, loaded_rows, rejected_rows,
               missing_raw, unloaded, since
           FROM reconciliations WHERE checked_at >= %s ORDER BY checked_at, kafka_partition""",
        (since,),
    )
    return [Reconciliation(*row) for row in cursor.fetchall()]
