"""What the daily maintenance reads and writes in the warehouse."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import execute_values

from volwatch.reconcile import Range, Reconciliation


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger says of one Kafka partition; ``start`` is the end of what earlier hours' objects held, if any."""

    ranges: tuple[Range, ...]
    rows_loaded: int
    rows_rejected: int
    start: int | None = None


NO_LEDGER = Ledger((), 0, 0)


def ensure_partitions(cursor: Cursor, first: datetime, last: datetime) -> int:
    """Make the monthly partitions of a range of time; return how many were made."""
    cursor.execute("SELECT ensure_partitions(%s, %s)", (first, last))
    return _count(cursor)


def drop_partitions(cursor: Cursor, table: str, before: datetime) -> int:
    """Drop the monthly partitions of a table that end before a time; return how many were dropped."""
    cursor.execute("SELECT drop_partitions(%s, %s)", (table, before))
    return _count(cursor)


def forget_alert_steps(cursor: Cursor, before: datetime) -> int:
    """Forget what the paths found of alerts before a time; return how many steps."""
    cursor.execute("SELECT forget_alert_steps(%s)", (before,))
    return _count(cursor)


def ledger(cursor: Cursor, first_key: str = "") -> dict[int, Ledger]:
    """Return what was loaded of each Kafka partition; an object that could not be read counts as not loaded.

    Parameters
    ----------
    first_key : str
        What is asked about begins with this key: rows are those of such objects, ranges those behind all earlier ones.
    """
    cursor.execute(
        """SELECT kafka_partition, max(start),
               coalesce(sum(rows_loaded) FILTER (WHERE object_key COLLATE "C" >= %(key)s), 0)::bigint,
               coalesce(sum(rows_rejected) FILTER (WHERE object_key COLLATE "C" >= %(key)s), 0)::bigint,
               (SELECT array_agg(ARRAY[lower(held), upper(held) - 1] ORDER BY held)
                FROM unnest(range_agg(int8range(first_offset, last_offset, '[]'))
                            FILTER (WHERE fault IS NULL AND last_offset >= coalesce(start, 0))) AS held)
           FROM raw_objects
           LEFT JOIN (SELECT kafka_partition, max(last_offset) + 1 AS start FROM raw_objects
                      WHERE object_key COLLATE "C" < %(key)s
                      GROUP BY kafka_partition) AS earlier USING (kafka_partition)
           GROUP BY kafka_partition""",
        {"key": first_key},
    )
    return {
        partition: Ledger(tuple((first, last) for first, last in ranges or ()), loaded, rejected, start)
        for partition, start, loaded, rejected, ranges in cursor.fetchall()
    }


def write_reconciliations(cursor: Cursor, counted: Sequence[Reconciliation]) -> None:
    """Store the counts of a reconcile."""
    execute_values(
        cursor,
        """INSERT INTO reconciliations (checked_at, kafka_partition, kafka_first, kafka_end, raw_rows, loaded_rows,
               rejected_rows, missing_raw, unloaded, since) VALUES %s""",
        [astuple(row) for row in counted],
    )


def _count(cursor: Cursor) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0
