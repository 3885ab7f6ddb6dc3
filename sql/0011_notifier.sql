-- What is told of alerts, and to whom: an outbox that is filled with the event it tells of, deliveries by channel, and how
-- each channel fares.

CREATE TABLE notifications (                                          -- outbox: events that no notifier has taken yet
    event_id      bigint      PRIMARY KEY REFERENCES alert_events,
    alert_id      uuid        NOT NULL,
    queued_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notifications_by_time ON notifications (queued_at);

CREATE TABLE notification_channels (                                  -- one row per channel that a notifier serves or served
    channel         text        PRIMARY KEY,
    kind            text        NOT NULL,
    since           timestamptz NOT NULL DEFAULT now(),               -- it tells of what happened from here on
    up              boolean     NOT NULL DEFAULT true,                -- false: it failed too often in a row; it is tried all the same
    failures        integer     NOT NULL DEFAULT 0,                   -- in a row
    last_success_at timestamptz,
    last_error      text,
    next_attempt_at timestamptz,                                      -- NULL: at once
    served_at       timestamptz NOT NULL DEFAULT now()                -- when a notifier last had it
);

CREATE TABLE notification_deliveries (                                -- one row per channel and thing to tell, told once
    channel       text        NOT NULL,
    key           text        NOT NULL,                               -- idempotency key: alert id and state
    event_id      bigint      NOT NULL,
    alert_id      uuid        NOT NULL,
    event         text        NOT NULL,
    group_key     text        NOT NULL,                               -- the alert of the market it belongs to, or empty
    transition    jsonb       NOT NULL,                               -- what is told, as it was when it was taken
    state         text        NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENT', 'REFUSED', 'SUPPRESSED')),
    queued_at     timestamptz NOT NULL,
    message_id    text,                                               -- the message it was put into, the same at each attempt
    claimed_at    timestamptz,                                        -- sending began, and how it ended is not known yet
    attempts      integer     NOT NULL DEFAULT 0,
    sent_at       timestamptz,
    last_error    text,
    PRIMARY KEY (channel, key),
    CHECK ((state = 'SENT') = (sent_at IS NOT NULL))
);
CREATE INDEX notification_deliveries_waiting ON notification_deliveries (channel, event_id) WHERE state = 'WAITING';
CREATE INDEX notification_deliveries_by_alert ON notification_deliveries (channel, alert_id);
CREATE INDEX notification_deliveries_sent ON notification_deliveries (channel, sent_at) WHERE state = 'SENT';
CREATE INDEX notification_deliveries_by_time ON notification_deliveries USING brin (queued_at);

-- In the transaction of the event: it is told if, and only if, it happened. Whoever writes events needs no right to this.
CREATE FUNCTION queue_notifications() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO notifications (event_id, alert_id) SELECT event_id, alert_id FROM added;
    IF FOUND THEN
        PERFORM pg_notify('volwatch_notifications', '');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER alert_events_are_told AFTER INSERT ON alert_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_notifications();

-- The one place that says whether people may be told of an alert now (0012 adds silences).
CREATE FUNCTION may_tell(alert uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT state <> 'SUPPRESSED' FROM stock_alerts WHERE alert_id = alert
$$;

-- Neither what was told nor what nobody takes is kept for ever.
CREATE FUNCTION forget_notifications(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
    told bigint;
BEGIN
    DELETE FROM notifications WHERE queued_at < before;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    -- What was told of an alert that is still open is needed to tell of its end.
    DELETE FROM notification_deliveries AS held WHERE queued_at < before AND NOT EXISTS (
        SELECT FROM stock_alerts WHERE alert_id = held.alert_id AND stock_alerts.state IN ('OPEN', 'ESCALATED'));
    GET DIAGNOSTICS told = ROW_COUNT;
    DELETE FROM notification_channels AS held WHERE served_at < before
        AND NOT EXISTS (SELECT FROM notification_deliveries WHERE channel = held.channel);
    RETURN forgotten + told;
END $$;

CREATE VIEW notifier_channels AS
SELECT served.channel, kind, up, failures, last_success_at, served.last_error, next_attempt_at, served_at,
       count(*) FILTER (WHERE state = 'WAITING') AS waiting,
       min(queued_at) FILTER (WHERE state = 'WAITING') AS oldest_waiting_at,
       count(*) FILTER (WHERE state = 'SENT' AND sent_at > now() - interval '1 day') AS sent_1d,
       count(*) FILTER (WHERE state = 'REFUSED' AND queued_at > now() - interval '1 day') AS refused_1d
FROM notification_channels AS served LEFT JOIN notification_deliveries USING (channel)
GROUP BY served.channel;

REVOKE ALL ON FUNCTION queue_notifications, may_tell, forget_notifications FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_notifications TO volwatch_pipeline;
GRANT EXECUTE ON FUNCTION may_tell TO volwatch_notifier;
GRANT SELECT ON stock_alerts, alert_events TO volwatch_notifier;
GRANT SELECT, DELETE ON notifications TO volwatch_notifier;
GRANT SELECT, INSERT, UPDATE ON notification_deliveries, notification_channels TO volwatch_notifier;
GRANT SELECT ON notifier_channels TO volwatch_dashboard, volwatch_readonly;
GRANT SELECT (migration_id) ON _yoyo_migration TO volwatch_notifier;
