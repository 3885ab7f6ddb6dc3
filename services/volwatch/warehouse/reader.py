"""What the dashboard may ask of the warehouse, as frames and small values; it writes nothing but what people do about
alerts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pandas as pd
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.analytics.calendars import calendar_for
from volwatch.reconcile import Reconciliation
from volwatch.settings import WarehouseSettings
from volwatch.warehouse import (
    alert_acts,
    alert_reader,
    alert_statements,
    overview_statements,
    pipeline_statements,
    series_statements,
)
from volwatch.warehouse import reader_statements as statements
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.connection import connect
from volwatch.warehouse.pool import Pool
from volwatch.warehouse.readings import (
    Alert,
    AlertFilter,
    AlertOrder,
    DetectorQuality,
    Freshness,
    LiveSeries,
    PipelineTotals,
    Series,
    Silence,
    Span,
    Troubles,
)

STATEMENT_TIMEOUT_SECONDS = 10.0
SEVERITIES = ("LOW", "MEDIUM", "HIGH")
ROW_LIMIT = 50_000
SERIES_LIMIT = 2_000
RATIO_LIMIT = 150_000

_TIMESTAMPTZ, _FLOAT8, _TEXT = 1184, 701, 25  # type numbers of PostgreSQL's catalogue

_Answer = TypeVar("_Answer")


def open_reader(settings: WarehouseSettings, *, connections: int, application_name: str) -> "Reader":
    """Return a reader over a pool of its own; nothing is connected yet."""

    def open_connection() -> Connection:
        connection = connect(
            settings, application_name=application_name, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
        )
        connection.set_session(readonly=True)
        return connection

    return Reader(Pool(open_connection, size=connections))


class Reader:
    """Answers the dashboard's questions. Each method raises ``Transient`` when the warehouse cannot answer now.

    Parameters
    ----------
    pool : Pool
        Lends read-only connections.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()

    def freshness(self) -> Freshness:
        """Return how old the data is."""
        return self._ask(_freshness)

    def series(self) -> list[Series]:
        """Return every series that has bars, in order."""
        rows = self._rows(overview_statements.SERIES, {"limit": SERIES_LIMIT})
        return [Series(source, symbol) for source, symbol in rows]

    def overview(self, bars: int, ratio_bars: int) -> pd.DataFrame:
        """Return one row per series: newest price, volatility, statistic, standing and open alert, its last closes, and
        its range against the usual one, over the last ``ratio_bars`` judged bars."""
        asked = {"bars": bars, "ratio_bars": ratio_bars, "limit": SERIES_LIMIT}
        frame = self._frame(overview_statements.OVERVIEW, asked)
        for column in ("closes", "ratios"):
            frame[column] = [values[::-1] if values else [] for values in frame[column]]
        return frame

    def ratios(self, start: datetime, end: datetime, bin_seconds: int) -> pd.DataFrame:
        """Return the range of bars in [start, end) against the usual one, by series and time, oldest first."""
        asked = {"start": start, "end": end, "bin_seconds": bin_seconds, "limit": RATIO_LIMIT}
        return self._frame(overview_statements.RATIOS, asked).iloc[::-1].reset_index(drop=True)

    def newest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        """Return the start of a series' newest bar."""
        return self._bar(series_statements.NEWEST_BAR, series, bar_seconds)

    def oldest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        """Return the start of a series' oldest bar."""
        return self._bar(series_statements.OLDEST_BAR, series, bar_seconds)

    def calendar(self, series: Series) -> str:
        """Return the name of the calendar that a series follows."""
        rows = self._rows(series_statements.CALENDAR, {"symbol": series.symbol})
        return rows[0][0] if rows else calendar_for(*series)

    def bars(self, series: Series, start: datetime, end: datetime, bar_seconds: int) -> pd.DataFrame:
        """Return a series' bars in [start, end), oldest first; at most the newest ``ROW_LIMIT``."""
        return self._history(series_statements.BARS, series, start=start, end=end, bar_seconds=bar_seconds)

    def candles(self, series: Series, span: Span) -> pd.DataFrame:
        """Return a series' bars of a span as one for each step, oldest first."""
        rows = self._history(series_statements.CANDLES, series, **span.parameters())
        return rows.rename(columns={"step_start": "bar_start"})

    def volatility(self, series: Series, span: Span, estimators: Sequence[str]) -> pd.DataFrame:
        """Return the newest estimate of each step, oldest first; a missing value has its reason beside it."""
        asked = {**span.parameters(), "estimators": list(estimators)}
        return self._history(series_statements.VOLATILITY, series, **asked)

    def signals(self, series: Series, span: Span) -> pd.DataFrame:
        """Return the highest statistic of each step with its threshold, oldest first."""
        return self._history(series_statements.SIGNALS, series, **span.parameters())

    def usual(self, series: Series, estimator: str, moments: Sequence[datetime], zone: str, days: int) -> pd.DataFrame:
        """Return what a one-minute estimate was at the same time of day on the days before, for each moment that has
        any such, oldest first."""
        asked = {"estimator": estimator, "moments": list(moments), "zone": zone, "days": days}
        return self._history(series_statements.USUAL, series, **asked)

    def alerts(self, asked: AlertFilter, limit: int, order: AlertOrder = "newest") -> pd.DataFrame:
        """Return the first alerts in an order of those that pass the filter."""
        statement = alert_statements.ALERTS_IN_ORDER[order]
        return self._frame(statement, alert_statements.filter_parameters(asked, limit))

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert, or None when there is none of this id."""
        return self._ask(lambda cursor: alert_reader.alert(cursor, alert_id))

    def alert_events(self, alert_id: str) -> pd.DataFrame:
        """Return what happened to an alert, newest first."""
        return self._frame(alert_statements.ALERT_EVENTS, {"alert_id": alert_id, "limit": ROW_LIMIT})

    def judged_bars(self, series: Series, start: datetime, end: datetime) -> pd.DataFrame:
        """Return a series' minute bars in [start, end) with what the detector said of each, oldest first."""
        return self._history(alert_statements.JUDGED_BARS, series, start=start, end=end)

    def alert_quality(self, source: str | None, symbol: str | None) -> pd.DataFrame:
        """Return how good the alerts of the last 90 days were by series, kind and detector, the most frequent first."""
        asked = {"source": source, "symbol": symbol, "limit": SERIES_LIMIT}
        return self._frame(alert_statements.ALERT_QUALITY, asked)

    def silences(self) -> list[Silence]:
        """Return the silences that are not over, the newest first."""
        return self._ask(lambda cursor: alert_reader.silences(cursor, SERIES_LIMIT))

    def acknowledge(self, alert_id: str, person: str, remark: str | None) -> bool:
        """Record that a person has seen an alert; False when somebody already had."""
        return self._act(lambda cursor: alert_acts.acknowledge(cursor, alert_id, person, remark))

    def annotate(self, alert_id: str, person: str, remark: str) -> bool:
        """Write a note to an alert; False when there is no such alert."""
        return self._act(lambda cursor: alert_acts.annotate(cursor, alert_id, person, remark))

    def mark_false_positive(self, alert_id: str, person: str, remark: str | None, *, is_false: bool) -> bool:
        """Record, or withdraw, that an alert was none; False when that is so already."""
        return self._act(
            lambda cursor: alert_acts.mark_false_positive(cursor, alert_id, person, remark, is_false=is_false)
        )

    def silence(self, person: str, reason: str, scope: Scope, duration: timedelta) -> int:
        """Let alerts of a scope not be told for some time from now; return the silence's number."""
        return self._act(
            lambda cursor: alert_acts.silence(cursor, person, reason, scope, _freshness(cursor).now + duration)
        )

    def end_silence(self, silence_id: int, person: str) -> bool:
        """End a silence before its time; False when it is over."""
        return self._act(lambda cursor: alert_acts.end_silence(cursor, silence_id, person))

    def hops(self) -> pd.DataFrame:
        """Return what each step of the minute path wrote in the last day and when it last wrote anything."""
        return self._frame(pipeline_statements.HOPS, {})

    def detector(self) -> pd.DataFrame:
        """Return how far the detector has come in each Kafka partition, and how old that is."""
        return self._frame(pipeline_statements.DETECTOR, {"limit": ROW_LIMIT})

    def troubles(self) -> Troubles:
        """Return what of the record should not be."""
        return Troubles(*self._rows(pipeline_statements.TROUBLES, {})[0])

    def runs(self, limit: int) -> pd.DataFrame:
        """Return the newest runs of the pipeline, newest first."""
        return self._frame(statements.RUNS, {"limit": limit})

    def positions(self) -> pd.DataFrame:
        """Return how far each Kafka partition is loaded."""
        return self._frame(statements.POSITIONS, {"limit": ROW_LIMIT})

    def quarantine(self) -> pd.DataFrame:
        """Return the last day's rejected trades by reason, each with its newest example."""
        return self._frame(statements.QUARANTINE, {})

    def reconciliation(self) -> pd.DataFrame:
        """Return the newest reconciliation, one row per Kafka partition."""
        return self._frame(statements.RECONCILIATION, {"limit": ROW_LIMIT})

    def channels(self) -> pd.DataFrame:
        """Return how each channel of the notifier fares."""
        return self._frame(statements.CHANNELS, {"limit": ROW_LIMIT})

    def totals(self) -> PipelineTotals:
        """Return what the metrics of the minute path say."""
        return self._ask(_totals)

    def _ask(self, question: Callable[[Cursor], _Answer]) -> _Answer:
        with self._pool.lend() as connection, closing(connection.cursor()) as cursor:
            return question(cursor)

    def _act(self, act: Callable[[Cursor], _Answer]) -> _Answer:
        """Do what changes something. Raises ``BadInput`` where the warehouse does not take what it is given."""
        with self._pool.lend() as connection, closing(connection.cursor()) as cursor:
            cursor.execute(alert_statements.ALLOW_WRITE)
            done = act(cursor)
            connection.commit()
        return done

    def _rows(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return self._ask(lambda cursor: _fetch(cursor, statement, parameters))

    def _frame(self, statement: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
        return self._ask(lambda cursor: _fetch_frame(cursor, statement, parameters))

    def _bar(self, statement: str, series: Series, bar_seconds: int) -> datetime | None:
        rows = self._rows(statement, {**series._asdict(), "bar_seconds": bar_seconds})
        return rows[0][0] if rows else None

    def _history(self, statement: str, series: Series, **asked: object) -> pd.DataFrame:
        parameters = {**series._asdict(), "limit": ROW_LIMIT, **asked}
        return self._frame(statement, parameters).iloc[::-1].reset_index(drop=True)


def _fetch(cursor: Cursor, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    cursor.execute(statement, parameters)
    return cursor.fetchall()


def _fetch_frame(cursor: Cursor, statement: str, parameters: Mapping[str, Any]) -> pd.DataFrame:
    rows = _fetch(cursor, statement, parameters)
    description = cursor.description or ()
    frame = pd.DataFrame.from_records(rows, columns=[column.name for column in description])
    for column in description:
        frame[column.name] = _typed(frame[column.name], column.type_code)
    return frame


def _typed(values: "pd.Series[Any]", type_number: int) -> "pd.Series[Any]":
    """Give a column its type even where every value is missing or there is no row."""
    if type_number == _TIMESTAMPTZ:
        return pd.to_datetime(values, utc=True)
    if type_number == _FLOAT8:
        return values.astype("float64")
    if type_number == _TEXT:
        return values.astype("object").where(values.notna(), None)
    return values


def _freshness(cursor: Cursor) -> Freshness:
    return Freshness(*_fetch(cursor, statements.FRESHNESS, {})[0])


def _totals(cursor: Cursor) -> PipelineTotals:
    loaded, rejected, gaps, difference, alert_differences = _fetch(cursor, statements.TOTALS, {})[0]
    open_alerts = dict(_fetch(cursor, alert_statements.OPEN_ALERTS, {}))
    return PipelineTotals(
        freshness=_freshness(cursor),
        rows={"loaded": loaded, "rejected": rejected},
        load_gaps=gaps,
        open_alerts={severity: open_alerts.get(severity, 0) for severity in SEVERITIES},
        alert_differences=alert_differences,
        blind=dict.fromkeys(_fetch(cursor, statements.BLIND, {}), 1),
        silenced_alerts=_fetch(cursor, alert_statements.SILENCED, {})[0][0],
        alert_quality=tuple(DetectorQuality(*row) for row in _fetch(cursor, alert_statements.DETECTOR_QUALITY, {})),
        unreadable_objects=dict(_fetch(cursor, statements.UNREADABLE, {})),
        quarantined_1d=dict(_fetch(cursor, statements.QUARANTINED, {})),
        live=tuple(_live_series(cursor)),
        reconcile_difference_rows=difference,
        reconciled=tuple(
            Reconciliation(*row) for row in _fetch(cursor, statements.RECONCILIATION, {"limit": ROW_LIMIT})
        ),
    )


def _live_series(cursor: Cursor) -> Iterator[LiveSeries]:
    for source, symbol, calendar, newest_bar in _fetch(cursor, statements.LIVE_SERIES, {"limit": ROW_LIMIT}):
        yield LiveSeries(Series(source, symbol), calendar, newest_bar)
