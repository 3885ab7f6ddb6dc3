"""The SQL of the dashboard. Every statement is bounded: by a limit, by [start, end) of one series, or by one day."""

# Loose index scan: one probe per series instead of a pass over all bars.
_SERIES = """
series (source, symbol) AS (
    (SELECT source, symbol FROM stock_prices ORDER BY source, symbol LIMIT 1)
    UNION ALL
    SELECT following.source, following.symbol
    FROM series
    CROSS JOIN LATERAL (
        SELECT source, symbol FROM stock_prices AS bar
        WHERE (bar.source, bar.symbol) > (series.source, series.symbol)
        ORDER BY source, symbol
        LIMIT 1
    ) AS following
)"""

SERIES = f"WITH RECURSIVE {_SERIES} SELECT source, symbol FROM series LIMIT %(limit)s"  # noqa: S608 - two constants joined

FRESHNESS = """
SELECT
    now(),
    (SELECT max(newest_event)
     FROM (SELECT newest_event FROM pipeline_runs ORDER BY finished_at DESC LIMIT 1000) AS recent),
    (SELECT max(finished_at) FROM pipeline_runs)"""

OVERVIEW = f"""
WITH RECURSIVE {_SERIES}
SELECT
    series.source,
    series.symbol,
    price.closes[1] AS close,
    exp(price.log_returns[1]) - 1 AS change_last_bar,
    price.closes[1] / price.closes[array_upper(price.closes, 1)] - 1 AS change_all_bars,
    price.closes,
    price.newest_bar,
    price.newest_trade,
    extract(epoch FROM now() - price.newest_trade)::double precision AS age_seconds,
    cc.value AS cc,
    cc.null_reason AS cc_null_reason,
    ewma.value AS ewma,
    ewma.null_reason AS ewma_null_reason,
    coalesce(ewma.annualisation, cc.annualisation) AS annualisation,
    signal.statistic,
    signal.threshold,
    signal.null_reason AS statistic_null_reason,
    alert.state AS alert_state,
    alert.severity AS alert_severity
FROM series
CROSS JOIN LATERAL (
    SELECT
        array_agg(close ORDER BY bar_start DESC) AS closes,
        array_agg(log_return ORDER BY bar_start DESC) AS log_returns,
        max(bar_start) AS newest_bar,
        max(last_trade_at) AS newest_trade
    FROM (
        SELECT bar_start, close::double precision AS close, log_return, last_trade_at FROM stock_prices AS bar
        WHERE bar.source = series.source AND bar.symbol = series.symbol AND bar.bar_seconds = 60
        ORDER BY bar_start DESC
        LIMIT %(bars)s
    ) AS recent
) AS price
LEFT JOIN LATERAL (
    SELECT value, null_reason, annualisation FROM stock_volatility AS estimate
    WHERE estimate.source = series.source AND estimate.symbol = series.symbol
        AND estimate.bar_seconds = 60 AND estimate.estimator = 'cc'
    ORDER BY bar_start DESC, window_bars, updated_at DESC
    LIMIT 1
) AS cc ON true
LEFT JOIN LATERAL (
    SELECT value, null_reason, annualisation FROM stock_volatility AS estimate
    WHERE estimate.source = series.source AND estimate.symbol = series.symbol
        AND estimate.bar_seconds = 60 AND estimate.estimator = 'ewma'
    ORDER BY bar_start DESC, window_bars, updated_at DESC
    LIMIT 1
) AS ewma ON true
LEFT JOIN LATERAL (
    SELECT statistic, threshold, null_reason FROM stock_signals AS judged
    WHERE judged.source = series.source AND judged.symbol = series.symbol
    ORDER BY bar_start DESC, updated_at DESC
    LIMIT 1
) AS signal ON true
LEFT JOIN LATERAL (
    SELECT state, severity FROM stock_alerts AS open_alert
    WHERE open_alert.source = series.source AND open_alert.symbol = series.symbol
        AND open_alert.state IN ('OPEN', 'ESCALATED')
    ORDER BY onset_bar DESC
    LIMIT 1
) AS alert ON true
WHERE price.newest_bar IS NOT NULL
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

NEWEST_BAR = """
SELECT bar_start FROM stock_prices
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
ORDER BY bar_start DESC
LIMIT 1"""

BARS = """
SELECT
    bar_start,
    open::double precision,
    high::double precision,
    low::double precision,
    close::double precision,
    volume::double precision,
    vwap::double precision,
    trades,
    log_return,
    final
FROM stock_prices
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
    AND bar_start >= %(start)s AND bar_start < %(end)s
ORDER BY bar_start DESC
LIMIT %(limit)s"""

VOLATILITY = """
SELECT DISTINCT ON (bar_start, estimator, window_bars)
    bar_start, estimator, window_bars, value, null_reason, standard_error, n_obs, annualisation, final
FROM stock_volatility
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
    AND bar_start >= %(start)s AND bar_start < %(end)s AND estimator = ANY(%(estimators)s)
ORDER BY bar_start DESC, estimator, window_bars, updated_at DESC
LIMIT %(limit)s"""

SIGNALS = """
SELECT DISTINCT ON (bar_start)
    bar_start, statistic, threshold, null_reason, z, log_range, expected_log_range, final
FROM stock_signals
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_start >= %(start)s AND bar_start < %(end)s
ORDER BY bar_start DESC, updated_at DESC
LIMIT %(limit)s"""

RUNS = """
SELECT
    finished_at,
    extract(epoch FROM finished_at - started_at)::double precision AS duration_seconds,
    objects, rows_loaded, rows_rejected, bars, volatility, alerts, newest_event,
    extract(epoch FROM finished_at - newest_event)::double precision AS event_lag_seconds
FROM pipeline_runs
ORDER BY finished_at DESC
LIMIT %(limit)s"""

POSITIONS = """
SELECT
    position.kafka_partition,
    position.next_offset,
    position.gaps,
    position.updated_at,
    extract(epoch FROM now() - position.updated_at)::double precision AS age_seconds,
    newest.object_key,
    newest.rows_loaded
FROM load_positions AS position
LEFT JOIN LATERAL (
    SELECT object_key, rows_loaded FROM raw_objects
    WHERE raw_objects.kafka_partition = position.kafka_partition
    ORDER BY first_offset DESC
    LIMIT 1
) AS newest ON true
ORDER BY position.kafka_partition
LIMIT %(limit)s"""

QUARANTINE = """
SELECT
    reason,
    count(*) AS rows_1d,
    max(quarantined_at) AS newest,
    (array_agg(source ORDER BY quarantine_id DESC))[1] AS source,
    (array_agg(symbol ORDER BY quarantine_id DESC))[1] AS symbol,
    (array_agg(left(record, 200) ORDER BY quarantine_id DESC))[1] AS record
FROM (SELECT * FROM quarantine ORDER BY quarantine_id DESC LIMIT 100000) AS recent
WHERE lifted_at IS NULL AND quarantined_at > now() - interval '1 day'
GROUP BY reason
ORDER BY rows_1d DESC"""

# Of the counts of everything: one of the newest hours says nothing of the rest.
RECONCILIATION = """
SELECT
    checked_at, kafka_partition, kafka_first, kafka_end, raw_rows, loaded_rows, rejected_rows, missing_raw, unloaded
FROM reconciliations
WHERE since IS NULL AND checked_at = (SELECT max(checked_at) FROM reconciliations WHERE since IS NULL)
ORDER BY kafka_partition
LIMIT %(limit)s"""

TOTALS = """
SELECT
    (SELECT coalesce(sum(rows_loaded), 0)::bigint FROM pipeline_runs),
    (SELECT coalesce(sum(rows_rejected), 0)::bigint FROM pipeline_runs),
    (SELECT coalesce(sum(gaps), 0)::bigint FROM load_positions),
    (SELECT coalesce(max(rows), 0)::bigint
     FROM (SELECT sum(missing_raw + unloaded) AS rows FROM reconciliations
           WHERE checked_at >= coalesce((SELECT max(checked_at) FROM reconciliations WHERE since IS NULL), '-infinity')
           GROUP BY checked_at) AS counted),
    (SELECT count(*) FROM alert_differences)"""

UNREADABLE = "SELECT fault, count(*) FROM raw_objects WHERE fault IS NOT NULL GROUP BY fault ORDER BY fault"

QUARANTINED = """
SELECT reason, count(*)
FROM (SELECT reason, quarantined_at, lifted_at FROM quarantine ORDER BY quarantine_id DESC LIMIT 100000) AS recent
WHERE lifted_at IS NULL AND quarantined_at > now() - interval '1 day'
GROUP BY reason
ORDER BY reason"""

LIVE_SERIES = """
SELECT standing.source, standing.symbol, watched.calendar, standing.since
FROM series_standing AS standing
LEFT JOIN watchlist AS watched USING (symbol)
WHERE standing.watermark > now() - interval '7 days'
ORDER BY standing.source, standing.symbol
LIMIT %(limit)s"""

BLIND = "SELECT source, symbol FROM stock_alerts WHERE kind = 'BLIND' AND state IN ('OPEN', 'ESCALATED')"

CHANNELS = """
SELECT channel, kind, up, failures, waiting, extract(epoch FROM now() - oldest_waiting_at)::double precision
    AS waiting_seconds, sent_1d, refused_1d,
    extract(epoch FROM now() - last_success_at)::double precision AS success_age_seconds, last_error
FROM notifier_channels ORDER BY channel LIMIT %(limit)s
"""
