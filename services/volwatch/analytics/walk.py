"""What recurs from bar to bar: the EWMA, the seasonal profile, the detector and its episodes."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector, lifecycle, season
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import Placement
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import Observation
from volwatch.analytics.groups import Groups
from volwatch.analytics.lifecycle import Episode
from volwatch.analytics.recurrence import linear
from volwatch.analytics.results import Signals
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Bool, Float64, Int64

LONGEST_GAP_BARS = 10
"""A bar that comes after more than so many without a trade says little of its own minute: it teaches no baseline."""
_TINY = 1e-300  # in place of a weight of 0, which is masked


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
    baseline_bars: Int64
    profile_days: Int64


@dataclass(frozen=True, slots=True)
class Row:
    """Regular bars with what their neighbours tell; all of shape (n,).

    Attributes
    ----------
    begins : the first bar of a chain.
    elapsed : bars since the previous close.
    reopen : the first bar after a halt.
    gap : the first bar after its source could see nothing.
    """

    groups: Groups
    table: BarTable
    start: Int64
    place: Placement
    continuous: Bool
    begins: Bool
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
    ewma = _ewma(state, row, log_return, config, final)
    blind = row.gap | (~row.reopen & (row.elapsed > LONGEST_GAP_BARS))
    seasons = state.season.take(series)
    usual = season.follow(
        seasons,
        groups,
        row.place,
        ~row.continuous,
        row.begins,
        ~(row.reopen | blind),
        log_range,
    )
    move = np.where(complete, np.abs(log_return), 0.0)
    bar = Observation(row.start, log_range, usual.profile, move, row.table.trades, row.begins, row.reopen, blind)
    judged, verdict = detector.observe(state.detector.take(series), groups, bar)
    judged, steps = lifecycle.follow(judged, groups, bar, verdict, config.enter)
    if final:
        state.detector.put(series, judged)
        state.season.put(series, seasons)
    signals = Signals(
        series=series[groups.slot],
        start=row.start,
        statistic=verdict.statistic,
        z=verdict.z,
        log_range=log_range,
        expected_log_range=verdict.expected,
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
        baseline_bars=verdict.bars,
        profile_days=usual.days,
    )
    return ewma, signals, episodes


def _ewma(
    state: EngineState, row: Row, log_return: Float64, config: EngineConfig, final: bool
) -> tuple[Float64, Int64]:
    """Return the EWMA variance after each bar, N/D with N ← wN + (1−w)r²/Δ and D ← wD + (1−w), and its terms."""
    chain, groups = state.minutes, row.groups
    counts = row.counts
    decay = groups.pack(np.where(counts, np.exp2(-row.elapsed / config.minute_half_life), 1.0))
    rate = groups.pack(log_return**2 / row.elapsed)
    start = np.array([chain.numerator[groups.series], chain.weight[groups.series]])
    share = 1 - decay
    (numerator, weight), last = linear(groups, start, decay, np.array([share * rate, share]))
    number = groups.running(counts, chain.terms[groups.series])
    if final:
        chain.numerator[groups.series], chain.weight[groups.series] = last
        chain.terms[groups.series] = number[groups.last]
    variance = np.where(weight > 0, numerator / np.maximum(weight, _TINY), np.nan)
    return groups.unpack(variance), number
