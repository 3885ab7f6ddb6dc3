"""The SQL of the alerts of symbols.

Two paths write the same rows. One that has come further along the partition (``reached``) knows all that the other
does, so it says how an alert stands. What the record finds on final bars holds in any case.
"""

LOCK_KEY = 0x766F6C61  # "vola"

LOCK = "SELECT pg_advisory_xact_lock(%s)"

# The order of severities in a comparison.
_RANK = "array_position(ARRAY['LOW', 'MEDIUM', 'HIGH'], {})"
_KNOWS_MORE = "stock_alerts.reached <= %(reached)s"

OPEN = f"""
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, volatility, expected_volatility, ratio, sentence, why, config_hash, detected_at,
    reached)
SELECT %(alert_id)s, %(source)s, %(symbol)s, %(kind)s, %(detector)s, %(detector_version)s, %(onset_bar)s, %(state)s,
    %(severity)s, %(confirmed)s, %(statistic)s, %(threshold)s, %(volatility)s, %(expected_volatility)s, %(ratio)s,
    %(sentence)s, %(why)s, %(config_hash)s, %(detected_at)s, %(reached)s
WHERE NOT EXISTS (
    SELECT FROM stock_alerts AS other
    WHERE other.source = %(source)s AND other.symbol = %(symbol)s AND other.kind = %(kind)s
        AND other.detector = %(detector)s AND other.state IN ('OPEN', 'ESCALATED') AND other.alert_id <> %(alert_id)s)
ON CONFLICT (alert_id) DO UPDATE SET
    -- Bars that may still change only raise an alert: what they had raised it to is settled by final ones.
    state = CASE WHEN %(final)s OR stock_alerts.state <> 'ESCALATED' THEN excluded.state
        ELSE stock_alerts.state END,
    severity = CASE WHEN %(final)s OR stock_alerts.state NOT IN ('OPEN', 'ESCALATED')
            OR {_RANK.format("excluded.severity")} > {_RANK.format("stock_alerts.severity")}
        THEN excluded.severity ELSE stock_alerts.severity END,
    confirmed = stock_alerts.confirmed OR excluded.confirmed, statistic = excluded.statistic,
    volatility = excluded.volatility, expected_volatility = excluded.expected_volatility, ratio = excluded.ratio,
    sentence = excluded.sentence, why = excluded.why, closed_at = NULL,
    reached = greatest(stock_alerts.reached, excluded.reached)
WHERE {_KNOWS_MORE} OR (%(is_record)s AND %(final)s AND stock_alerts.state = 'RETRACTED')
RETURNING xmax = 0
"""  # noqa: S608 - a constant

# The record's word, however far the other path has come since.
CONFIRM = "UPDATE stock_alerts SET confirmed = true WHERE alert_id = %(alert_id)s AND NOT confirmed"

ESCALATE = f"""
UPDATE stock_alerts SET state = 'ESCALATED', severity = %(severity)s, statistic = greatest(statistic, %(statistic)s),
    reached = greatest(reached, %(reached)s)
WHERE alert_id = %(alert_id)s AND state IN ('OPEN', 'ESCALATED') AND ({_KNOWS_MORE} OR (%(is_record)s AND %(final)s
    AND {_RANK.format("%(severity)s")} > {_RANK.format("severity")}))
"""  # noqa: S608 - a constant

CLOSE = f"""
UPDATE stock_alerts SET state = 'CLOSED', severity = %(severity)s, statistic = %(statistic)s,
    closed_at = %(closed_at)s, reached = greatest(reached, %(reached)s)
WHERE alert_id = %(alert_id)s AND ({_KNOWS_MORE} OR (%(is_record)s AND state <> 'CLOSED'))
"""  # noqa: S608 - a constant

RETRACT = f"""
UPDATE stock_alerts SET state = 'RETRACTED', closed_at = %(closed_at)s, market_alert_id = NULL,
    reached = greatest(reached, %(reached)s)
WHERE alert_id = %(alert_id)s AND state IN ('OPEN', 'ESCALATED') AND NOT confirmed AND {_KNOWS_MORE}
"""  # noqa: S608 - a constant

# Of one series and kind one alert is open at a time. Another one that is open still, and that whoever opens this one
# knows nothing of, was opened by the other path on bars that did not bear it out, or its end was never told.
GIVE_WAY = f"""
UPDATE stock_alerts SET state = CASE WHEN confirmed THEN 'CLOSED' ELSE 'RETRACTED' END, closed_at = %(onset_bar)s,
    market_alert_id = CASE WHEN confirmed THEN market_alert_id END, reached = greatest(reached, %(reached)s)
WHERE source = %(source)s AND symbol = %(symbol)s AND kind = %(kind)s AND detector = %(detector)s
    AND state IN ('OPEN', 'ESCALATED') AND alert_id <> %(alert_id)s AND ({_KNOWS_MORE} OR (%(is_record)s AND %(final)s))
RETURNING alert_id::text, state, severity
"""  # noqa: S608 - a constant

# What the fast path opened on a bar that is final by now, and that the record did not confirm; it may have ended.
UNBORNE = f"""
UPDATE stock_alerts SET state = 'RETRACTED', closed_at = coalesce(closed_at, now()), market_alert_id = NULL,
    reached = greatest(reached, %(reached)s)
WHERE state <> 'RETRACTED' AND NOT confirmed AND kind = ANY(%(kinds)s) AND source = %(source)s
    AND (why ->> 'partition')::integer = %(partition)s AND onset_bar < %(final_before)s AND {_KNOWS_MORE}
RETURNING alert_id::text, severity, onset_bar
"""  # noqa: S608 - a constant

# The fast path sees records before any object holds them.
OBJECTS = """
UPDATE stock_alerts SET why = jsonb_set(why, '{raw_objects}', %(raw_objects)s)
WHERE alert_id = %(alert_id)s AND why -> 'raw_objects' IS DISTINCT FROM %(raw_objects)s
"""

STEP = """
INSERT INTO alert_steps (alert_id, event, severity, bar_start, path, kafka_partition, first_offset, reached, revision)
SELECT %(alert_id)s, %(event)s, %(severity)s, %(bar_start)s, %(path)s, %(partition)s, %(first_offset)s, %(reached)s,
    coalesce((SELECT revision FROM engine_state WHERE kafka_partition = %(partition)s), 0)
ON CONFLICT (alert_id, event, severity, bar_start, path) DO NOTHING
"""
