"""The SQL of the dashboard about the platform itself: its hops, its detector, what is wrong. All of it is bounded."""

# A hop of the minute path is as far as the newest trade of the last run in which it wrote anything; where there is
# nothing to reject and nothing to alert of, it is as far as the run.
HOPS = """
WITH counted AS (
    SELECT place, hop, rows, run_id, finished_at, newest_event
    FROM pipeline_runs
    CROSS JOIN LATERAL (
        VALUES
            (2, 'raw objects read', objects::bigint),
            (3, 'trades loaded', rows_loaded),
            (4, 'trades rejected', rows_rejected),
            (5, 'bars written', bars::bigint),
            (6, 'volatility rows written', volatility::bigint),
            (7, 'alert changes', alerts::bigint)
    ) AS counts (place, hop, rows)
    WHERE finished_at > now() - interval '1 day'
)
SELECT hop, rows_per_minute, rows_last_run, rows_1d, last_rows_at,
    extract(epoch FROM now() - last_rows_at)::double precision AS age_seconds,
    extract(epoch FROM now() - reached)::double precision AS lag_seconds
FROM (
    SELECT place, hop,
        sum(rows) FILTER (WHERE finished_at > now() - interval '10 minutes')::double precision / 10 AS rows_per_minute,
        (array_agg(rows ORDER BY run_id DESC))[1] AS rows_last_run,
        sum(rows)::bigint AS rows_1d,
        max(finished_at) FILTER (WHERE rows > 0) AS last_rows_at,
        max(newest_event) FILTER (WHERE rows > 0 OR place IN (4, 7)) AS reached
    FROM counted
    GROUP BY place, hop
) AS hops
ORDER BY place"""

DETECTOR = """
SELECT
    judged.kafka_partition,
    judged.next_offset,
    judged.next_offset - loaded.next_offset AS ahead,
    judged.updated_at,
    extract(epoch FROM now() - judged.updated_at)::double precision AS age_seconds,
    extract(epoch FROM now())::double precision - newest.received / 1000 AS lag_seconds
FROM detector_state AS judged
LEFT JOIN load_positions AS loaded USING (kafka_partition)
CROSS JOIN LATERAL (
    SELECT max(moment::double precision) AS received
    FROM jsonb_each_text(judged.watermarks) AS each (source, moment)
) AS newest
ORDER BY judged.kafka_partition
LIMIT %(limit)s"""

TROUBLES = """
SELECT
    (SELECT count(*) FROM alert_differences),
    (SELECT count(*) FROM raw_objects WHERE fault IS NOT NULL),
    (SELECT count(*) FROM stock_alerts WHERE kind = 'BLIND' AND state IN ('OPEN', 'ESCALATED'))"""
