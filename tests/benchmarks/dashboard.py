"""Every question that a page of the dashboard asks, on five sessions of 500 symbols in PostgreSQL.

What counts is the slowest of them: the 95th percentile of its times, through the reader, under the role of the
dashboard. The peer is the first page as one writes it first: the newest row of each series by ``DISTINCT ON`` over the
whole table. It draws no lines and ages nothing, but its values must be those of ours.
"""

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from dashboard.pages.overview import PULSE_BIN_SECONDS, RATIO_BARS, SPARKLINE_BARS
from dashboard.reading import ACTS, DashboardReader
from tests.benchmarks.measure import Measured, Unequal
from tests.benchmarks.servers import Servers
from tests.benchmarks.warehouse_market import ANY_SERIES, SESSIONS, SYMBOLS, fill
from volwatch.analytics.volatility import MINUTE_ESTIMATORS
from volwatch.errors import Misconfigured
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect
from volwatch.warehouse.provision import OWNER
from volwatch.warehouse.reader import Reader, open_reader
from volwatch.warehouse.readings import AlertFilter, Span

PROMISED_MS = 200.0
ROUNDS, PEER_ROUNDS = 30, 3

NAIVE = """
WITH price AS (
    SELECT DISTINCT ON (source, symbol) source, symbol, close::double precision AS close
    FROM stock_prices WHERE bar_seconds = 60
    ORDER BY source, symbol, bar_start DESC
),
cc AS (
    SELECT DISTINCT ON (source, symbol) source, symbol, value AS cc
    FROM stock_volatility WHERE bar_seconds = 60 AND estimator = 'cc'
    ORDER BY source, symbol, bar_start DESC
),
ewma AS (
    SELECT DISTINCT ON (source, symbol) source, symbol, value AS ewma
    FROM stock_volatility WHERE bar_seconds = 60 AND estimator = 'ewma'
    ORDER BY source, symbol, bar_start DESC
),
signal AS (
    SELECT DISTINCT ON (source, symbol) source, symbol, statistic
    FROM stock_signals
    ORDER BY source, symbol, bar_start DESC
)
SELECT symbol, close, cc, ewma, statistic
FROM price
LEFT JOIN cc USING (source, symbol)
LEFT JOIN ewma USING (source, symbol)
LEFT JOIN signal USING (source, symbol)
ORDER BY symbol"""

Question = Callable[[], object]


def filled(servers: Servers, tell: Callable[[str], None]) -> WarehouseSettings:
    """Return how the dashboard reaches a warehouse that has the market."""
    dashboard = servers.new_database("dashboard")
    fill(servers.stack.postgres.settings(OWNER, dashboard.database), tell)
    return dashboard


def run(dashboard: WarehouseSettings, tell: Callable[[str], None]) -> Measured:
    """Return the 95th percentile of the slowest question, and that of the naive first page; tell of each."""
    with closing(open_reader(dashboard, connections=1, application_name="volwatch-bench")) as reader:
        slowest = max(_timed_all(questions(reader), tell))
        ours = reader.overview(SPARKLINE_BARS, RATIO_BARS)
    peer, rows = _naive(dashboard)
    tell(f"dashboard: the naive first page {peer:.0f} ms")
    check(ours, rows)
    return Measured("dashboard_query_p95_ms", slowest, peer, peer / slowest, "ms, less is better")


def questions(reader: Reader) -> dict[str, Question]:
    """Return every question that a page may ask, with the most that it asks for at once.

    Raises
    ------
    Misconfigured
        A question wants something that is not known here.
    """
    now = reader.freshness().now
    alerts = reader.alerts(AlertFilter(), 1)
    known = {
        "bars": SPARKLINE_BARS,
        "ratio_bars": RATIO_BARS,
        "bin_seconds": PULSE_BIN_SECONDS,
        "span": Span(now - timedelta(days=SESSIONS), now, 60, 300),
        "estimator": "cc",
        "moments": [now - timedelta(minutes=minutes) for minutes in range(0, 390, 5)],
        "zone": "America/New_York",
        "days": 20,
        "series": ANY_SERIES,
        "start": now - timedelta(days=SESSIONS),
        "end": now,
        "bar_seconds": 60,
        "estimators": MINUTE_ESTIMATORS,
        "asked": AlertFilter(),
        "limit": 200,
        "alert_id": alerts["alert_id"][0],
        "source": None,
        "symbol": None,
    }
    of_symbol = AlertFilter(source=ANY_SERIES.source, symbol=ANY_SERIES.symbol)
    return {
        **{name: partial(getattr(reader, name), **asked) for name, asked in _asked(known)},
        "ratios": partial(reader.ratios, now - timedelta(hours=1), now, PULSE_BIN_SECONDS),  # as hour by hour
        "alerts of a symbol": partial(reader.alerts, of_symbol, 500),
        "alerts, the longest first": partial(reader.alerts, AlertFilter(), 200, "longest"),
        "alerts that are open": partial(reader.alerts, AlertFilter(states=("OPEN", "ESCALATED")), 500),
        "totals (of /metrics)": reader.totals,
    }


def check(ours: pd.DataFrame, naive: pd.DataFrame) -> None:
    """Raise ``Unequal`` where the two first pages say different things."""
    columns = ["symbol", "close", "cc", "ewma", "statistic"]
    found, expected = (page.sort_values("symbol")[columns].to_numpy().tolist() for page in (ours, naive))
    if len(expected) != SYMBOLS or found != expected:
        raise Unequal("dashboard: the first page and the naive one differ")


def _asked(known: dict[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    for name, method in vars(DashboardReader).items():
        if name.startswith("_") or name in ACTS:
            continue
        parameters = list(inspect.signature(method).parameters.values())[1:]
        wanted = [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
        missing = [parameter for parameter in wanted if parameter not in known]
        if missing:
            raise Misconfigured(
                [f"dashboard: what {name} asks for is not known to the benchmark: {', '.join(missing)}"]
            )
        yield name, {parameter: known[parameter] for parameter in wanted}


def _timed_all(asked: dict[str, Question], tell: Callable[[str], None]) -> Iterator[float]:
    for name, question in asked.items():
        p95 = p95_ms(question, ROUNDS)
        too_slow = f", promised are {PROMISED_MS:.0f}" if p95 > PROMISED_MS else ""
        tell(f"dashboard: {name} {p95:.0f} ms{too_slow}")
        yield p95


def p95_ms(question: Question, rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the 95th percentile of a question's times, asked once before."""
    question()
    taken = []
    for _ in range(rounds):
        began = clock()
        question()
        taken.append((clock() - began) * 1000)
    return float(np.quantile(taken, 0.95))


def _naive(settings: WarehouseSettings) -> tuple[float, pd.DataFrame]:
    with closing(connect(settings, application_name="volwatch-bench")) as connection:
        return p95_ms(lambda: newest_rows(connection), PEER_ROUNDS), newest_rows(connection)


def newest_rows(connection: Connection) -> pd.DataFrame:
    """Ask as one asks first for what the first page shows."""
    with connection.cursor() as cursor:
        cursor.execute(NAIVE)
        columns = [column.name for column in cursor.description or ()]
        return pd.DataFrame.from_records(cursor.fetchall(), columns=columns)
