"""The table of trades that were not taken, for whoever looks at them or sends them again; those that a rebuild took
after all are left out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

# A series that has never had a bar has no standing: then the least watermark of its source, which sends nothing ahead.
_ROWS = """
SELECT quarantine_id, kafka_partition, kafka_offset, source, symbol, reason, record, quarantined_at, retried_at,
    retried_by,
    coalesce((SELECT watermark FROM series_standing AS own WHERE (own.source, own.symbol) = (held.source, held.symbol)),
             (SELECT min(watermark) FROM series_standing AS other WHERE other.source = held.source)) AS watermark
FROM quarantine AS held
WHERE lifted_at IS NULL
    AND (%(ids)s::bigint[] IS NULL OR quarantine_id = ANY(%(ids)s))
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (%(since)s::timestamptz IS NULL OR quarantined_at >= %(since)s)
    AND (%(retried)s OR retried_at IS NULL)
ORDER BY quarantine_id DESC LIMIT %(limit)s
"""
_COUNTS = """
SELECT reason, count(*) FROM quarantine
WHERE lifted_at IS NULL
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (%(since)s::timestamptz IS NULL OR quarantined_at >= %(since)s)
GROUP BY reason ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trades are asked for; None leaves a question out, ``retried`` includes those that were sent again."""

    ids: tuple[int, ...] | None = None
    reason: str | None = None
    symbol: str | None = None
    since: datetime | None = None
    retried: bool = True


@dataclass(frozen=True, slots=True)
class SetAside:
    """A trade that was not taken; ``record`` is as it stood on Kafka, ``watermark`` what its source has reached now."""

    quarantine_id: int
    partition: int
    offset: int
    source: str | None
    symbol: str | None
    reason: str
    record: str
    quarantined_at: datetime
    retried_at: datetime | None
    retried_by: str | None
    watermark: datetime | None


def rows(cursor: Cursor, wanted: Wanted, limit: int | None) -> list[SetAside]:
    """Return trades, the newest first, at most so many; None for all."""
    cursor.execute(_ROWS, _parameters(wanted) | {"limit": limit})
    return [SetAside(*row) for row in cursor.fetchall()]


def counts(cursor: Cursor, wanted: Wanted) -> list[tuple[str, int]]:
    """Return how many there are of each reason, ids left out of the question, the most frequent first."""
    cursor.execute(_COUNTS, _parameters(wanted))
    return [(reason, count) for reason, count in cursor.fetchall()]


def lock(cursor: Cursor, ids: Sequence[int], *, retried: bool) -> set[int]:
    """Keep others from sending some trades again until this transaction ends; return those that are to be sent.

    Parameters
    ----------
    retried : bool
        Whether those that were sent again before are among them.
    """
    cursor.execute(
        """SELECT quarantine_id, retried_at IS NOT NULL FROM quarantine
           WHERE quarantine_id = ANY(%s) ORDER BY quarantine_id FOR UPDATE""",
        (list(ids),),
    )
    return {quarantine_id for quarantine_id, before in cursor.fetchall() if retried or not before}


def mark_retried(cursor: Cursor, ids: Sequence[int], at: datetime, by: str) -> None:
    """Note when and by whom some trades were sent again."""
    cursor.execute(
        "UPDATE quarantine SET retried_at = %s, retried_by = %s WHERE quarantine_id = ANY(%s)", (at, by, list(ids))
    )


def _parameters(wanted: Wanted) -> dict[str, object]:
    return asdict(wanted) | {"ids": None if wanted.ids is None else list(wanted.ids)}
