"""The SQL of the alerts of markets."""

_SINCE = """
LEFT JOIN unnest(%(sources)s::text[], %(starts)s::timestamptz[]) AS asked (source, start) USING (source)
WHERE detector = %(detector)s AND detector_version = %(version)s
"""

MEMBERS = f"""
SELECT source, market_alert_id::text, alert_id::text, symbol, onset_bar, severity, state, confirmed, detected_at,
    closed_at
FROM stock_alerts {_SINCE} AND kind = ANY(%(kinds)s) AND state NOT IN ('RETRACTED', 'SUPPRESSED')
    AND onset_bar >= %(oldest)s AND onset_bar >= least(asked.start, %(recent)s)
"""  # noqa: S608 - a constant

HELD = f"""
SELECT alert_id::text, source, symbol, onset_bar, state, severity, confirmed, closed_at, sentence
FROM stock_alerts {_SINCE} AND kind = %(kind)s
    AND (state IN ('OPEN', 'ESCALATED') OR (onset_bar >= %(oldest)s AND onset_bar >= least(asked.start, %(recent)s)))
"""  # noqa: S608 - a constant

LINKED = """
SELECT market_alert_id::text, alert_id::text, symbol, onset_bar, severity, state, confirmed, detected_at, closed_at
FROM stock_alerts WHERE market_alert_id = ANY(%(ids)s::uuid[])
"""

# Loose index scan: one probe per symbol instead of a pass over all bars.
SEEN = """
WITH RECURSIVE held (symbol) AS (
    (SELECT symbol FROM stock_prices WHERE source = %(source)s ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT following.symbol
    FROM held
    CROSS JOIN LATERAL (
        SELECT symbol FROM stock_prices AS bar
        WHERE bar.source = %(source)s AND bar.symbol > held.symbol
        ORDER BY symbol
        LIMIT 1
    ) AS following
)
SELECT held.symbol, earliest.bar_start
FROM held
CROSS JOIN LATERAL (
    SELECT bar_start FROM stock_prices AS bar
    WHERE bar.source = %(source)s AND bar.symbol = held.symbol AND bar_seconds = 60 AND session = 'regular'
        AND bar_start >= %(start)s AND bar_start < %(end)s
    ORDER BY bar_start
    LIMIT 1
) AS earliest
"""

WRITE = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, sentence, why, config_hash, detected_at, closed_at)
VALUES (%(alert_id)s, %(source)s, %(symbol)s, %(kind)s, %(detector)s, %(version)s, %(onset_bar)s, %(state)s,
    %(severity)s, %(confirmed)s, %(statistic)s, %(threshold)s, %(sentence)s, %(why)s, %(config_hash)s, %(detected_at)s,
    %(closed_at)s)
ON CONFLICT (alert_id) DO UPDATE SET state = excluded.state, severity = excluded.severity,
    confirmed = excluded.confirmed, statistic = excluded.statistic, sentence = excluded.sentence, why = excluded.why,
    closed_at = excluded.closed_at
"""

STAND = """
UPDATE stock_alerts SET state = %(state)s, severity = %(severity)s, closed_at = %(closed_at)s
WHERE alert_id = %(alert_id)s
"""

LINK = "UPDATE stock_alerts SET market_alert_id = %(market)s::uuid WHERE alert_id = ANY(%(ids)s::uuid[])"

UNLINK = "UPDATE stock_alerts SET market_alert_id = NULL WHERE market_alert_id = %(market)s::uuid"

EVENT = """
INSERT INTO alert_events (alert_id, event, severity, bar_start, actor)
VALUES (%(alert_id)s, %(event)s, %(severity)s, %(bar_start)s, %(actor)s)
ON CONFLICT (alert_id, event, severity, bar_start) WHERE bar_start IS NOT NULL DO NOTHING
"""
