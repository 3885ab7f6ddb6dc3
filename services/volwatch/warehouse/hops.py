"""How much has come how far, for whoever watches the whole way: the demo, a trace, tests."""

from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of each hop in the warehouse so far, and the event time of the newest trade loaded."""

    loaded: int
    bars: int
    volatility: int
    alerts: int
    newest_event: datetime | None


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """An alert and when its row was written, by the clock of the server; ``on_record``: the minute path has it too."""

    symbol: str
    severity: str
    sentence: str
    recorded_at: datetime
    on_record: bool


def counts(cursor: Cursor) -> Counts:
    """Return the rows of each hop."""
    cursor.execute(
        """SELECT (SELECT coalesce(sum(rows_loaded), 0)::bigint FROM raw_objects),
                  (SELECT count(*) FROM stock_prices), (SELECT count(*) FROM stock_volatility),
                  (SELECT count(*) FROM stock_alerts), (SELECT max(newest_event) FROM pipeline_runs)"""
    )
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a statement that always gives a row gave none")
    return Counts(*row)


def first_alert(cursor: Cursor, source: str, symbol: str, since: datetime) -> RaisedAlert | None:
    """Return the first alert of a series whose onset bar started at a time or later."""
    cursor.execute(
        """SELECT symbol, severity, sentence, recorded_at, why -> 'raw_objects' <> '[]' FROM stock_alerts
           WHERE source = %s AND symbol = %s AND onset_bar >= %s ORDER BY onset_bar LIMIT 1""",
        (source, symbol, since),
    )
    row = cursor.fetchone()
    return None if row is None else RaisedAlert(*row)


def loaded(cursor: Cursor, partition: int, object_key: str) -> tuple[int, bool]:
    """Return up to which offset a partition is loaded, 0 at the beginning, and whether an object is in the ledger."""
    cursor.execute(
        """SELECT coalesce((SELECT next_offset FROM load_positions WHERE kafka_partition = %s), 0),
                  EXISTS (SELECT FROM raw_objects WHERE object_key = %s)""",
        (partition, object_key),
    )
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a statement that always gives a row gave none")
    return int(row[0]), bool(row[1])
