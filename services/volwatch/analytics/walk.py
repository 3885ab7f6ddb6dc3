"""What recurs from bar to bar: the EWMA, the seasonal profile, the detector and its episodes."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector, lifecycle, season, weekly
from volwatch.analytics.bars import BarTable
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import Observation
from volwatch.analytics.groups import Groups
from volwatch.analytics.lifecycle import Episode
from volwatch.analytics.placing import Placed
from volwatch.analytics.results import Signals
from volwatch.analytics.season import Usual
from volwatch.analytics.state import Chain, EngineState
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import ewma
from volwatch.analytics.weekly import Weekly

LONGEST_GAP_BARS = 10
"""A bar that comes after more than so many without a trade says little of its own minute: it teaches no baseline."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """What happened to the episodes at each bar, columns of shape (n,), as in ``lifecycle.Steps``; and what the
    detector knew by then."""

    opened: Bool
    escalated: Bool
    closed: Bool
    now: Episode
    before: Episode
    ratio: Float64
    profile: Float64
    baseline_bars: Int64
    profile_days: Int64


@dataclass(frozen=True, slots=True)
class Row:
    """Regular bars with what their neighbours tell; all of shape (n,).

    Attributes
    ----------
    begins : the first bar of a chain.
    turns : the first bar of a session.
    elapsed : bars since the previous close.
    reopen : the first bar after a halt.
    gap : the first bar after its source could see nothing.
    """

    groups: Groups
    table: BarTable
    start: Int64
    placed: Placed
    begins: Bool
    turns: Bool
    previous_close: Float64
    elapsed: Int64
    reopen: Bool
    gap: Bool

    @property
    def counts(self) -> Bool:
        """Bars whose return is of the minute that it is told for."""
        return ~(self.reopen | self.gap)


def walk(
    state: EngineState,
    row: Row,
    log_return: Float64,
    log_range: Float64,
    config: EngineConfig,
    complete: Bool,
    final: bool,
) -> tuple[tuple[Float64, Int64], Signals, Episodes]:
    """Take the bars through all that recurs; the state moves on (in place) if they are final."""
    groups, series = row.groups, row.groups.series
    rate = np.where(row.counts, log_return**2 / row.elapsed, np.nan)
    average = ewma_of(state.minutes, groups, rate, np.exp2(-row.elapsed / config.minute_half_life), final)
    blind = row.gap | (~row.reopen & (row.elapsed > LONGEST_GAP_BARS))
    usual = _usual(state, row, ~(row.reopen | blind), log_range, final)
    move = np.where(complete, np.abs(log_return) / np.sqrt(row.elapsed), 0.0)
    bar = Observation(row.start, log_range, usual.profile, move, row.table.trades, row.begins, row.reopen, blind)
    # Of one value where nothing is overridden, which spares a column of rows.
    enters = state.rules.enters[series][groups.slot] if config.overrides else config.enter
    judged, verdict = detector.observe(state.detector.take(series), groups, bar)
    judged, steps = lifecycle.follow(judged, groups, bar, verdict, enters)
    if final:
        state.detector.put(series, judged)
    signals = Signals(
        series=series[groups.slot],
        start=row.start,
        statistic=verdict.statistic,
        z=verdict.z,
        log_range=log_range,
        expected_log_range=verdict.expected,
        cusum=verdict.cusum,
        final=np.full(groups.rows, final),
        revision=row.table.revision,
    )
    episodes = Episodes(
        opened=steps.opened,
        escalated=steps.escalated,
        closed=steps.closed,
        now=steps.now,
        before=steps.before,
        ratio=verdict.ratio,
        profile=usual.profile,
        baseline_bars=verdict.bars,
        profile_days=usual.days,
    )
    return average, signals, episodes


def _usual(state: EngineState, row: Row, learns: Bool, log_range: Float64, final: bool) -> Usual:
    """Return what is usual at each bar: by the time of day, or of the week where a market is open around the clock."""
    series, place = row.groups.series, row.placed.place
    seasons = state.season.take(series)
    usual = season.follow(seasons, row.groups, row.placed, row.turns, learns, log_range)
    if final:
        state.season.put(series, seasons)
    bars = np.flatnonzero(row.placed.continuous)
    if len(bars):
        rows = state.weekly_row[series][row.groups.slot[bars]]
        session, minute = place.session[bars], place.minute[bars]
        held, rows = _week_to_follow(state.weekly, rows, session, final)
        usual.profile[bars], usual.days[bars] = weekly.follow(
            held, rows, session, minute, log_range[bars], learns[bars] & final
        )
    return usual


def _week_to_follow(held: Weekly, rows: Int64, session: Int64, final: bool) -> tuple[Weekly, Int64]:
    """Return what may be moved on, and the rows in it: a copy where bars that may still change begin a new week."""
    if final or (weekly.week_of(session) <= held.week[rows]).all():
        return held, rows
    some, place = np.unique(rows, return_inverse=True)
    return held.take(some), place


def ewma_of(chain: Chain, groups: Groups, rate: Float64, decay: Float64, final: bool) -> tuple[Float64, Int64]:
    """Return the EWMA variance after each bar of a chain, and its terms; the chain moves on if the bars are final.

    Parameters
    ----------
    rate, decay : float64, shape (n,)
        As in ``volatility.ewma``.
    """
    start = np.array([chain.numerator[groups.series], chain.weight[groups.series]])
    variance, last = ewma(groups, start, rate, decay)
    number = groups.running(~np.isnan(rate), chain.terms[groups.series])
    if final:
        chain.numerator[groups.series], chain.weight[groups.series] = last
        chain.terms[groups.series] = number[groups.last]
    return variance, number
