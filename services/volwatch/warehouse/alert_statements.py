"""The SQL of alerts for whoever looks at them: the dashboard, its metrics, the command line. All of it is bounded."""

from volwatch.warehouse.readings import AlertFilter

_LISTED = """
SELECT
    alert_id::text, onset_bar, source, symbol, kind, state, severity, confirmed, statistic, threshold, sentence,
    closed_at, acknowledged_by, acknowledged_at, note, market_alert_id::text, false_positive,
    EXISTS (SELECT FROM silenced_alerts AS held WHERE held.alert_id = stock_alerts.alert_id) AS silenced
FROM stock_alerts"""

ALERTS = f"""{_LISTED}
WHERE (%(states)s::text[] = '{{}}' OR state = ANY(%(states)s))
    AND (%(severities)s::text[] = '{{}}' OR severity = ANY(%(severities)s))
    AND (%(kinds)s::text[] = '{{}}' OR kind = ANY(%(kinds)s))
    AND (%(source)s::text IS NULL OR source = %(source)s)
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (%(start)s::timestamptz IS NULL OR onset_bar >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR onset_bar < %(end)s)
ORDER BY onset_bar DESC, recorded_at DESC
LIMIT %(limit)s"""

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
