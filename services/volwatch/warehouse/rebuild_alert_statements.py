"""The SQL of the alerts of symbols in a rebuild. What it writes no path has come further than: ``reached`` is 0."""

from collections.abc import Sequence

from volwatch.analytics import detector
from volwatch.analytics.market_wide import MEMBER_KINDS
from volwatch.analytics.rules.rule import KIND, Rule


def detectors(rules: Sequence[Rule]) -> dict[str, object]:
    """Return what raises alerts as it is now, and the kinds of them: the default detector and the rules."""
    return {
        "detectors": [detector.NAME, *(rule.name for rule in rules)],
        "versions": [detector.VERSION, *(rule.version for rule in rules)],
        "kinds": [*MEMBER_KINDS, KIND],
    }


FACTS = ("threshold", "volatility", "expected_volatility", "ratio", "sentence", "why")

_COLUMNS = """
SELECT alert_id::text, source, onset_bar, state, severity, statistic, closed_at, confirmed,
    threshold, volatility, expected_volatility, ratio, sentence, why - 'raw_objects' - 'config_hash'
FROM stock_alerts
"""

BY_ID = _COLUMNS + "WHERE alert_id = ANY(%(ids)s::uuid[])"

_RAISED_NOW = """(detector, detector_version) IN (
        SELECT name, version FROM unnest(%(detectors)s::text[], %(versions)s::text[]) AS known (name, version)
    )"""

IN_SCOPE = (
    _COLUMNS
    + f"""
WHERE source = %(source)s AND symbol = ANY(%(symbols)s) AND kind <> 'MARKET' AND state <> 'SUPPRESSED'
    AND {_RAISED_NOW}
    AND onset_bar > %(after)s AND onset_bar <= %(until)s
"""
)

_OF_PARTITION = "AND kind = ANY(%(kinds)s) AND (why ->> 'partition')::integer = %(partition)s"

PROVISIONAL = (
    _COLUMNS
    + f"""
WHERE state IN ('OPEN', 'ESCALATED') AND NOT confirmed AND {_RAISED_NOW}
    {_OF_PARTITION}
"""
)

OTHER_VERSIONS = f"""
SELECT alert_id::text, source, severity FROM stock_alerts
WHERE state IN ('OPEN', 'ESCALATED') AND NOT {_RAISED_NOW}
    {_OF_PARTITION}
"""  # noqa: S608 - a constant

OPEN = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, volatility, expected_volatility, ratio, sentence, why, config_hash, detected_at,
    closed_at)
VALUES (%(alert_id)s, %(source)s, %(symbol)s, %(kind)s, %(detector)s, %(detector_version)s, %(onset_bar)s, %(state)s,
    %(severity)s, true, %(statistic)s, %(threshold)s, %(volatility)s, %(expected_volatility)s, %(ratio)s, %(sentence)s,
    %(why)s, %(config_hash)s, %(detected_at)s, %(closed_at)s)
ON CONFLICT (alert_id) DO UPDATE SET state = excluded.state, severity = excluded.severity, confirmed = true,
    statistic = excluded.statistic, threshold = excluded.threshold, volatility = excluded.volatility,
    expected_volatility = excluded.expected_volatility, ratio = excluded.ratio, sentence = excluded.sentence,
    why = excluded.why, config_hash = excluded.config_hash, closed_at = excluded.closed_at,
    reached = 0
"""

CORRECT = """
UPDATE stock_alerts SET state = %(state)s, severity = %(severity)s, confirmed = true, statistic = %(statistic)s,
    threshold = %(threshold)s, volatility = %(volatility)s, expected_volatility = %(expected_volatility)s,
    ratio = %(ratio)s, sentence = %(sentence)s, why = stock_alerts.why || %(why)s, config_hash = %(config_hash)s,
    closed_at = %(closed_at)s, reached = 0
WHERE alert_id = %(alert_id)s
"""

RETRACT = """
UPDATE stock_alerts SET state = 'RETRACTED', closed_at = coalesce(closed_at, now()), market_alert_id = NULL,
    reached = 0
WHERE alert_id = %(alert_id)s
"""

CLOSE = (
    "UPDATE stock_alerts SET state = 'CLOSED', closed_at = coalesce(%(closed_at)s, now()) WHERE alert_id = %(alert_id)s"
)

ACT = """
INSERT INTO alert_events (alert_id, event, severity, actor, detail)
VALUES (%(alert_id)s, %(event)s, %(severity)s, %(actor)s, %(detail)s)
"""
