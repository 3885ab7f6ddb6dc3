-- The fast path: the detector opens the alerts that the minute path confirms or takes back, under the same ids.

-- Both paths write the same rows. The one that has seen more of the partition says how an alert stands.
ALTER TABLE stock_alerts ADD COLUMN reached bigint NOT NULL DEFAULT 0;       -- end of the offsets that the row takes account of

ALTER TABLE stock_alerts DROP CONSTRAINT stock_alerts_kind_check;
ALTER TABLE stock_alerts ADD CONSTRAINT stock_alerts_kind_check CHECK (kind IN ('VOLATILITY', 'REOPEN', 'MARKET', 'BLIND'));

-- What one of them opened and the record has not confirmed yet.
CREATE INDEX stock_alerts_unconfirmed ON stock_alerts (source, onset_bar) WHERE NOT confirmed AND state <> 'RETRACTED';

-- A rebuild changes what the running state follows from: the detector then starts from it again.
ALTER TABLE engine_state ADD COLUMN revision integer NOT NULL DEFAULT 0;

CREATE TABLE detector_state (                                         -- the detector's engine, as far as its alerts are written
    kafka_partition  integer     PRIMARY KEY,
    next_offset      bigint      NOT NULL,                            -- the state after every offset below it
    since_offset     bigint      NOT NULL,                            -- where this detector took over from the minute path
    revision         integer     NOT NULL,                            -- of the minute path's state that it took over
    watermarks       jsonb       NOT NULL,                            -- newest receipt of each source, epoch ms
    engine_version   text        NOT NULL,
    config_hash      text        NOT NULL,
    checksum         text        NOT NULL,                            -- SHA-256 of the state
    state            bytea       NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE alert_steps (                                            -- what final bars say of alerts, as each path found it
    alert_id         uuid        NOT NULL,
    event            text        NOT NULL CHECK (event IN ('OPEN', 'ESCALATED', 'CLOSED')),
    severity         text        NOT NULL,
    bar_start        timestamptz NOT NULL,
    path             text        NOT NULL CHECK (path IN ('pipeline', 'detector')),
    kafka_partition  integer     NOT NULL,
    first_offset     bigint      NOT NULL,                            -- the records that were taken when the step was found
    reached          bigint      NOT NULL,
    revision         integer     NOT NULL,
    told_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (alert_id, event, severity, bar_start, path)
);
CREATE INDEX alert_steps_by_time ON alert_steps (told_at);

-- A step of final bars that one path found and the other, which has come past it, has not. There must be none.
CREATE VIEW alert_differences AS
SELECT step.alert_id, step.event, step.severity, step.bar_start, step.path AS found_by, step.kafka_partition, step.told_at
FROM alert_steps AS step
JOIN detector_state AS detector USING (kafka_partition)
JOIN load_positions AS position USING (kafka_partition)
WHERE step.told_at > now() - interval '6 days' AND step.revision = detector.revision
    AND CASE step.path WHEN 'pipeline'
        THEN detector.since_offset <= step.first_offset AND detector.next_offset >= step.reached
        ELSE position.next_offset >= step.reached END
    AND NOT EXISTS (
        SELECT FROM alert_steps AS other
        WHERE other.alert_id = step.alert_id AND other.event = step.event AND other.severity = step.severity
            AND other.bar_start = step.bar_start AND other.path <> step.path);

CREATE FUNCTION forget_alert_steps(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM alert_steps WHERE told_at < before;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END $$;

REVOKE ALL ON FUNCTION forget_alert_steps FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_alert_steps TO volwatch_pipeline;
GRANT SELECT, INSERT ON alert_steps TO volwatch_pipeline, volwatch_detector;
GRANT SELECT (kafka_partition, next_offset, since_offset, revision, watermarks, updated_at) ON detector_state TO volwatch_pipeline, volwatch_dashboard, volwatch_readonly;
GRANT SELECT, INSERT, UPDATE ON detector_state TO volwatch_detector;
GRANT SELECT ON alert_differences TO volwatch_pipeline, volwatch_dashboard, volwatch_readonly;

GRANT SELECT ON engine_state, load_positions, raw_objects, stock_prices, watchlist, series_standing, pipeline_runs TO volwatch_detector;
GRANT SELECT, INSERT, UPDATE ON stock_alerts TO volwatch_detector;
GRANT SELECT, INSERT ON alert_events TO volwatch_detector;
GRANT SELECT (migration_id) ON _yoyo_migration TO volwatch_detector;
