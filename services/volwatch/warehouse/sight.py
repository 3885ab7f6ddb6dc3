"""The alerts that say what the platform cannot see (``volwatch.sight``). Each path watches the other, and the feeds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.analytics.calendars import calendar_for
from volwatch.sight import (
    BEHIND,
    DETECTOR,
    DETECTOR_BEHIND,
    KIND,
    OURSELVES,
    PIPELINE_BEHIND,
    Blind,
    Feed,
    silent,
)
from volwatch.warehouse.alert_writer import lock
from volwatch.warehouse.market_statements import EVENT

ACTOR = "watch"

_RECENT = timedelta(days=7)
"""What has stood still for longer is not in use."""

# The newest receipt of each source, by either path, and its symbols.
_FEEDS = """
SELECT source, max(greatest(watermark, live.newest)), array_agg(DISTINCT symbol), array_agg(DISTINCT calendar)
FROM series_standing
LEFT JOIN watchlist USING (symbol)
LEFT JOIN (SELECT source, to_timestamp(max(received::bigint) / 1000.0) AS newest
           FROM detector_state, jsonb_each_text(watermarks) AS each (source, received)
           GROUP BY source) AS live USING (source)
WHERE watermark > %(now)s - %(recent)s
GROUP BY source
"""

# What the minute path loaded long ago, and the detector has not taken yet.
_DETECTOR = """
SELECT min(held.updated_at)
FROM detector_state AS held
WHERE held.updated_at > %(now)s - %(recent)s AND EXISTS (
    SELECT FROM raw_objects AS object
    WHERE object.kafka_partition = held.kafka_partition AND object.last_offset >= held.next_offset
        AND object.loaded_at < %(now)s - %(behind)s)
"""

_POSITIONS = """
SELECT kafka_partition, held.next_offset, position.next_offset
FROM detector_state AS held JOIN load_positions AS position USING (kafka_partition)
"""

_LAST_RUN = "SELECT max(finished_at) FROM pipeline_runs WHERE finished_at > %(now)s - %(recent)s"

_OPEN_NOW = """
SELECT alert_id::text, source, symbol, severity FROM stock_alerts
WHERE kind = %(kind)s AND state IN ('OPEN', 'ESCALATED') AND symbol = ANY(%(judged)s)
"""

_OPEN = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, sentence, why, config_hash, detected_at)
VALUES (%(alert_id)s, %(source)s, %(symbol)s, %(kind)s, %(detector)s, %(detector_version)s, %(since)s, 'OPEN', 'HIGH',
    true, %(seconds)s, %(limit)s, %(sentence)s, %(why)s, '', %(now)s)
ON CONFLICT DO NOTHING
"""

_CLOSE = "UPDATE stock_alerts SET state = 'CLOSED', closed_at = %(now)s WHERE alert_id = %(alert_id)s"


class Lapses:
    """For how long the minute path has not moved, partition by partition, though the detector has more."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, datetime]] = {}

    def note(self, positions: Mapping[int, tuple[int, int]], now: datetime) -> datetime | None:
        """Take note of how far detector and minute path are; return since when the latter stands, where it stands.

        Parameters
        ----------
        positions : mapping
            By partition, the next offset of the detector and that of the minute path.
        """
        held, self._since = self._since, {}
        for partition, (detector, pipeline) in positions.items():
            if detector > pipeline:
                before = held.get(partition)
                self._since[partition] = before if before and before[0] == pipeline else (pipeline, now)
        return min((since for _, since in self._since.values()), default=None)


def watch(
    cursor: Cursor,
    path: Literal["pipeline", "detector"],
    watermarks: Mapping[str, int] | None = None,
    lapses: Lapses | None = None,
) -> int:
    """Open and close the alerts of what this path can judge; return how many are open now.

    Parameters
    ----------
    path : str
        Who watches: it sees the feeds, and the other path.
    watermarks : mapping, optional
        The newest receipt of each source that is not stored yet, epoch ms.
    lapses : Lapses, optional
        What the detector remembers of the minute path.
    """
    lock(cursor)
    cursor.execute("SELECT clock_timestamp()")
    now = _time(cursor)
    found = silent(_feeds(cursor, now, watermarks or {}), now)
    other, what = (_detector, DETECTOR_BEHIND) if path == "pipeline" else (_pipeline, PIPELINE_BEHIND)
    since = other(cursor, now, lapses or Lapses())
    if since is not None:
        found.append(Blind(OURSELVES, what, since, BEHIND))
    _write(cursor, found, ["FEED_SILENT", what], now)
    return len(found)


def _feeds(cursor: Cursor, now: datetime, watermarks: Mapping[str, int]) -> list[Feed]:
    cursor.execute(_FEEDS, {"now": now, "recent": _RECENT})
    feeds = []
    for source, newest, symbols, calendars in cursor.fetchall():
        live = datetime.fromtimestamp(watermarks.get(source, 0) / 1000, UTC)
        names = {calendar_for(source, symbol) for symbol in symbols} | {name for name in calendars if name}
        feeds.append(Feed(source, max(newest, live), tuple(sorted(names))))
    return feeds


def _detector(cursor: Cursor, now: datetime, _lapses: Lapses) -> datetime | None:
    """Return since when the detector is behind; None where it is not, or there is none."""
    cursor.execute(_DETECTOR, {"now": now, "recent": _RECENT, "behind": BEHIND})
    row = cursor.fetchone()
    return None if row is None else row[0]


def _pipeline(cursor: Cursor, now: datetime, lapses: Lapses) -> datetime | None:
    """Return since when the minute path is behind; None where it is not, or there never was a run."""
    cursor.execute(_POSITIONS)
    standing = lapses.note({partition: (ours, theirs) for partition, ours, theirs in cursor.fetchall()}, now)
    cursor.execute(_LAST_RUN, {"now": now, "recent": _RECENT})
    row = cursor.fetchone()
    last_run = None if row is None else row[0]
    if last_run is None:
        return None
    since: datetime = last_run if standing is None else min(last_run, standing)
    return since if now - since > BEHIND else None


def _write(cursor: Cursor, found: list[Blind], judged: list[str], now: datetime) -> None:
    cursor.execute(_OPEN_NOW, {"kind": KIND, "judged": judged})
    blind = {(each.source, each.what) for each in found}
    standing = cursor.fetchall()
    for name, source, what, severity in standing:
        if (source, what) not in blind:
            cursor.execute(_CLOSE, {"alert_id": name, "now": now})
            _tell(cursor, name, "CLOSED", severity, now)
    for each in found:
        if (each.source, each.what) not in {(source, what) for _, source, what, _ in standing}:
            _open(cursor, each, now)


def _open(cursor: Cursor, blind: Blind, now: datetime) -> None:
    seconds, limit = (now - blind.since).total_seconds(), blind.limit.total_seconds()
    row = {
        "alert_id": str(blind.alert_id),
        "source": blind.source,
        "symbol": blind.what,
        "kind": KIND,
        "detector": DETECTOR[0],
        "detector_version": DETECTOR[1],
        "since": blind.since,
        "seconds": seconds,
        "limit": limit,
        "sentence": blind.sentence(now),
        "why": Json({"what": blind.what, "since": blind.since.isoformat(), "seconds": seconds, "limit_seconds": limit}),
        "now": now,
    }
    cursor.execute(_OPEN, row)
    if cursor.rowcount:
        _tell(cursor, str(blind.alert_id), "OPEN", "HIGH", now)


def _tell(cursor: Cursor, name: str, event: str, severity: str, now: datetime) -> None:
    cursor.execute(EVENT, {"alert_id": name, "event": event, "severity": severity, "bar_start": now, "actor": ACTOR})


def _time(cursor: Cursor) -> datetime:
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a statement that always gives a row gave none")
    time: datetime = row[0]
    return time
