-- What was last asked of each symbol's price, and what of it was published: the same answer twice is published once.

CREATE TABLE quotes (
    symbol      text             PRIMARY KEY,
    asked_at    timestamptz,                                          -- NULL before its first turn
    outcome     text             CHECK (outcome IN ('PUBLISHED', 'UNCHANGED', 'STALE', 'UNKNOWN', 'FAILED')),
    event_time  timestamptz,                                          -- of the quote last published
    price       double precision,
    published   bigint           NOT NULL DEFAULT 0,                  -- quotes so far
    CHECK ((event_time IS NULL) = (price IS NULL))
);

GRANT SELECT, INSERT, UPDATE ON quotes TO volwatch_pipeline;
GRANT SELECT ON quotes TO volwatch_dashboard, volwatch_readonly;
