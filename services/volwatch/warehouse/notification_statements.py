"""The statements of the outbox: what is taken from it, what is claimed, what has become of it."""

# In one statement with their content: an event that was taken and not written down as a delivery would be lost.
TAKE = """
WITH taken AS (
    DELETE FROM notifications WHERE event_id IN (SELECT event_id FROM notifications ORDER BY event_id LIMIT %(limit)s)
    RETURNING event_id, queued_at
)
SELECT step.event_id, step.alert_id::text, step.event, coalesce(step.severity, alert.severity), step.happened_at,
    step.actor, step.detail, alert.source, alert.symbol, alert.kind, alert.detector, alert.onset_bar, alert.statistic,
    alert.threshold, alert.volatility, alert.expected_volatility, alert.ratio, alert.sentence,
    alert.market_alert_id::text, taken.queued_at, may_tell(alert.alert_id),
    (SELECT count(*) FROM alert_events AS ended WHERE ended.alert_id = step.alert_id
         AND ended.event IN ('CLOSED', 'RETRACTED') AND ended.event_id < step.event_id)
FROM taken JOIN alert_events AS step USING (event_id) JOIN stock_alerts AS alert ON alert.alert_id = step.alert_id
ORDER BY step.event_id
"""

SERVE = """
INSERT INTO notification_channels (channel, kind) VALUES (%(channel)s, %(kind)s)
ON CONFLICT (channel) DO UPDATE SET kind = excluded.kind, served_at = now()
"""

ADD = """
INSERT INTO notification_deliveries (channel, key, event_id, alert_id, event, group_key, transition, state, queued_at)
SELECT channel, key, event_id, alert_id, event, group_key, transition, state, queued_at
FROM (VALUES %s)
    AS added (channel, key, event_id, alert_id, event, group_key, transition, state, queued_at, opened_first)
JOIN notification_channels USING (channel)
WHERE queued_at >= since AND (NOT opened_first OR EXISTS (
    SELECT FROM notification_deliveries AS earlier
    WHERE earlier.channel = added.channel AND earlier.alert_id = added.alert_id
      AND earlier.event IN ('OPEN', 'ESCALATED') AND earlier.state <> 'SUPPRESSED'))
ON CONFLICT (channel, key) DO NOTHING
"""
ADDED = "(%s, %s, %s, %s::uuid, %s, %s, %s::jsonb, %s, %s::timestamptz, %s)"

_FIRED = """
    array(SELECT DISTINCT earlier.transition ->> 'severity' FROM notification_deliveries AS earlier
          WHERE earlier.channel = held.channel AND earlier.alert_id = held.alert_id
            AND earlier.event IN ('OPEN', 'ESCALATED') AND earlier.state = 'SENT' ORDER BY 1)
"""

WAITING = f"""
SELECT transition::text, group_key, queued_at, message_id, claimed_at IS NOT NULL, attempts, {_FIRED}
FROM notification_deliveries AS held
WHERE channel = %(channel)s AND state = 'WAITING' AND (
    %(loud)s::text[] IS NULL OR message_id IS NOT NULL OR alert_id IN (
        SELECT alert_id FROM notification_deliveries
        WHERE channel = %(channel)s AND state = 'WAITING' AND transition ->> 'severity' = ANY(%(loud)s)))
ORDER BY message_id IS NULL, event_id LIMIT %(limit)s
"""  # noqa: S608 - a constant

WAITING_ROWS = "SELECT count(*) FROM notification_deliveries WHERE channel = %(channel)s AND state = 'WAITING'"

# The newest opening of each alert that was told of and not of its end, nor is about to be.
FIRING = """
SELECT DISTINCT ON (alert_id) transition::text FROM notification_deliveries AS held
WHERE channel = %(channel)s AND state = 'SENT' AND event IN ('OPEN', 'ESCALATED') AND NOT EXISTS (
    SELECT FROM notification_deliveries AS ended WHERE ended.channel = held.channel AND ended.alert_id = held.alert_id
      AND ended.event IN ('CLOSED', 'RETRACTED', 'SUPPRESSED') AND ended.state <> 'SUPPRESSED'
      AND ended.event_id > held.event_id)
ORDER BY alert_id, event_id DESC
"""

SENT_SINCE = """
SELECT max(sent_at) FROM notification_deliveries
WHERE channel = %(channel)s AND state = 'SENT' AND sent_at > %(since)s
GROUP BY message_id ORDER BY 1
"""

CLAIM = """
UPDATE notification_deliveries SET message_id = %(message_id)s, claimed_at = clock_timestamp(), attempts = attempts + 1
WHERE channel = %(channel)s AND key = ANY(%(keys)s) AND state = 'WAITING'
"""

SETTLE = """
UPDATE notification_deliveries SET state = %(state)s, claimed_at = NULL, last_error = %(error)s,
    sent_at = CASE %(state)s WHEN 'SENT' THEN clock_timestamp() END
WHERE channel = %(channel)s AND message_id = %(message_id)s AND state = 'WAITING'
"""

REPORT = """
UPDATE notification_channels SET up = %(up)s, failures = %(failures)s, last_error = %(error)s, served_at = now(),
    next_attempt_at = now() + make_interval(secs => %(pause_seconds)s),
    last_success_at = CASE WHEN %(failures)s = 0 THEN now() ELSE last_success_at END
WHERE channel = %(channel)s
"""
