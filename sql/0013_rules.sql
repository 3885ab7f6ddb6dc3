-- Rules of users raise alerts beside the default detector: each rule by its name, one of each open at a time.

ALTER TABLE stock_alerts DROP CONSTRAINT IF EXISTS stock_alerts_kind_check;
ALTER TABLE stock_alerts ADD CONSTRAINT stock_alerts_kind_check
    CHECK (kind IN ('VOLATILITY', 'REOPEN', 'MARKET', 'BLIND', 'RULE'));

DROP INDEX IF EXISTS stock_alerts_one_open;
CREATE UNIQUE INDEX stock_alerts_one_open ON stock_alerts (source, symbol, kind, detector)
    WHERE state IN ('OPEN', 'ESCALATED');
