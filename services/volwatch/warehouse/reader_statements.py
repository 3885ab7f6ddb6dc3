"""The SQL of the dashboard. Every statement is bounded: by a limit, by [start, end) of one series, or by one day."""

FRESHNESS = """
SELECT
    now(),
    (SELECT max(newest_event)
     FROM (SELECT newest_event FROM pipeline_runs ORDER BY finished_at DESC LIMIT 1000) AS recent),
    (SELECT max(finished_at) FROM pipeline_runs)"""


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
