"""The SQL of a rebuild's rows. ``held`` is what is stored, ``made`` what the rebuild has staged."""

STAGE = """
SELECT ensure_partitions(month, month) FROM unnest(%(months)s::timestamptz[]) AS month;
DROP TABLE IF EXISTS {staging};
CREATE TEMPORARY TABLE {staging} ON COMMIT DROP AS SELECT {columns} FROM {target} WITH NO DATA
"""

COPY = "COPY {staging} ({columns}) FROM STDIN (FORMAT csv)"

BOUNDS = """
held.bar_start BETWEEN (SELECT min(bar_start) FROM {staging}) AND (SELECT max(bar_start) FROM {staging})
"""

DROP_UNCHANGED = """
DELETE FROM {staging} AS made USING {target} AS held
WHERE {same} AND {bounds} AND ({old}) IS NOT DISTINCT FROM ({new})
"""

KEEP_OLD = """
INSERT INTO superseded_rows (relation, held, withdrawn)
SELECT {relation}, to_jsonb(held), false FROM {target} AS held JOIN {staging} AS made ON {same} WHERE {bounds}
"""

UPSERT = """
INSERT INTO {target} AS held ({columns}) SELECT {columns} FROM {staging}
ON CONFLICT ({keys}) DO UPDATE SET ({compared}) = ROW ({excluded}), updated_at = now()
"""

SETS = ""

SETS_AND_REVISES = ", revision = greatest(held.revision, excluded.revision) + 1"

CHANGED_DAYS = """
SELECT source, symbol, bar_start FROM rebuilt_stock_prices AS made
WHERE bar_seconds = 86400 AND EXISTS (
    SELECT FROM stock_volatility AS held
    WHERE held.source = made.source AND held.symbol = made.symbol AND held.bar_seconds = 86400
        AND held.bar_start = made.bar_start)
"""

# The number of its bar as it stands, which may count rebuilds, too.
TAKE_REVISION = {
    "stock_volatility": """
UPDATE rebuilt_stock_volatility AS made SET input_revision = bar.revision FROM stock_prices AS bar
WHERE bar.source = made.source AND bar.symbol = made.symbol AND bar.bar_seconds = made.bar_seconds
    AND bar.bar_start = made.bar_start AND made.input_revision <> bar.revision
""",
    "stock_signals": """
UPDATE rebuilt_stock_signals AS made SET input_revision = bar.revision FROM stock_prices AS bar
WHERE bar.source = made.source AND bar.symbol = made.symbol AND bar.bar_seconds = 60
    AND bar.bar_start = made.bar_start AND made.input_revision <> bar.revision
""",
}

# A day is asked for by a wider range, for it becomes final by its session's close, not by its start.
UNMADE_BARS = """
SELECT symbol, bar_seconds, bar_start FROM stock_prices AS held
WHERE source = %(source)s AND kafka_partition = %(partition)s AND NOT EXISTS (
        SELECT FROM rebuilt_stock_prices AS made
        WHERE made.source = held.source AND made.symbol = held.symbol AND made.bar_seconds = held.bar_seconds
            AND made.bar_start = held.bar_start)
    AND bar_start > %(after)s - interval '3 days' AND bar_start <= %(until)s
    AND (bar_seconds = 86400 OR bar_start > %(after)s)
"""

UNMADE = {
    "stock_volatility": """
SELECT DISTINCT symbol, bar_start FROM stock_volatility AS held
WHERE source = %(source)s AND symbol = ANY(%(symbols)s) AND bar_seconds = 60 AND model_version = %(model_version)s
    AND bar_start > %(after)s AND bar_start <= %(until)s AND NOT EXISTS (
        SELECT FROM rebuilt_stock_volatility AS made
        WHERE made.source = held.source AND made.symbol = held.symbol AND made.bar_seconds = 60
            AND made.bar_start = held.bar_start)
""",
    "stock_signals": """
SELECT symbol, bar_start FROM stock_signals AS held
WHERE source = %(source)s AND symbol = ANY(%(symbols)s) AND detector = %(detector)s
    AND detector_version = %(detector_version)s AND bar_start > %(after)s AND bar_start <= %(until)s AND NOT EXISTS (
        SELECT FROM rebuilt_stock_signals AS made
        WHERE made.source = held.source AND made.symbol = held.symbol AND made.bar_start = held.bar_start)
""",
}

UNMADE_PROVISIONAL = """
SELECT symbol, bar_start FROM stock_prices AS held
WHERE source = %(source)s AND kafka_partition = %(partition)s AND bar_seconds = 60 AND NOT final
    AND bar_start > %(until)s AND NOT EXISTS (
        SELECT FROM rebuilt_stock_prices AS made
        WHERE made.source = held.source AND made.symbol = held.symbol AND made.bar_seconds = 60
            AND made.bar_start = held.bar_start)
"""

WITHDRAW = "SELECT withdraw_row(%s, %s, %s, %s, %s, %s)"
