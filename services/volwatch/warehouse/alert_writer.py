"""Writes the steps in the lives of alerts: one row per alert, one audit row per step; then those of whole markets."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.alerts import alert_id, explain
from volwatch.analytics import detector
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.results import Facts, Transition
from volwatch.warehouse.market_reader import Since
from volwatch.warehouse.market_statements import EVENT
from volwatch.warehouse.market_writer import write_market_alerts
from volwatch.warehouse.writer import objects_with

ACTOR = "pipeline"

UNSETTLED = timedelta(minutes=10)
"""How far before a watermark bars may still change: beyond any lateness."""

_OPEN = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, volatility, expected_volatility, ratio, sentence, why, config_hash, detected_at)
VALUES (%(alert_id)s, %(source)s, %(symbol)s, %(kind)s, %(detector)s, %(detector_version)s, %(onset_bar)s, %(state)s,
    %(severity)s, %(confirmed)s, %(statistic)s, %(threshold)s, %(volatility)s, %(expected_volatility)s, %(ratio)s,
    %(sentence)s, %(why)s, %(config_hash)s, %(detected_at)s)
ON CONFLICT (alert_id) DO UPDATE SET state = excluded.state, severity = excluded.severity,
    confirmed = stock_alerts.confirmed OR excluded.confirmed, statistic = excluded.statistic,
    volatility = excluded.volatility, expected_volatility = excluded.expected_volatility, ratio = excluded.ratio,
    sentence = excluded.sentence, why = excluded.why, closed_at = NULL
RETURNING xmax = 0
"""

_ESCALATE = """
UPDATE stock_alerts SET state = 'ESCALATED', severity = %(severity)s, statistic = greatest(statistic, %(statistic)s)
WHERE alert_id = %(alert_id)s
"""

_CLOSE = """
UPDATE stock_alerts SET state = 'CLOSED', severity = %(severity)s, statistic = %(statistic)s, closed_at = %(closed_at)s
WHERE alert_id = %(alert_id)s
"""

_RETRACT = """
UPDATE stock_alerts SET state = 'RETRACTED', closed_at = %(closed_at)s, market_alert_id = NULL
WHERE alert_id = %(alert_id)s
"""


def write_transitions(
    cursor: Cursor, steps: Sequence[Transition], *, partition: int, threshold: float, config_hash: str
) -> int:
    """Apply steps in their order, then what follows for markets; return how many alerts were opened for the first time.

    To be called before the new state of the partition's engine is written: the old one tells since when bars may have
    changed.
    """
    opened = 0
    for step in steps:
        identity = {"alert_id": str(alert_id(step.source, step.symbol, step.kind, step.onset))}
        if step.state == "OPEN" and step.facts is not None:
            row = _row(cursor, step, step.facts, partition, threshold, config_hash)
            cursor.execute(_OPEN, identity | row)
            opened += _write_opening(cursor, step, identity, fresh=cursor.fetchone() == (True,))
            continue
        if step.state == "ESCALATED":
            cursor.execute(_ESCALATE, identity | {"severity": step.severity, "statistic": step.peak})
        elif step.state == "CLOSED":
            # Only final bars close: what provisional ones had raised it to is settled here.
            settled = {"severity": step.severity, "statistic": step.peak, "closed_at": _time(step.bar + MINUTE_MS)}
            cursor.execute(_CLOSE, identity | settled)
        else:
            cursor.execute(_RETRACT, identity | {"closed_at": _time(step.watermark)})
        _write_event(cursor, step, identity, step.state)
    return opened + write_market_alerts(cursor, _since(cursor, partition, steps), config_hash)


def _since(cursor: Cursor, partition: int, steps: Sequence[Transition]) -> Since:
    """Return since when bars of a partition, and alerts by the steps, may have changed."""
    cursor.execute("SELECT watermark FROM engine_state WHERE kafka_partition = %s", (partition,))
    row = cursor.fetchone()
    bars = row[0] - UNSETTLED if row is not None and row[0] is not None else datetime(1970, 1, 2, tzinfo=UTC)
    onsets: dict[str, datetime] = {}
    for step in steps:
        if step.state in ("OPEN", "RETRACTED"):
            onset = _time(step.onset)
            onsets[step.source] = min(onset, onsets.get(step.source, onset))
    return Since(bars, onsets)


def _write_opening(cursor: Cursor, step: Transition, identity: dict[str, str], *, fresh: bool) -> int:
    """Enter into the audit that an alert opened, was confirmed, or both; return 1 when it is new."""
    if fresh:
        _write_event(cursor, step, identity, "OPEN")
    if step.final:
        _write_event(cursor, step, identity, "CONFIRMED")
    return int(fresh)


def _write_event(cursor: Cursor, step: Transition, identity: dict[str, str], event: str) -> None:
    told = {"event": event, "severity": step.severity, "bar_start": _time(step.bar), "actor": ACTOR}
    cursor.execute(EVENT, identity | told)


def _row(
    cursor: Cursor, step: Transition, facts: Facts, partition: int, threshold: float, config_hash: str
) -> dict[str, object]:
    told = explain(step, facts, threshold, config_hash)
    objects = objects_with(cursor, partition, facts.first_offset, facts.last_offset)
    return {
        "source": step.source,
        "symbol": step.symbol,
        "kind": step.kind,
        "detector": detector.NAME,
        "detector_version": detector.VERSION,
        "onset_bar": _time(step.onset),
        "state": step.state,
        "severity": step.severity,
        "confirmed": step.final,
        "statistic": step.peak,
        "threshold": threshold,
        "volatility": told.volatility,
        "expected_volatility": told.expected_volatility,
        "ratio": told.ratio,
        "sentence": told.sentence,
        "why": Json(told.why | {"partition": partition, "raw_objects": objects}),
        "config_hash": config_hash,
        "detected_at": _time(step.watermark),
    }


def _time(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
