"""What recurs from bar to bar: the EWMA, the seasonal profile and the detector, one rank of bars after another."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector, seasonality
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import Placement
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import Observation
from volwatch.analytics.history import ranks
from volwatch.analytics.results import Signals
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import BarTerms, ewma_step


@dataclass(frozen=True, slots=True)
class Episode:
    """The episode that a bar stands in: columns of shape (n,), as in ``DetectorState``."""

    kind: Int64
    severity: Int64
    onset: Int64
    peak: Float64


@dataclass(frozen=True, slots=True)
class Episodes:
    """What happened to the episodes at each bar, columns of shape (n,): ``now`` is after it, ``before`` the one that
    a close ends."""

    opened: Bool
    escalated: Bool
    closed: Bool
    now: Episode
    before: Episode
    ratio: Float64
    baseline_bars: Int64
    profile_days: Int64


@dataclass(frozen=True, slots=True)
class Row:
    """Regular bars with what their neighbours tell; all of shape (n,)."""

    table: BarTable
    place: Placement
    continuous: Bool
    begins: Bool
    previous_close: Float64
    elapsed: Int64
    reopen: Bool


def walk(
    state: EngineState,
    row: Row,
    terms: BarTerms,
    log_range: Float64,
    config: EngineConfig,
    complete: Bool,
    final: bool,
) -> tuple[tuple[Float64, Int64], Signals, Episodes]:
    """Take the bars one rank after another (the first of each series, the second …) through all that recurs."""
    n = len(row.table)
    series, start = row.table.series, row.table.start
    real = {name: np.full(n, np.nan) for name in ("ewma", "statistic", "z", "expected", "ratio")}
    mask = {name: np.zeros(n, np.bool_) for name in ("opened", "escalated", "closed")}
    whole = {name: np.zeros(n, np.int64) for name in ("terms", "bars", "days")}
    now, ended = _no_episodes(n), _no_episodes(n)
    standard = seasonality.standard_minute(row.place.minute, row.place.minutes_left)
    bins = seasonality.bin_of(standard)
    decay = np.exp2(-terms.elapsed / config.minute_half_life)
    rate = terms.log_return**2 / terms.elapsed
    move = np.where(complete, np.abs(terms.log_return), 0.0)
    for rows in ranks(series):
        who, teaches = series[rows], ~row.reopen[rows]
        _ewma(state, who, rate[rows], decay[rows], teaches)
        with np.errstate(invalid="ignore", divide="ignore"):
            real["ewma"][rows] = state.minutes.numerator[who] / state.minutes.weight[who]
        whole["terms"][rows] = state.minutes.terms[who]
        seasonal = ~row.continuous[rows]
        _turn_session(state, who[seasonal & row.begins[rows]])
        usual = np.where(seasonal, state.season.profile[who, bins[rows]], 0.0)
        learn = seasonal & teaches
        state.season.today[who[learn], standard[rows[learn]]] = log_range[rows[learn]]
        before = state.detector.take(who)
        bar = Observation(
            start[rows], log_range[rows], usual, move[rows], row.table.trades[rows], row.begins[rows], row.reopen[rows]
        )
        after, verdict = detector.observe(before, bar, config.enter)
        state.detector.put(who, after)
        for name in ("statistic", "z", "expected", "ratio"):
            real[name][rows] = getattr(verdict, name)
        for name, values in mask.items():
            values[rows] = getattr(verdict, name)
        for columns, detectors in ((now, after), (ended, before)):
            for name in ("kind", "severity", "onset", "peak"):
                getattr(columns, name)[rows] = getattr(detectors, name)
        whole["bars"][rows] = after.bars
        whole["days"][rows] = np.where(seasonal, state.season.days[who], 0)
    signals = Signals(
        series,
        start,
        real["statistic"],
        real["z"],
        log_range,
        real["expected"],
        np.full(n, final),
        row.table.revision,
    )
    episodes = Episodes(
        **mask,
        now=now,
        before=ended,
        ratio=real["ratio"],
        baseline_bars=whole["bars"],
        profile_days=whole["days"],
    )
    return (real["ewma"], whole["terms"]), signals, episodes


def _no_episodes(n: int) -> Episode:
    return Episode(np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n))


def _ewma(state: EngineState, who: Int64, rate: Float64, decay: Float64, teaches: Bool) -> None:
    chain = state.minutes
    numerator, weight = ewma_step((chain.numerator[who], chain.weight[who]), rate, decay)
    chain.numerator[who] = np.where(teaches, numerator, chain.numerator[who])
    chain.weight[who] = np.where(teaches, weight, chain.weight[who])
    chain.terms[who] += teaches


def _turn_session(state: EngineState, who: Int64) -> None:
    """File yesterday's log ranges of some series and make the profile of the new session."""
    season = state.season
    for series in who:
        minutes = np.flatnonzero(~np.isnan(season.today[series]))
        if len(minutes) >= seasonality.MIN_BARS:
            deviation = seasonality.session_deviation(season.today[series, minutes], seasonality.bin_of(minutes))
            season.past[series] = np.roll(season.past[series], -1, axis=0)
            season.past[series, -1] = deviation
            season.days[series] = min(season.days[series] + 1, seasonality.SESSIONS)
            season.profile[series] = seasonality.profile(season.past[series, -season.days[series] :])
        season.today[series] = np.nan
