"""The SQL of alerts for whoever looks at them: the dashboard, its metrics, the command line. All of it is bounded."""

from collections.abc import Mapping

from volwatch.warehouse.readings import AlertFilter, AlertOrder

_LISTED = """
SELECT
    alert_id::text, onset_bar, source, symbol, kind, state, severity, confirmed, statistic, threshold, sentence,
    closed_at, acknowledged_by, acknowledged_at, note, market_alert_id::text, false_positive,
    EXISTS (SELECT FROM silenced_alerts AS held WHERE held.alert_id = stock_alerts.alert_id) AS silenced
FROM stock_alerts"""

_FILTERED = f"""{_LISTED}
WHERE (%(states)s::text[] = '{{}}' OR state = ANY(%(states)s))
    AND (%(severities)s::text[] = '{{}}' OR severity = ANY(%(severities)s))
    AND (%(kinds)s::text[] = '{{}}' OR kind = ANY(%(kinds)s))
    AND (%(source)s::text IS NULL OR source = %(source)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (%(start)s::timestamptz IS NULL OR onset_bar >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR onset_bar < %(end)s)"""

_NEWEST = "onset_bar DESC, recorded_at DESC"
_ORDERS: Mapping[AlertOrder, str] = {
    "newest": _NEWEST,
    "severity": f"array_position(ARRAY['HIGH', 'MEDIUM', 'LOW'], severity), {_NEWEST}",
    "strongest": f"statistic / nullif(threshold, 0) DESC NULLS LAST, {_NEWEST}",
    # An open one lasts until now.
    "longest": f"coalesce(closed_at, now()) - onset_bar DESC, {_NEWEST}",
    "symbol": f"symbol, {_NEWEST}",
}

ALERTS_IN_ORDER: Mapping[AlertOrder, str] = {
    order: f"{_FILTERED}\nORDER BY {columns}\nLIMIT %(limit)s" for order, columns in _ORDERS.items()
}
ALERTS = ALERTS_IN_ORDER["newest"]

LINKED = f"""{_LISTED}
WHERE market_alert_id = %(alert_id)s::uuid
    OR alert_id = (SELECT market_alert_id FROM stock_alerts WHERE alert_id = %(alert_id)s::uuid)
ORDER BY onset_bar DESC, symbol
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

ALERT = """
SELECT
    alert_id::text, source, symbol, kind, state, severity, confirmed, onset_bar, closed_at, statistic, threshold,
    sentence, why, acknowledged_by, acknowledged_at, note, detector, detector_version, detected_at, recorded_at,
    market_alert_id::text, false_positive, false_positive_by, false_positive_at, is_silenced(alert_id)
FROM stock_alerts
WHERE alert_id = %(alert_id)s::uuid"""

# A bar that two versions of a detector judged has the newer judgement.
JUDGED_BARS = """
SELECT DISTINCT ON (bar.bar_start)
    bar.bar_start,
    bar.open::double precision,
    bar.high::double precision,
    bar.low::double precision,
    bar.close::double precision,
    signal.statistic,
    signal.threshold,
    signal.log_range,
    signal.expected_log_range
FROM stock_prices AS bar
LEFT JOIN stock_signals AS signal ON signal.source = bar.source AND signal.symbol = bar.symbol
    AND signal.bar_start = bar.bar_start AND signal.bar_start >= %(start)s AND signal.bar_start < %(end)s
WHERE bar.source = %(source)s AND bar.symbol = %(symbol)s AND bar.bar_seconds = 60
    AND bar.bar_start >= %(start)s AND bar.bar_start < %(end)s
ORDER BY bar.bar_start DESC, signal.updated_at DESC
LIMIT %(limit)s"""

ALERT_EVENTS = """
SELECT happened_at, event, severity, bar_start, actor, detail
FROM alert_events
WHERE alert_id = %(alert_id)s::uuid
ORDER BY event_id DESC
LIMIT %(limit)s"""

SILENCES = """
SELECT silence_id, source, symbol, kind, everything, starts_at, ends_at, reason, made_by, made_at, ended_by, ended_at,
    ended_at IS NULL AND starts_at <= now() AND ends_at > now() AS in_force
FROM alert_silences
WHERE (%(over)s OR (ended_at IS NULL AND ends_at > now()))
    AND (%(alert_id)s::uuid IS NULL
         OR silence_id IN (SELECT silence_id FROM silenced_alerts WHERE alert_id = %(alert_id)s::uuid))
ORDER BY silence_id DESC
LIMIT %(limit)s"""

ALERT_QUALITY = """
SELECT source, symbol, kind, detector, detector_version, alerts, retracted, acknowledged, false_positives, judged,
    false_positive_rate, median_acknowledge_seconds, p90_acknowledge_seconds
FROM alert_quality
WHERE (%(source)s::text IS NULL OR source = %(source)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
ORDER BY alerts DESC, source, symbol, kind, detector, detector_version
LIMIT %(limit)s"""

DETECTOR_QUALITY = """
SELECT detector, kind,
    count(*) FILTER (WHERE false_positive)::double precision / nullif(count(*) FILTER (WHERE judged), 0),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY acknowledge_seconds),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY acknowledge_seconds)
FROM judged_alerts
GROUP BY detector, kind
ORDER BY detector, kind"""

SILENCED = """
SELECT count(*) FROM stock_alerts
WHERE state IN ('OPEN', 'ESCALATED') AND alert_id IN (SELECT alert_id FROM silenced_alerts)"""

# The session is read-only; what people do about alerts is all that the dashboard may write, and only through functions.
ALLOW_WRITE = "SET TRANSACTION READ WRITE"

OPEN_ALERTS = "SELECT severity, count(*) FROM stock_alerts WHERE state IN ('OPEN', 'ESCALATED') GROUP BY severity"


def filter_parameters(asked: AlertFilter, limit: int) -> dict[str, object]:
    """Return what ``ALERTS`` is asked with."""
    return {
        "states": list(asked.states),
        "severities": list(asked.severities),
        "kinds": list(asked.kinds),
        "source": asked.source,
        "symbol": asked.symbol,
        "start": asked.start,
        "end": asked.end,
        "limit": limit,
    }
