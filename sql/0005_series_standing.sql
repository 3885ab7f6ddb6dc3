-- How each series stands at its source's watermark: whether what was last said of it is of now.

CREATE TABLE series_standing (
    source      text        NOT NULL,
    symbol      text        NOT NULL,
    standing    text        NOT NULL CHECK (standing IN ('LIVE', 'WARM_UP', 'STALE', 'HALTED', 'CLOSED')),
    since       timestamptz NOT NULL,                                 -- end of the last bar
    watermark   timestamptz NOT NULL,                                 -- of the data by which this was judged
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, symbol)
);

GRANT SELECT, INSERT, UPDATE ON series_standing TO volwatch_pipeline;
GRANT SELECT ON series_standing TO volwatch_dashboard, volwatch_readonly;
