-- What a rebuild from the raw zone needs: states of the engine to start from, rights to correct what was loaded, and the
-- rows as they stood before.

CREATE TABLE engine_snapshots (                                       -- states of the past; the newest is in engine_state
    kafka_partition  integer     NOT NULL,
    next_offset      bigint      NOT NULL,                            -- the state after every offset below it
    hour             timestamptz NOT NULL,                            -- in which that offset came in
    engine_version   text        NOT NULL,
    config_hash      text        NOT NULL,
    checksum         text        NOT NULL,                            -- SHA-256 of the state
    state            bytea       NOT NULL,
    made_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kafka_partition, next_offset)
);
CREATE INDEX engine_snapshots_by_hour ON engine_snapshots (kafka_partition, hour);

CREATE TABLE rebuilds (                                               -- one row per rebuild in pieces: what finishing it needs
    rebuild_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    planned_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz,
    plan             bytea       NOT NULL                             -- MessagePack: offsets by partition, steps of alerts
);

CREATE TABLE superseded_rows (                                        -- rows as they stood before a rebuild changed or withdrew them
    relation         text        NOT NULL CHECK (relation IN ('stock_prices', 'stock_volatility', 'stock_signals')),
    held             jsonb       NOT NULL,
    withdrawn        boolean     NOT NULL,                            -- the raw zone has no such row; false: it was replaced
    superseded_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX superseded_rows_by_time ON superseded_rows USING brin (superseded_at);

ALTER TABLE quarantine ADD COLUMN lifted_at timestamptz;              -- when a rebuild found that the trade is taken after all

-- A row that does not follow from the raw zone goes, and is kept as it stood. Of stock_volatility all rows of a bar and a
-- version go together, as they come.
CREATE FUNCTION withdraw_row(
    relation text, of_source text, of_symbol text, of_bar_seconds integer, at timestamptz, of_version text
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    condition text := 'source = $1 AND symbol = $2 AND bar_start = $3';
    withdrawn bigint;
BEGIN
    IF relation NOT IN ('stock_prices', 'stock_volatility', 'stock_signals') THEN
        RAISE EXCEPTION '% has no rows of bars', relation;
    END IF;
    condition := condition || CASE relation
        WHEN 'stock_prices' THEN ' AND bar_seconds = $4'
        WHEN 'stock_volatility' THEN ' AND bar_seconds = $4 AND model_version = $5'
        ELSE ' AND detector_version = $5' END;
    EXECUTE format('WITH gone AS (DELETE FROM %1$I AS held WHERE %2$s RETURNING to_jsonb(held) AS held)
                    INSERT INTO superseded_rows (relation, held, withdrawn) SELECT %1$L, held, true FROM gone',
                   relation, condition)
        USING of_source, of_symbol, at, of_bar_seconds, of_version;
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    RETURN withdrawn;
END $$;

-- The ledger is never rewritten but by a rebuild: an object that can be read after all, and what was rejected of one.
CREATE FUNCTION mend_object(read_now bigint, loaded_now bigint, of_key text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE raw_objects SET rows_read = read_now, rows_loaded = loaded_now, fault = NULL WHERE object_key = of_key
$$;

CREATE FUNCTION recount_rejected(of_partition integer, at bigint, difference bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE raw_objects SET rows_rejected = rows_rejected + difference WHERE object_key = (
        SELECT object_key FROM raw_objects
        WHERE kafka_partition = of_partition AND at BETWEEN first_offset AND last_offset AND fault IS NULL
        ORDER BY rows_rejected DESC, object_key LIMIT 1)
$$;

REVOKE ALL ON FUNCTION withdraw_row, mend_object, recount_rejected FROM PUBLIC;
GRANT EXECUTE ON FUNCTION withdraw_row, mend_object, recount_rejected TO volwatch_pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON engine_snapshots TO volwatch_pipeline;
GRANT SELECT, INSERT ON rebuilds, superseded_rows TO volwatch_pipeline;
GRANT UPDATE (finished_at) ON rebuilds TO volwatch_pipeline;
GRANT UPDATE (reason, lifted_at) ON quarantine TO volwatch_pipeline;
GRANT SELECT ON superseded_rows, rebuilds TO volwatch_dashboard, volwatch_readonly;
