"""A warehouse of five sessions of 500 symbols, as the minute path leaves it: rows lie in the order of their minutes."""

from collections.abc import Callable
from contextlib import closing

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.volatility import MINUTE_ESTIMATORS
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect
from volwatch.warehouse.readings import Series

SYMBOLS, BARS, SESSIONS = 500, 390, 5
SOURCE = "bench"
ANY_SERIES = Series(SOURCE, "S250")
PARTITIONS = 6
ALERTS_PER_SYMBOL = 20

_PATIENCE_SECONDS = 1_800.0

# The sessions are the 390 minutes before this one of each of the last five days.
_MINUTES = """
minutes AS (
    SELECT date_trunc('minute', now()) - make_interval(days => day, mins => bar) AS bar_start
    FROM generate_series(0, %(sessions)s - 1) AS day, generate_series(1, %(bars)s) AS bar
),
series AS (SELECT 'S' || lpad(number::text, 3, '0') AS symbol, number FROM generate_series(1, %(symbols)s) AS number)"""

_PRICES = f"""
WITH {_MINUTES},
drawn AS (
    SELECT symbol, number, bar_start, round((100 + random() * 5)::numeric, 2) AS open,
        round((100 + random() * 5)::numeric, 2) AS close
    FROM minutes, series
    ORDER BY bar_start, number
)
INSERT INTO stock_prices (source, symbol, bar_start, bar_seconds, open, high, low, close, volume, vwap, trades, session,
    revision, final, flags, log_return, elapsed_bars, first_trade_at, last_trade_at, kafka_partition, first_offset,
    last_offset)
SELECT %(source)s, symbol, bar_start, 60, open, greatest(open, close) + 0.05, least(open, close) - 0.05, close,
    1000, (open + close) / 2, 20, 'regular', 0, true, '{{}}', ln(close / open), 1, bar_start,
    bar_start + interval '59 seconds', number %% %(partitions)s, extract(epoch FROM bar_start)::bigint * 20,
    extract(epoch FROM bar_start)::bigint * 20 + 19
FROM drawn"""

_VOLATILITY = f"""
WITH {_MINUTES}
INSERT INTO stock_volatility (source, symbol, bar_start, bar_seconds, estimator, window_bars, value, n_obs,
    annualisation, model_version, final, input_revision)
SELECT %(source)s, symbol, bar_start, 60, estimator, 30, 0.1 + random() / 5, 30, 'US_RTH_1M', '1', true, 0
FROM minutes, series, unnest(%(estimators)s) AS estimator
ORDER BY bar_start, number, estimator"""

_SIGNALS = f"""
WITH {_MINUTES}
INSERT INTO stock_signals (source, symbol, bar_start, detector, detector_version, statistic, threshold, z, log_range,
    expected_log_range, final, input_revision)
SELECT %(source)s, symbol, bar_start, 'LRE', '1', random() * 4, 3.7, random(), 0.001, 0.001, true, 0
FROM minutes, series
ORDER BY bar_start, number"""

_ALERTS = f"""
WITH {_MINUTES},
numbered AS (SELECT bar_start, row_number() OVER (ORDER BY bar_start DESC) AS place FROM minutes)
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, sentence, why, config_hash, detected_at)
SELECT gen_random_uuid(), %(source)s, symbol, 'VOLATILITY', 'LRE', '1', bar_start,
    CASE WHEN place < %(bars)s / 5 AND number %% 50 = 0 THEN 'OPEN' ELSE 'CLOSED' END, 'LOW', true, 4, 3.7,
    symbol || ': 1-min range 0.92 %% is 4.1x the usual 0.22 %%', '{{"statistic": 4}}', '0', bar_start
FROM numbered, series
WHERE place %% (%(bars)s * %(sessions)s / %(alerts)s) = 0"""

_EVENTS = """
INSERT INTO alert_events (alert_id, event, severity, bar_start, actor)
SELECT alert_id, event, 'LOW', onset_bar, 'pipeline'
FROM stock_alerts, unnest(ARRAY['OPEN', 'CONFIRMED', 'CLOSED']) AS event
ORDER BY onset_bar"""

_LEDGER = f"""
WITH {_MINUTES}
INSERT INTO raw_objects (object_key, kafka_partition, first_offset, last_offset, rows_read, rows_loaded, rows_rejected)
SELECT format('trades/%%s/%%s.csv.gz', bar_start, part), part, extract(epoch FROM bar_start)::bigint * 20,
    extract(epoch FROM bar_start)::bigint * 20 + 1199, 1200, 1200, 0
FROM minutes, generate_series(0, %(partitions)s - 1) AS part"""

_RUNS = f"""
WITH {_MINUTES}
INSERT INTO pipeline_runs (started_at, finished_at, objects, rows_loaded, rows_rejected, bars, volatility, alerts,
    newest_event)
SELECT bar_start, bar_start + interval '2 seconds', 6, 7200, 1, 500, 3000, 1, bar_start
FROM minutes
ORDER BY bar_start"""

_REJECTED = """
INSERT INTO quarantine (kafka_partition, kafka_offset, source, symbol, reason, record)
SELECT 0, number, %(source)s, 'S001', (ARRAY['LATE', 'BAD_PRICE', 'DUPLICATE'])[number %% 3 + 1], '{"price": -1}'
FROM generate_series(1, 10000) AS number"""

_POSITIONS = """
INSERT INTO load_positions (kafka_partition, next_offset, hour)
SELECT part, extract(epoch FROM now())::bigint * 20, date_trunc('hour', now())
FROM generate_series(0, %(partitions)s - 1) AS part"""

_STANDINGS = f"""
WITH {_MINUTES}
INSERT INTO series_standing (source, symbol, standing, since, watermark)
SELECT %(source)s, symbol, 'LIVE', now(), now() FROM series"""

_STATEMENTS = {
    "prices": _PRICES,
    # Millions of rows: a key that is made afterwards costs a third.
    "no key of volatility": "ALTER TABLE stock_volatility DROP CONSTRAINT stock_volatility_pkey",
    "volatility": _VOLATILITY,
    "the key of volatility": """ALTER TABLE stock_volatility
        ADD PRIMARY KEY (source, symbol, bar_seconds, bar_start, estimator, window_bars, model_version)""",
    "signals": _SIGNALS,
    "alerts": _ALERTS,
    "events": _EVENTS,
    "the ledger": _LEDGER,
    "runs": _RUNS,
    "quarantine": _REJECTED,
    "positions": _POSITIONS,
    "standings": _STANDINGS,
}
_PARAMETERS = {
    "symbols": SYMBOLS,
    "bars": BARS,
    "sessions": SESSIONS,
    "source": SOURCE,
    "partitions": PARTITIONS,
    "alerts": ALERTS_PER_SYMBOL,
    "estimators": list(MINUTE_ESTIMATORS),
}


def fill(owner: WarehouseSettings, tell: Callable[[str], None], **changed: int) -> None:
    """Write the market into an empty warehouse, with the statistics that autovacuum would have made by then.

    Parameters
    ----------
    changed : int
        Other numbers of ``symbols``, ``bars``, ``sessions``.
    """
    with closing(
        connect(owner, application_name="volwatch-bench", statement_timeout_seconds=_PATIENCE_SECONDS)
    ) as connection:
        connection.autocommit = True
        _execute(
            connection, "SELECT ensure_partitions(now() - make_interval(days => %(sessions)s + 1), now())", changed
        )
        for name, statement in _STATEMENTS.items():
            tell(f"warehouse: {name}")
            _execute(connection, statement, changed)
        _execute(connection, "VACUUM ANALYZE", changed)


def _execute(connection: Connection, statement: str, changed: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {**_PARAMETERS, **changed})
