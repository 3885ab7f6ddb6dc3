"""What explaining an alert asks of the warehouse: the alert, its members, and the states of the engine before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.warehouse.rebuild_states import Snapshot


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as it is stored; fields as the columns of ``stock_alerts``."""

    alert_id: str
    source: str
    symbol: str
    kind: str
    state: str
    severity: str
    confirmed: bool
    onset_bar: datetime
    detected_at: datetime
    closed_at: datetime | None
    statistic: float
    threshold: float
    sentence: str
    why: Mapping[str, Any]
    config_hash: str


_COLUMNS = """SELECT alert_id::text, source, symbol, kind, state, severity, confirmed, onset_bar, detected_at,
       closed_at, statistic, threshold, sentence, why, config_hash
FROM stock_alerts"""


def alerts_between(cursor: Cursor, first: str, last: str, limit: int) -> list[StoredAlert]:
    """Return alerts whose ids lie between two, both inclusive, in order."""
    cursor.execute(
        f"{_COLUMNS} WHERE alert_id BETWEEN %s::uuid AND %s::uuid ORDER BY alert_id LIMIT %s",
        (first, last, limit),
    )
    return [StoredAlert(*row) for row in cursor.fetchall()]


def members(cursor: Cursor, market_alert_id: str) -> list[StoredAlert]:
    """Return the alerts that belong to one of a market, in order of (onset, symbol)."""
    cursor.execute(
        f"{_COLUMNS} WHERE market_alert_id = %s::uuid ORDER BY onset_bar, symbol",
        (market_alert_id,),
    )
    return [StoredAlert(*row) for row in cursor.fetchall()]


def states_before(cursor: Cursor, partition: int, offset: int, version: str, count: int) -> list[Snapshot]:
    """Return the newest states of this version that were kept before an offset, or of it, and are whole; the newest
    first."""
    cursor.execute(
        """SELECT next_offset, hour, state FROM engine_snapshots
           WHERE kafka_partition = %s AND next_offset <= %s AND engine_version = %s
               AND checksum = encode(sha256(state), 'hex')
           ORDER BY next_offset DESC LIMIT %s""",
        (partition, offset, version, count),
    )
    return [Snapshot(next_offset, hour, bytes(state)) for next_offset, hour, state in cursor.fetchall()]
