"""The SQL of all series at once: which there are, how each stands, how the market moved against its usual.

``log_range`` and its expected value are logarithms: e to the mean of their differences is the ratio to usual.
"""

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

OVERVIEW = f"""
WITH RECURSIVE {_SERIES}
SELECT
    series.source,
    series.symbol,
    price.closes[1] AS close,
    exp(price.log_returns[1]) - 1 AS change_last_bar,
    price.closes[1] / price.closes[array_upper(price.closes, 1)] - 1 AS change_all_bars,
    price.closes::real[] AS closes,  -- for a small chart
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
    usual.ratio,
    usual.ratios::real[] AS ratios,
    standing.standing,
    alert.state AS alert_state,
    alert.severity AS alert_severity
FROM series
LEFT JOIN series_standing AS standing USING (source, symbol)
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
    SELECT
        exp(avg(excess) FILTER (WHERE place <= %(ratio_bars)s)) AS ratio,
        array_agg(exp(excess) ORDER BY place) AS ratios
    FROM (
        SELECT log_range - expected_log_range AS excess, row_number() OVER (ORDER BY bar_start DESC) AS place
        FROM stock_signals AS judged
        WHERE judged.source = series.source AND judged.symbol = series.symbol AND judged.null_reason IS NULL
        ORDER BY bar_start DESC
        LIMIT %(bars)s
    ) AS recent
) AS usual ON true
LEFT JOIN LATERAL (
    SELECT state, severity FROM stock_alerts AS open_alert
    WHERE open_alert.source = series.source AND open_alert.symbol = series.symbol
        AND open_alert.state IN ('OPEN', 'ESCALATED')
    ORDER BY onset_bar DESC
    LIMIT 1
) AS alert ON true
WHERE price.newest_bar IS NOT NULL
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

RATIOS = """
SELECT
    source,
    symbol,
    date_bin(make_interval(secs => %(bin_seconds)s), bar_start, timestamptz '2000-01-01 00:00Z') AS bin_start,
    exp(avg(log_range - expected_log_range)) AS ratio
FROM stock_signals
WHERE bar_start >= %(start)s AND bar_start < %(end)s AND null_reason IS NULL
GROUP BY bin_start, source, symbol
ORDER BY bin_start DESC, source, symbol
LIMIT %(limit)s"""
