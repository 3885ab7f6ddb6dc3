-- A symbol may have any calendar that the program knows: the pipeline checks the name, a constraint only its form.

ALTER TABLE watchlist DROP CONSTRAINT watchlist_calendar_check;
ALTER TABLE watchlist ADD CONSTRAINT watchlist_calendar_check CHECK (calendar ~ '^[A-Za-z0-9_/]{2,20}$');

-- Many symbols at once are one alert of the market: its symbol is the calendar's name, its statistic the share of symbols,
-- and the alerts of the symbols are linked to it.

ALTER TABLE stock_alerts DROP CONSTRAINT stock_alerts_kind_check;
ALTER TABLE stock_alerts ADD CONSTRAINT stock_alerts_kind_check CHECK (kind IN ('VOLATILITY', 'REOPEN', 'MARKET'));
ALTER TABLE stock_alerts ADD COLUMN market_alert_id uuid REFERENCES stock_alerts;
ALTER TABLE stock_alerts ADD CONSTRAINT stock_alerts_market_check CHECK (market_alert_id IS NULL OR kind <> 'MARKET');
CREATE INDEX stock_alerts_by_market ON stock_alerts (market_alert_id) WHERE market_alert_id IS NOT NULL;
