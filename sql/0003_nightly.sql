-- What the nightly batch stores: the measures of whole sessions are rows of stock_volatility, on daily bars; the models of
-- daily returns have parameters, and so a table of their own.

CREATE TABLE stock_garch (
    source           text             NOT NULL,
    symbol           text             NOT NULL,
    session_date     date             NOT NULL,                       -- the last session it was fitted to
    distribution     text             NOT NULL CHECK (distribution IN ('normal', 't')),
    mu               double precision,                                -- parameters of decimal returns a day; NULL: not fitted
    omega            double precision,
    alpha            double precision,
    beta             double precision,
    nu               double precision,                                -- NULL for the normal distribution
    loglik           double precision,
    converged        boolean          NOT NULL,
    volatility_next  double precision,                                -- of the next session, annualised, a decimal
    term_structure   double precision[],                              -- the same up to 1, 5, 10, 21, 63, 126, 252 sessions ahead
    null_reason      text CHECK (null_reason IN ('INSUFFICIENT_DATA', 'ZERO_VARIANCE', 'TOO_FEW_TRADES', 'STALE', 'HALTED', 'INVALID_OHLC')),
    n_obs            integer          NOT NULL CHECK (n_obs >= 0),
    annualisation    text             NOT NULL,
    updated_at       timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (source, symbol, session_date, distribution),
    CHECK ((volatility_next IS NULL) <> (null_reason IS NULL)),
    CHECK ((volatility_next IS NULL) = (term_structure IS NULL)),
    CHECK (volatility_next NOT IN ('NaN', 'Infinity', '-Infinity'))
);
CREATE INDEX stock_garch_by_date ON stock_garch (session_date);

-- A row per series and session, so no partitions: the nightly batch lets go of old rows through this function.
CREATE FUNCTION forget_garch(before date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM stock_garch WHERE session_date < before;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END $$;

REVOKE ALL ON FUNCTION forget_garch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_garch TO volwatch_pipeline;
GRANT SELECT, INSERT, UPDATE ON stock_garch TO volwatch_pipeline;
GRANT SELECT ON stock_garch TO volwatch_dashboard, volwatch_readonly;
