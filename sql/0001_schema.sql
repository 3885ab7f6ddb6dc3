-- The warehouse: bars, volatility, signals, alerts, and what the loader must remember to load each row exactly once.
-- Prices are NUMERIC (they print as seen); statistics are double precision. Times are UTC.
-- Roles volwatch_pipeline, volwatch_dashboard and volwatch_readonly exist before the first migration (docs/operations.md).

CREATE TABLE stock_prices (
    source           text             NOT NULL,
    symbol           text             NOT NULL,
    bar_start        timestamptz      NOT NULL,
    bar_seconds      integer          NOT NULL CHECK (bar_seconds IN (60, 86400)),
    open             numeric(18, 8)   NOT NULL,
    high             numeric(18, 8)   NOT NULL,
    low              numeric(18, 8)   NOT NULL,
    close            numeric(18, 8)   NOT NULL,
    volume           numeric(24, 8)   NOT NULL CHECK (volume >= 0),
    vwap             numeric(18, 8),                                  -- NULL when nothing but quotes was seen
    trades           integer          NOT NULL CHECK (trades > 0),
    session          text             NOT NULL CHECK (session IN ('pre', 'regular', 'post', 'closed')),
    revision         integer          NOT NULL CHECK (revision >= 0), -- trades that amended the bar after it was first shown
    final            boolean          NOT NULL,
    flags            text[]           NOT NULL,
    log_return       double precision,                                -- to the previous bar of the session; first bar: ln(C/O)
    elapsed_bars     integer          NOT NULL CHECK (elapsed_bars >= 1),
    first_trade_at   timestamptz      NOT NULL,
    last_trade_at    timestamptz      NOT NULL,
    kafka_partition  integer          NOT NULL,                       -- with the offsets: the raw rows the bar was made of
    first_offset     bigint           NOT NULL,
    last_offset      bigint           NOT NULL,
    updated_at       timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (source, symbol, bar_seconds, bar_start),             -- a series is (source, symbol): readers ask by series
    CHECK (low <= least(open, close) AND high >= greatest(open, close) AND low > 0),
    CHECK (vwap IS NULL OR vwap BETWEEN low AND high)
) PARTITION BY RANGE (bar_start);
CREATE INDEX stock_prices_by_time ON stock_prices USING brin (bar_start);

CREATE TABLE stock_volatility (
    source          text             NOT NULL,
    symbol          text             NOT NULL,
    bar_start       timestamptz      NOT NULL,
    bar_seconds     integer          NOT NULL CHECK (bar_seconds IN (60, 86400)),
    estimator       text             NOT NULL,                        -- cc, cc0, parkinson, …, ewma; sharpe on daily bars
    window_bars     integer          NOT NULL CHECK (window_bars > 0),
    value           double precision,                                 -- annualised, a decimal: 0.25 is 25 % a year
    null_reason     text CHECK (null_reason IN ('INSUFFICIENT_DATA', 'ZERO_VARIANCE', 'TOO_FEW_TRADES', 'STALE', 'HALTED', 'INVALID_OHLC')),
    standard_error  double precision,                                 -- of the Sharpe ratio; NULL elsewhere
    n_obs           integer          NOT NULL CHECK (n_obs >= 0),
    annualisation   text             NOT NULL,                        -- US_RTH_1M, US_DAILY, CRYPTO_1M, …: how many bars make a year
    model_version   text             NOT NULL,
    final           boolean          NOT NULL,
    input_revision  integer          NOT NULL CHECK (input_revision >= 0),
    updated_at      timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (source, symbol, bar_seconds, bar_start, estimator, window_bars, model_version),
    CHECK ((value IS NULL) <> (null_reason IS NULL)),
    CHECK (value NOT IN ('NaN', 'Infinity', '-Infinity'))
) PARTITION BY RANGE (bar_start);
CREATE INDEX stock_volatility_by_time ON stock_volatility USING brin (bar_start);

CREATE TABLE stock_signals (                                          -- the detector's statistic, bar by bar
    source             text             NOT NULL,
    symbol             text             NOT NULL,
    bar_start          timestamptz      NOT NULL,
    detector           text             NOT NULL,
    detector_version   text             NOT NULL,
    statistic          double precision,                              -- S = max(EWMA channel, single-bar channel)
    threshold          double precision NOT NULL,                     -- S at which an alert opened by the settings of then
    null_reason        text,
    z                  double precision,                              -- the single-bar channel
    log_range          double precision NOT NULL,                     -- of this bar, per root minute
    expected_log_range double precision NOT NULL,                     -- usual for the symbol at this time of day
    final              boolean          NOT NULL,
    input_revision     integer          NOT NULL CHECK (input_revision >= 0),
    updated_at         timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (source, symbol, bar_start, detector, detector_version),
    CHECK ((statistic IS NULL) <> (null_reason IS NULL))
) PARTITION BY RANGE (bar_start);
CREATE INDEX stock_signals_by_time ON stock_signals USING brin (bar_start);

CREATE TABLE stock_alerts (
    alert_id          uuid             PRIMARY KEY,                   -- uuid5 of the natural key below
    source            text             NOT NULL,
    symbol            text             NOT NULL,
    kind              text             NOT NULL CHECK (kind IN ('VOLATILITY', 'REOPEN')),
    detector          text             NOT NULL,
    detector_version  text             NOT NULL,
    onset_bar         timestamptz      NOT NULL,
    state             text             NOT NULL CHECK (state IN ('OPEN', 'ESCALATED', 'CLOSED', 'RETRACTED', 'SUPPRESSED')),
    severity          text             NOT NULL CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH')),
    confirmed         boolean          NOT NULL,                      -- the onset bar is final and still says so
    statistic         double precision NOT NULL,                      -- the largest seen in the episode
    threshold         double precision NOT NULL,
    volatility        double precision,                               -- annualised, from the onset bar's range
    expected_volatility double precision,                             -- usual at this time of day
    ratio             double precision,
    sentence          text             NOT NULL,
    why               jsonb            NOT NULL,
    config_hash       text             NOT NULL,
    detected_at       timestamptz      NOT NULL,                      -- watermark of the data at which it opened
    recorded_at       timestamptz      NOT NULL DEFAULT clock_timestamp(), -- when the row was first written
    closed_at         timestamptz,                                    -- end of the bar that closed it
    acknowledged_by   text,
    acknowledged_at   timestamptz,
    note              text,
    UNIQUE (source, symbol, kind, detector, detector_version, onset_bar)
);
CREATE UNIQUE INDEX stock_alerts_one_open ON stock_alerts (source, symbol, kind) WHERE state IN ('OPEN', 'ESCALATED');
CREATE INDEX stock_alerts_by_onset ON stock_alerts (onset_bar DESC);

CREATE TABLE alert_events (                                           -- audit: each transition and acknowledgement, once
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id      uuid        NOT NULL REFERENCES stock_alerts,
    event         text        NOT NULL,                               -- a state, or CONFIRMED, ACKNOWLEDGED
    severity      text,
    bar_start     timestamptz,                                        -- the bar that caused it; NULL for a person's act
    actor         text        NOT NULL,                               -- the path (pipeline) or the person
    detail        text,
    happened_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX alert_events_once ON alert_events (alert_id, event, severity, bar_start) WHERE bar_start IS NOT NULL;

CREATE TABLE raw_objects (                                            -- ledger: what was loaded from the raw zone
    object_key       text        PRIMARY KEY,
    kafka_partition  integer     NOT NULL,
    first_offset     bigint      NOT NULL,
    last_offset      bigint      NOT NULL CHECK (last_offset >= first_offset),
    rows_read        bigint      NOT NULL,
    rows_loaded      bigint      NOT NULL,                            -- at or after the position: new to the warehouse
    rows_rejected    bigint      NOT NULL,                            -- of those: quarantined
    fault            text,                                            -- why the object could not be read; NULL: it could
    loaded_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX raw_objects_by_offset ON raw_objects (kafka_partition, first_offset);

CREATE TABLE load_positions (
    kafka_partition  integer     PRIMARY KEY,
    next_offset      bigint      NOT NULL,
    hour             timestamptz NOT NULL,                            -- of the last loaded object: where listing starts again
    gaps             bigint      NOT NULL DEFAULT 0,                  -- offsets that were skipped because no object has them
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE engine_state (
    kafka_partition  integer     PRIMARY KEY,
    watermark        timestamptz,
    engine_version   text        NOT NULL,
    config_hash      text        NOT NULL,
    checksum         text        NOT NULL,                            -- SHA-256 of the state
    state            bytea       NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE quarantine (
    quarantine_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kafka_partition  integer     NOT NULL,
    kafka_offset     bigint      NOT NULL,
    source           text,
    symbol           text,
    reason           text        NOT NULL,
    record           text        NOT NULL,
    quarantined_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kafka_partition, kafka_offset)
);

CREATE TABLE watchlist (                                              -- what is not here gets its calendar by the symbol's form
    symbol    text PRIMARY KEY,
    calendar  text NOT NULL CHECK (calendar IN ('XNYS', '24/7'))
);

CREATE TABLE pipeline_runs (
    run_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    objects        integer     NOT NULL,
    rows_loaded    bigint      NOT NULL,
    rows_rejected  bigint      NOT NULL,
    bars           integer     NOT NULL,
    volatility     integer     NOT NULL,
    alerts         integer     NOT NULL,
    newest_event   timestamptz                                        -- event time of the newest trade loaded
);
CREATE INDEX pipeline_runs_by_time ON pipeline_runs (finished_at DESC);

CREATE TABLE reconciliations (                                        -- rows per hop and partition, counted against each other
    reconciliation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    checked_at        timestamptz NOT NULL,
    kafka_partition   integer     NOT NULL,
    kafka_first       bigint      NOT NULL,
    kafka_end         bigint      NOT NULL,
    raw_rows          bigint      NOT NULL,
    loaded_rows       bigint      NOT NULL,
    rejected_rows     bigint      NOT NULL,
    missing_raw       bigint      NOT NULL,                           -- below the loader's position, in no object
    unloaded          bigint      NOT NULL                            -- in an object below the position, yet not loaded
);

-- Monthly partitions are made where rows are about to be written, and dropped whole when they are too old. The pipeline may
-- call these two functions but owns no table.
CREATE FUNCTION ensure_partitions(first_time timestamptz, last_time timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', first_time AT TIME ZONE 'UTC');
    parent text;
    child text;
    made integer := 0;
BEGIN
    WHILE month <= last_time AT TIME ZONE 'UTC' LOOP
        FOREACH parent IN ARRAY ARRAY['stock_prices', 'stock_volatility', 'stock_signals'] LOOP
            child := parent || to_char(month, '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
                               month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
        END LOOP;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;

CREATE FUNCTION drop_partitions(parent_table text, before timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    child regclass;
    dropped integer := 0;
BEGIN
    IF parent_table NOT IN ('stock_prices', 'stock_volatility', 'stock_signals') THEN
        RAISE EXCEPTION '% is not a partitioned table of volwatch', parent_table;
    END IF;
    FOR child IN
        SELECT inhrelid::regclass FROM pg_inherits
        WHERE inhparent = to_regclass(parent_table)
          AND to_date(right(inhrelid::regclass::text, 7), 'YYYY_MM') + interval '1 month' <= before AT TIME ZONE 'UTC'
    LOOP
        EXECUTE format('DROP TABLE %s', child);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

CREATE FUNCTION acknowledge_alert(alert uuid, person text, remark text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE stock_alerts SET acknowledged_by = person, acknowledged_at = now(), note = coalesce(remark, note)
    WHERE alert_id = alert AND acknowledged_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO alert_events (alert_id, event, actor, detail) VALUES (alert, 'ACKNOWLEDGED', person, remark);
    RETURN true;
END $$;

-- Least rights. The pipeline writes rows but changes no table; the dashboard reads, and acknowledges through the function.
REVOKE ALL ON FUNCTION ensure_partitions, drop_partitions, acknowledge_alert FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions, drop_partitions TO volwatch_pipeline;
GRANT EXECUTE ON FUNCTION acknowledge_alert TO volwatch_dashboard;
GRANT SELECT, INSERT, UPDATE ON stock_prices, stock_volatility, stock_signals, stock_alerts, load_positions, engine_state TO volwatch_pipeline;
GRANT SELECT, INSERT ON alert_events, raw_objects, quarantine, pipeline_runs, reconciliations TO volwatch_pipeline;
GRANT SELECT ON watchlist TO volwatch_pipeline;
GRANT SELECT ON stock_prices, stock_volatility, stock_signals, stock_alerts, alert_events, raw_objects, load_positions,
    quarantine, watchlist, pipeline_runs, reconciliations TO volwatch_dashboard, volwatch_readonly;

-- The pipeline stages rows in temporary tables before it merges them.
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO volwatch_pipeline', current_database()); END $$;
