"""What the nightly batch reads and writes in the warehouse; all of it in the caller's transaction."""

import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import execute_values

from volwatch.analytics.measures.measure import Measure
from volwatch.analytics.state import VERSION
from volwatch.analytics.trades import Int64, Series
from volwatch.analytics.volatility import NULL_REASONS
from volwatch.warehouse.overview_statements import SERIES

_RUN_LOCK_KEY = 0x766F6C6E  # "voln": held by the one nightly run that writes
DAY_SECONDS = 86_400
MARKER = "rv"
"""The estimator whose row says that a session is done; the others are written with it."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Finished sessions of a series that have no measures yet, in days since 1970-01-01, ascending."""

    series: Series
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SessionRows:
    """Measures of a series' sessions: ``day`` since 1970-01-01 and ``revision`` of the daily bar, of shape (n,)."""

    series: Series
    annualisation: str
    day: Int64
    revision: Int64
    measures: Sequence[Measure]


@dataclass(frozen=True, slots=True)
class GarchRow:
    """A row of ``stock_garch``; None is NULL."""

    source: str
    symbol: str
    session_date: date
    distribution: str
    mu: float | None
    omega: float | None
    alpha: float | None
    beta: float | None
    nu: float | None
    loglik: float | None
    converged: bool
    volatility_next: float | None
    term_structure: list[float] | None
    null_reason: str | None
    n_obs: int
    annualisation: str


def try_lock(cursor: Cursor) -> bool:
    """Return whether this transaction may write; false when another nightly run is at it."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_RUN_LOCK_KEY,))
    return cursor.fetchone() == (True,)


def pending(cursor: Cursor, since: datetime) -> list[Pending]:
    """Return the sessions from ``since`` on that have a final daily bar and no measures of this version."""
    cursor.execute(SERIES, {"limit": None})
    series = cursor.fetchall()
    cursor.execute(
        """SELECT asked.source, asked.symbol,
               array_agg(extract(epoch FROM bar_start)::bigint / 86400 ORDER BY bar_start)
           FROM unnest(%(sources)s::text[], %(symbols)s::text[]) AS asked (source, symbol)
           CROSS JOIN LATERAL (
               SELECT bar_start FROM stock_prices AS bar
               WHERE bar.source = asked.source AND bar.symbol = asked.symbol AND bar.bar_seconds = 86400 AND bar.final
                   AND bar.bar_start >= %(since)s AND NOT EXISTS (
                       SELECT FROM stock_volatility AS held
                       WHERE held.source = bar.source AND held.symbol = bar.symbol AND held.bar_seconds = 86400
                           AND held.bar_start = bar.bar_start AND held.estimator = %(marker)s
                           AND held.model_version = %(version)s)
           ) AS session
           GROUP BY asked.source, asked.symbol ORDER BY asked.source, asked.symbol""",
        {**_columns(series), "since": since, "marker": MARKER, "version": VERSION},
    )
    return [Pending((source, symbol), tuple(days)) for source, symbol, days in cursor.fetchall()]


def day_bars(cursor: Cursor, series: Sequence[Series]) -> pd.DataFrame:
    """Return the final daily bars: ``place`` of the series among those given, ``day`` since 1970-01-01, ``open``,
    ``close``, ``revision``; by series and day."""
    cursor.execute(
        """SELECT place, day, open, close, revision
           FROM unnest(%(sources)s::text[], %(symbols)s::text[]) WITH ORDINALITY AS asked (source, symbol, place)
           CROSS JOIN LATERAL (
               SELECT extract(epoch FROM bar_start)::bigint / 86400 AS day, open::double precision,
                   close::double precision, revision
               FROM stock_prices AS bar
               WHERE bar.source = asked.source AND bar.symbol = asked.symbol AND bar.bar_seconds = 86400 AND bar.final
               ORDER BY bar_start
           ) AS session""",
        _columns(series),
    )
    frame = pd.DataFrame.from_records(cursor.fetchall(), columns=["place", "day", "open", "close", "revision"])
    return frame.assign(place=frame["place"] - 1)


def minute_returns(cursor: Cursor, series: Sequence[Series], first_ms: Int64, end_ms: Int64) -> pd.DataFrame:
    """Return ``place`` of the series among those given, ``start`` (epoch ms) and ``log_return`` of the final one-minute
    bars of regular hours in [first, end) of each series; by series and start.

    It comes by COPY: there are hundreds of thousands.
    """
    # LATERAL and ORDER BY make the server look into the index of each series instead of reading whole months.
    asked = cursor.mogrify(
        """SELECT place - 1 AS place, (extract(epoch FROM bar_start) * 1000)::bigint AS start, log_return
           FROM unnest(%(sources)s::text[], %(symbols)s::text[], %(firsts)s::bigint[], %(ends)s::bigint[])
               WITH ORDINALITY AS asked (source, symbol, first, ended, place)
           CROSS JOIN LATERAL (
               SELECT bar_start, log_return FROM stock_prices AS bar
               WHERE bar.source = asked.source AND bar.symbol = asked.symbol AND bar.bar_seconds = 60 AND bar.final
                   AND bar.session = 'regular' AND bar.bar_start >= to_timestamp(asked.first / 1000.0)
                   AND bar.bar_start < to_timestamp(asked.ended / 1000.0)
               ORDER BY bar_start
           ) AS minute""",
        {**_columns(series), "firsts": first_ms.tolist(), "ends": end_ms.tolist()},
    )
    buffer = io.BytesIO()
    cursor.copy_expert(b"COPY (" + asked + b") TO STDOUT (FORMAT csv, HEADER)", buffer)
    buffer.seek(0)
    return pd.read_csv(buffer, dtype={"place": np.int64, "start": np.int64, "log_return": np.float64})


def _columns(series: Sequence[Series]) -> dict[str, list[str]]:
    return {"sources": [source for source, _ in series], "symbols": [symbol for _, symbol in series]}


def measures_frame(rows: Sequence[SessionRows]) -> pd.DataFrame:
    """Return the measures as rows of stock_volatility on daily bars."""
    parts = [(part, one) for part in rows for one in part.measures]
    lengths = [len(one.value) for _, one in parts]

    def repeated(values: Sequence[str | int]) -> np.ndarray:
        return np.repeat(np.array(values, np.object_), lengths)

    def joined(columns: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(columns) if columns else np.empty(0)

    reason = joined([one.reason for _, one in parts]).astype(np.intp)
    return pd.DataFrame(
        {
            "source": repeated([part.series[0] for part, _ in parts]),
            "symbol": repeated([part.series[1] for part, _ in parts]),
            "bar_start": pd.to_datetime(
                joined([part.day for part, _ in parts]).astype(np.int64), unit="D", utc=True
            ).astype("datetime64[ms, UTC]"),
            "bar_seconds": DAY_SECONDS,
            "estimator": repeated([one.estimator for _, one in parts]),
            "window_bars": repeated([one.window_bars for _, one in parts]),
            "value": joined([one.value for _, one in parts]),
            "null_reason": np.array((None, *NULL_REASONS[1:]), np.object_)[reason],
            "standard_error": joined([one.standard_error for _, one in parts]),
            "n_obs": joined([one.n_obs for _, one in parts]).astype(np.int64),
            "annualisation": repeated([part.annualisation for part, _ in parts]),
            "model_version": VERSION,
            "final": True,
            "input_revision": joined([part.revision for part, _ in parts]).astype(np.int64),
        }
    )


def write_garch(cursor: Cursor, rows: Sequence[GarchRow]) -> None:
    """Store models, each in the place of an earlier one of the same session."""
    execute_values(
        cursor,
        """INSERT INTO stock_garch (source, symbol, session_date, distribution, mu, omega, alpha, beta, nu, loglik,
               converged, volatility_next, term_structure, null_reason, n_obs, annualisation) VALUES %s
           ON CONFLICT (source, symbol, session_date, distribution) DO UPDATE SET mu = excluded.mu,
               omega = excluded.omega, alpha = excluded.alpha, beta = excluded.beta, nu = excluded.nu,
               loglik = excluded.loglik, converged = excluded.converged, volatility_next = excluded.volatility_next,
               term_structure = excluded.term_structure, null_reason = excluded.null_reason, n_obs = excluded.n_obs,
               annualisation = excluded.annualisation, updated_at = now()""",
        [astuple(row) for row in rows],
    )


def forget_garch(cursor: Cursor, before: date) -> int:
    """Delete the models of sessions before a date; return how many there were."""
    cursor.execute("SELECT forget_garch(%s)", (before,))
    row = cursor.fetchone()
    return int(row[0]) if row else 0
