"""The SQL of one series: its bars, estimates and statistic in [start, end), as they are or one for each step of time.

A step of 60 s over minute bars leaves them as they are; a longer one keeps charts of days as small as those of hours.
"""

_STEP = "date_bin(make_interval(secs => %(step_seconds)s), bar_start, timestamptz '2000-01-01 00:00Z')"

NEWEST_BAR = """
SELECT bar_start FROM stock_prices
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
ORDER BY bar_start DESC
LIMIT 1"""

OLDEST_BAR = """
SELECT bar_start FROM stock_prices
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
ORDER BY bar_start
LIMIT 1"""

CALENDAR = "SELECT calendar FROM watchlist WHERE symbol = %(symbol)s LIMIT 1"

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

# A step of nothing but quotes has no VWAP; one of whose bars a return is unknown has none.
CANDLES = f"""
SELECT
    {_STEP} AS step_start,
    (array_agg(open ORDER BY bar_start))[1]::double precision AS open,
    max(high)::double precision AS high,
    min(low)::double precision AS low,
    (array_agg(close ORDER BY bar_start DESC))[1]::double precision AS close,
    sum(volume)::double precision AS volume,
    (sum(volume * vwap) / nullif(sum(volume) FILTER (WHERE vwap IS NOT NULL), 0))::double precision AS vwap,
    sum(trades) AS trades,
    CASE WHEN bool_and(moved IS NOT NULL) THEN sum(moved) END AS log_return
FROM (SELECT *, log_return AS moved FROM stock_prices) AS bar
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
    AND bar_start >= %(start)s AND bar_start < %(end)s
GROUP BY step_start
ORDER BY step_start DESC
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

# Of each step the newest estimate.
VOLATILITY = f"""
SELECT DISTINCT ON ({_STEP}, estimator, window_bars)
    bar_start, estimator, window_bars, value, null_reason, standard_error, n_obs, annualisation, final
FROM stock_volatility
WHERE source = %(source)s AND symbol = %(symbol)s AND bar_seconds = %(bar_seconds)s
    AND bar_start >= %(start)s AND bar_start < %(end)s AND estimator = ANY(%(estimators)s)
ORDER BY {_STEP} DESC, estimator, window_bars, bar_start DESC, updated_at DESC
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

# Of each step the highest statistic: a longer range must not hide what opened an alert. Of a bar the newest row counts.
SIGNALS = f"""
SELECT DISTINCT ON ({_STEP})
    bar_start, statistic, threshold, null_reason, z, log_range, expected_log_range, final
FROM (
    SELECT DISTINCT ON (bar_start)
        bar_start, statistic, threshold, null_reason, z, log_range, expected_log_range, final
    FROM stock_signals
    WHERE source = %(source)s AND symbol = %(symbol)s AND bar_start >= %(start)s AND bar_start < %(end)s
    ORDER BY bar_start DESC, updated_at DESC
) AS judged
ORDER BY {_STEP} DESC, statistic DESC NULLS LAST, bar_start
LIMIT %(limit)s"""  # noqa: S608 - two constants joined

# What an estimate was at the same time of day, of the place where the market is, on the days before: one probe for each
# moment and day. Nothing of the moment's own day counts.
USUAL = """
SELECT
    moment.bar_start,
    past.window_bars,
    percentile_cont(0.1) WITHIN GROUP (ORDER BY past.value) AS low,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY past.value) AS middle,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY past.value) AS high,
    count(*)::integer AS days
FROM unnest(%(moments)s::timestamptz[]) AS moment (bar_start)
CROSS JOIN generate_series(1, %(days)s) AS back (days)
CROSS JOIN LATERAL (
    SELECT value, window_bars FROM stock_volatility AS estimate
    WHERE estimate.source = %(source)s AND estimate.symbol = %(symbol)s AND estimate.bar_seconds = 60
        AND estimate.bar_start
            = ((moment.bar_start AT TIME ZONE %(zone)s) - back.days * interval '1 day') AT TIME ZONE %(zone)s
        AND estimate.estimator = %(estimator)s AND estimate.value IS NOT NULL
    ORDER BY window_bars, updated_at DESC
    LIMIT 1
) AS past
GROUP BY moment.bar_start, past.window_bars
ORDER BY moment.bar_start DESC
LIMIT %(limit)s"""
