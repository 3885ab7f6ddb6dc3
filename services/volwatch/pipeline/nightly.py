"""The nightly batch: measures of whole sessions and models of daily returns, which no minute needs.

A finished session is one with a final daily bar. Each that has no measures yet gets them, from the final one-minute and
daily bars in the warehouse; the newest of each series gets a GARCH model too. A transaction takes a bounded number of
bars; a run that is killed leaves whole batches behind, and the next one does the rest.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, Calendar
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.measures.day_risk import DayReturns, day_returns, measure_days
from volwatch.analytics.measures.garch import GarchFit, fit_garch
from volwatch.analytics.measures.measure import Measure, measure
from volwatch.analytics.measures.sessions import PAST_SESSIONS, grid, measure_sessions, prior
from volwatch.analytics.trades import Float64, Int64, Series
from volwatch.analytics.volatility import NULL_REASONS
from volwatch.configuration import engine_config
from volwatch.settings import PipelineSettings
from volwatch.warehouse import nightly, writer
from volwatch.warehouse.nightly import GarchRow, Pending, SessionRows

_log = structlog.get_logger()

SESSIONS_AT_ONCE = 60
"""Most sessions of a series in one transaction: a series with a long backlog takes several."""
GARCH_WINDOW = 1000
"""Most daily returns that a model is fitted to: about four years."""
OLD_RATE = timedelta(days=120)
"""Age at which a risk-free rate is told to be old: central banks meet more often."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. ``busy``: another one was at work; ``rows`` of stock_volatility are new."""

    busy: bool = False
    series: int = 0
    sessions: int = 0
    rows: int = 0
    models: int = 0
    models_forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """Sessions of a series to measure in one transaction, in days since 1970-01-01, ascending."""

    series: Series
    calendar: Calendar
    days: tuple[int, ...]

    @property
    def bars(self) -> int:
        """About how many one-minute bars it reads."""
        return (len(self.days) + PAST_SESSIONS) * self.calendar.session_minutes


def run(connection: Connection, settings: PipelineSettings, now: datetime) -> Report:
    """Measure every finished session that is not done and that retention would keep.

    Raises
    ------
    Transient
        A server did not answer; what was committed stays, the rest is for the next run.
    """
    _warn_of_old_rate(settings, now)
    kept_since = now - timedelta(days=settings.volatility_retention_days)
    with connection, connection.cursor() as cursor:
        if not nightly.try_lock(cursor):
            return _told(Report(busy=True))
        forgotten = nightly.forget_garch(cursor, kept_since.date())
        config = engine_config(settings, writer.watchlist(cursor))
        waiting = nightly.pending(cursor, kept_since)
    report = Report(series=len(waiting), models_forgotten=forgotten)
    for batch in batches(jobs(waiting, config), settings.rows_per_transaction):
        with connection, connection.cursor() as cursor:
            if not nightly.try_lock(cursor):
                return _told(replace(report, busy=True))
            done = _transaction(cursor, batch, config.risk_free_rate)
        _log.info("nightly_batch", **asdict(done))
        report = replace(
            report,
            sessions=report.sessions + done.sessions,
            rows=report.rows + done.rows,
            models=report.models + done.models,
        )
    return _told(report)


def _warn_of_old_rate(settings: PipelineSettings, now: datetime) -> None:
    as_of = settings.risk_free_as_of
    if as_of is not None and now.date() - as_of > OLD_RATE:
        _log.warning("risk_free_rate_old", rate=settings.risk_free_rate, as_of=as_of.isoformat())


def _told(report: Report) -> Report:
    _log.info("nightly_run", **asdict(report))
    return report


def jobs(waiting: Sequence[Pending], config: EngineConfig) -> Iterator[Job]:
    """Yield what there is to do, a series' oldest sessions first."""
    for held in waiting:
        calendar = config.calendar(config.calendar_name(*held.series))
        for start in range(0, len(held.days), SESSIONS_AT_ONCE):
            yield Job(held.series, calendar, held.days[start : start + SESSIONS_AT_ONCE])


def batches(todo: Iterator[Job], bars: int) -> Iterator[list[Job]]:
    """Yield jobs that read together about as many one-minute bars, at least one job."""
    batch: list[Job] = []
    held = 0
    for job in todo:
        if batch and held + job.bars > bars:
            yield batch
            batch, held = [], 0
        batch.append(job)
        held += job.bars
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Days:
    """A series' final daily bars, oldest first, each of shape (d,), and which of them are to be measured, (w,)."""

    job: Job
    day: Int64
    opened_ms: Int64
    closed_ms: Int64
    revision: Int64
    returns: DayReturns
    wanted: Int64

    @property
    def first(self) -> int:
        """The oldest session whose minutes matter."""
        return max(0, int(self.wanted[0]) - PAST_SESSIONS) if len(self.wanted) else 0

    @property
    def minutes_ms(self) -> tuple[int, int]:
        """Start and end of the minutes that matter."""
        if not len(self.wanted):
            return 0, 0
        return int(self.opened_ms[self.first]), int(self.closed_ms[self.wanted[-1]])


def _transaction(cursor: Cursor, batch: Sequence[Job], risk_free_rate: float) -> Report:
    series = [job.series for job in batch]
    bars = nightly.day_bars(cursor, series)
    days = [_days(job, bars[bars["place"] == place]) for place, job in enumerate(batch)]
    spans = np.array([one.minutes_ms for one in days], np.int64).reshape(-1, 2)
    minutes = nightly.minute_returns(cursor, series, spans[:, 0], spans[:, 1])
    edges = np.searchsorted(minutes["place"].to_numpy(np.int64), np.arange(len(batch) + 1))
    rows, models = [], []
    for place, one in enumerate(days):
        if not len(one.wanted):
            continue
        rows.append(_measured(one, minutes[edges[place] : edges[place + 1]], risk_free_rate))
        if one.wanted[-1] == len(one.day) - 1:
            row, model = _modelled(one)
            rows.append(row)
            models.append(model)
    written = writer.write_frame(cursor, "stock_volatility", nightly.measures_frame(rows))
    nightly.write_garch(cursor, models)
    return Report(
        series=len({job.series for job in batch}),
        sessions=sum(len(one.wanted) for one in days),
        rows=written,
        models=len(models),
    )


def _days(job: Job, bars: pd.DataFrame) -> _Days:
    """Return the daily bars of a job; those on days that its calendar does not know are left out."""
    day = bars["day"].to_numpy(np.int64)
    opened, closed = job.calendar.session_bounds_ms(day.astype("datetime64[D]"))
    known = opened >= 0
    bars, day = bars[known], day[known]
    return _Days(
        job=job,
        day=day,
        opened_ms=opened[known],
        closed_ms=closed[known],
        revision=bars["revision"].to_numpy(np.int64),
        returns=day_returns(bars["open"].to_numpy(np.float64), bars["close"].to_numpy(np.float64)),
        wanted=np.flatnonzero(np.isin(day, job.days)),
    )


def _measured(days: _Days, minutes: pd.DataFrame, risk_free_rate: float) -> SessionRows:
    calendar, wanted = days.job.calendar, days.wanted
    per_year = round(calendar.day.per_year)
    found = slice(days.first, int(wanted[-1]) + 1)
    start = minutes["start"].to_numpy(np.int64)
    place = calendar.place(start)
    session = np.searchsorted(days.day[found], place.session)
    held = np.append(days.day[found], -1)[session] == place.session
    # By the last minute of each: a break in it is no part of its length.
    lengths = calendar.place(days.closed_ms[found] - MINUTE_MS).minute + 1
    log_return = minutes["log_return"].to_numpy(np.float64)
    bars = grid(session[held], place.minute[held], log_return[held], lengths)
    usual = prior(calendar.session_minutes, calendar.continuous)
    measures = measure_sessions(bars, wanted - days.first, _overnight(days)[wanted], usual, per_year)
    measures += measure_days(days.returns.simple, wanted, per_year, risk_free_rate)
    return _rows(days, wanted, measures)


def _overnight(days: _Days) -> Float64:
    """Return the overnight returns, shape (d,): none inside a chain of sessions, unknown after a missing session."""
    calendar = days.job.calendar
    if not len(calendar.days):
        return np.zeros(len(days.day))
    place = np.searchsorted(calendar.days, days.day)
    following = np.diff(place, prepend=0) == 1
    overnight = np.where(following, days.returns.overnight, np.nan)
    if not len(calendar.chains):
        return overnight
    # The first minute of the session has that return already.
    return np.where(following & (np.diff(calendar.chains[place], prepend=-1) == 0), 0.0, overnight)


def _modelled(days: _Days) -> tuple[SessionRows, GarchRow]:
    """Return the model of the newest session, as a measure and with its parameters."""
    newest = days.wanted[-1:]
    returns = days.returns.log[-GARCH_WINDOW:]
    fit = fit_garch(returns[~np.isnan(returns)], days.job.calendar.day.per_year)
    value, reason, n = np.array([fit.volatility_next]), np.array([fit.reason], np.int8), np.array([fit.n])
    row = _rows(days, newest, [measure("garch", GARCH_WINDOW, value, reason, n)])
    return row, _garch_row(days.job, int(days.day[-1]), fit)


def _rows(days: _Days, wanted: Int64, measures: list[Measure]) -> SessionRows:
    code = days.job.calendar.day.code
    return SessionRows(days.job.series, code, days.day[wanted], days.revision[wanted], measures)


def _garch_row(job: Job, day: int, fit: GarchFit) -> GarchRow:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    source, symbol = job.series
    return GarchRow(
        source=source,
        symbol=symbol,
        session_date=datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date(),
        distribution=fit.distribution,
        mu=known(fit.mu),
        omega=known(fit.omega),
        alpha=known(fit.alpha),
        beta=known(fit.beta),
        nu=known(fit.nu),
        loglik=known(fit.log_likelihood),
        converged=fit.converged,
        volatility_next=known(fit.volatility_next),
        term_structure=list(fit.term_structure) or None,
        null_reason=NULL_REASONS[fit.reason] or None,
        n_obs=fit.n,
        annualisation=job.calendar.day.code,
    )
