"""One-minute bars into returns, volatility and the detector's verdicts: the step that advances a state over bars."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from volwatch.analytics import detector
from volwatch.analytics.bars import FLAG_OHLC, BarTable, bar_key
from volwatch.analytics.calendars import MINUTE_MS, REGULAR, Placement, session_of_chain
from volwatch.analytics.charts import CUSUM_LIMIT, LEE_MYKLAND_LIMIT
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.groups import Groups, grouped
from volwatch.analytics.history import Line, line
from volwatch.analytics.placing import Placed, placed
from volwatch.analytics.results import (
    FLAG_CUSUM,
    FLAG_JUMP,
    FLAG_REOPEN,
    FLAG_SOURCE_GAP,
    Bars,
    Signals,
    Volatility,
    joined,
)
from volwatch.analytics.rules.evaluate import RuleEvent, joined_events, judge
from volwatch.analytics.state import MINUTE_TERMS, EngineState, add_weekly
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.true_range import least_range, true_log_range
from volwatch.analytics.volatility import (
    DEFINED,
    INSUFFICIENT_DATA,
    MIN_TRADES_PER_BAR,
    MINUTE_ESTIMATORS,
    BarTerms,
    bar_terms,
    enough_trades,
    masked_median,
    null_reason,
    variances,
)
from volwatch.analytics.walk import Episodes, Row, walk
from volwatch.analytics.weekly import open_hours
from volwatch.analytics.windows import reach

SPACING_BARS = 60
HALT_SECONDS = 300.0
HALT_SPACINGS = 20.0

_MOST_ROWS = 400_000  # larger columns cost more in pages of memory than in arithmetic
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class Advanced:
    """The outputs of ``advance``; ``regular`` are the rows of ``bars`` that signals, volatility, episodes and rules are
    of, ``session`` the trading day of each bar, ``per_year`` the minutes in a year of each regular bar's market."""

    bars: Bars
    session: Int64
    regular: Int64
    volatility: Volatility
    signals: Signals
    episodes: Episodes
    per_year: Float64
    rules: tuple[RuleEvent, ...]


def advance(
    state: EngineState, table: BarTable, config: EngineConfig, complete: Bool, final: bool, estimates: bool = True
) -> Advanced:
    """Evaluate bars, ordered by (series, start), that follow those the state has seen; it moves on if they are final.

    Parameters
    ----------
    complete : bool, shape (n,)
        Bars that have ended; the close of one that has not decides nothing.
    final : bool
        Whether the bars can no longer change.
    estimates : bool
        Whether the volatility of bars is asked for that may still change: the detector needs none.
    """
    if len(table):
        make_room(state, config)
        table = _flag_gaps(state, table, final)
    groups = grouped(table.series)
    estimates = estimates or final
    parts = [
        _advance(state, table.take(rows), config, complete[rows], final, estimates)
        for rows, _ in groups.parts(_MOST_ROWS)
    ]
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.session) for part in parts)]).tolist()
    moved = [replace(part, regular=part.regular + rows) for part, rows in zip(parts, before, strict=False)]
    return replace(joined(moved), rules=joined_events([(part.rules, len(part.regular)) for part in parts]))


def _flag_gaps(state: EngineState, table: BarTable, final: bool) -> BarTable:
    """Flag the first bar of a series that ends after its source could see again; final, it is told for good."""
    if not len(state.gap_series):
        return table
    place = np.searchsorted(table.key, bar_key(state.gap_series, state.gap_since))
    there = place < len(table)
    there[there] = table.series[place[there]] == state.gap_series[there]
    flags = table.flags.copy()
    flags[place[there]] |= FLAG_SOURCE_GAP
    if final:
        state.gap_series, state.gap_since = state.gap_series[~there], state.gap_since[~there]
    return replace(table, flags=flags)


def make_room(state: EngineState, config: EngineConfig) -> None:
    """Make room for new series: for rules, and for the weekly profiles of markets that are open around the clock."""
    state.rules.fit(state.series, config.rules, config.overrides, config.enter)
    fresh = state.calendars[len(state.weekly_row) :]
    if fresh:
        add_weekly(state, [open_hours(name) if config.calendar(name).continuous else 0 for name in fresh])


def _advance(
    state: EngineState, table: BarTable, config: EngineConfig, complete: Bool, final: bool, estimates: bool
) -> Advanced:
    series, start = table.series, table.start
    bars = placed(state.calendars, series, start, config)
    place = bars.place
    regular = np.flatnonzero(place.label == REGULAR)
    followed = table, start, bars
    if len(regular) < len(table):
        followed = table.take(regular), start[regular], bars.take(regular)
    row = _follow(state, grouped(series[regular]), *followed, final)
    measured = _measure(state, row, config, final, estimates)
    ewma, signals, episodes = walk(
        state, row, measured.log_return, measured.log_range, config, complete[regular], final
    )
    per_year, codes = annualisations(state, config, day=False)
    per_year, codes = per_year[signals.series], codes[signals.series]
    made = _volatility(row, measured, ewma, config, (per_year, codes), final, estimates)
    return Advanced(
        bars=_bars(
            table, place, regular, row, measured.log_return, _flags(row, measured, signals, complete[regular]), final
        ),
        session=place.session,
        regular=regular,
        volatility=made,
        signals=signals,
        episodes=episodes,
        per_year=per_year,
        rules=judge(state.rules, config.rules, row, made, complete[regular], final),
    )


def _follow(state: EngineState, groups: Groups, table: BarTable, start: Int64, bars: Placed, final: bool) -> Row:
    """Join each regular bar to the one before it; the state's last bar moves on if they are final."""
    chain, series = state.minutes, groups.series
    before_close = groups.before(table.close, chain.close[series])
    before_start = groups.before(start, chain.start[series])
    before_chain, now = groups.before(bars.place.chain, chain.id[series]), bars.place.chain
    begins = (before_start < 0) | (before_chain != now)
    turns = begins & (session_of_chain(before_chain) != bars.place.session)
    elapsed = np.where(begins, 1, (start - before_start) // MINUTE_MS)
    reopen = ~begins & _halted_before(state, groups, table.trades, elapsed, final)
    gap = (table.flags & FLAG_SOURCE_GAP) > 0
    if final:
        chain.close[series] = table.close[groups.last]
        chain.start[series] = start[groups.last]
        chain.id[series] = now[groups.last]
    previous = np.where(begins, np.nan, before_close)
    return Row(groups, table, start, bars, begins, turns, previous, elapsed, reopen & ~gap, gap)


def _halted_before(state: EngineState, groups: Groups, trades: Int64, elapsed: Int64, final: bool) -> Bool:
    """Return whether a bar comes after max(5 min, 20 × the usual time between trades) without one."""
    held = line(state.spacing, groups, {"seconds": elapsed * 60.0 / trades})
    if final:
        held.keep(state.spacing, groups)
    empty_seconds = (elapsed - 1) * 60.0
    halted = np.zeros(groups.rows, np.bool_)
    candidates = np.flatnonzero(empty_seconds >= HALT_SECONDS)
    for candidate in np.array_split(candidates, 1 + len(candidates) // 8192):
        window = held.windows("seconds", state.spacing.width, candidate)[:, :-1]
        usual = masked_median(window, ~np.isnan(window))
        halted[candidate] = empty_seconds[candidate] >= np.fmax(HALT_SECONDS, HALT_SPACINGS * usual)
    return halted


@dataclass(frozen=True, slots=True)
class _Measured:
    """What windows and neighbours tell of bars: columns of shape (n,); of the windowed estimators, (estimators, n)."""

    log_return: Float64
    log_range: Float64
    variance: Float64
    n_obs: Int64
    reason: npt.NDArray[np.int8]


def _measure(state: EngineState, row: Row, config: EngineConfig, final: bool, estimates: bool) -> _Measured:
    n, count = row.groups.rows, len(MINUTE_ESTIMATORS)
    shape = (count, n)
    measured = _Measured(np.empty(n), np.empty(n), np.empty(shape), np.empty(shape, np.int64), np.empty(shape, np.int8))
    counts = row.counts
    # Some series at a time: what stays in a core's cache is several times as fast.
    for rows, groups in row.groups.parts(_ROWS_AT_ONCE):
        table, previous = row.table.take(rows), row.previous_close[rows]
        elapsed = row.elapsed[rows].astype(np.float64)
        terms = bar_terms((table.open, table.high, table.low, table.close), previous, elapsed)
        measured.log_return[rows] = terms.log_return
        reference = np.where(row.begins[rows], table.open, previous)
        least = least_range(reference, row.placed.continuous[rows])
        measured.log_range[rows] = true_log_range(table.high, table.low, reference, terms.elapsed, least)
        if not estimates:
            continue
        chain = row.placed.place.chain[rows].astype(np.float64)
        held = line(state.minutes.history, groups, _history_rows(table, chain, terms), counts[rows])
        if final:
            held.keep(state.minutes.history, groups)
        for place, (values, observed, reason) in enumerate(_windowed(held, chain, config.minute_window)):
            measured.variance[place, rows] = values
            measured.n_obs[place, rows] = observed
            measured.reason[place, rows] = reason
    return measured


def _history_rows(table: BarTable, chain: Float64, terms: BarTerms) -> dict[str, Float64]:
    # A bar given by its extremes needs no sample of trades.
    trades = np.where(table.flags & FLAG_OHLC, np.inf, table.trades)
    given = {"chain": chain, "trades": trades}
    return {name: given[name] if name in given else getattr(terms, name) for name in MINUTE_TERMS}


def _windowed(held: Line, chain: Float64, width: int) -> Iterator[tuple[Float64, Int64, npt.NDArray[np.int8]]]:
    """Yield per-bar variance, number of terms and NULL reason of each windowed estimator."""
    newest = held.newest
    terms = {name: held.column(name) for name in MINUTE_TERMS}
    windows = reach(terms["chain"], held.heads, width)
    made = variances(MINUTE_ESTIMATORS[:-1], terms, windows, newest)
    enough = enough_trades(terms["trades"], windows, newest)
    # A bar that is no term looks back, but not into another chain.
    alone = terms["chain"][newest] != chain
    for name, (values, observed) in made.items():
        n_obs = np.where(alone, 0, observed)
        yield values, n_obs, null_reason(name, values, n_obs, min_obs(width), enough)


def _flags(row: Row, measured: _Measured, signals: Signals, complete: Bool) -> Int64:
    """Return the flags that a bar has from its neighbours and from the secondary channels."""
    local = np.exp(signals.expected_log_range - detector.LOG_RANGE_OF_VOLATILITY)
    warm = complete & ~np.isnan(signals.statistic)
    # Of few prints the range says too little of the volatility.
    busy = warm & (row.table.trades >= MIN_TRADES_PER_BAR)
    jump = busy & (np.abs(measured.log_return) > LEE_MYKLAND_LIMIT * local * np.sqrt(row.elapsed))
    cusum = warm & (signals.cusum > CUSUM_LIMIT)
    flags: Int64 = FLAG_REOPEN * row.reopen + FLAG_JUMP * jump + FLAG_CUSUM * cusum
    return flags


def _bars(
    table: BarTable, place: Placement, regular: Int64, row: Row, returns: Float64, told: Int64, final: bool
) -> Bars:
    n = len(table)
    log_return, elapsed = np.full(n, np.nan), np.ones(n, np.int64)
    log_return[regular] = returns
    elapsed[regular] = row.elapsed
    flags = table.flags.copy()
    flags[regular] |= told
    return Bars(60, replace(table, flags=flags), place.label, log_return, elapsed, np.full(n, final))


def _volatility(
    row: Row,
    measured: _Measured,
    ewma: tuple[Float64, Int64],
    config: EngineConfig,
    annualisation: tuple[Float64, npt.NDArray[np.object_]],
    final: bool,
    estimates: bool,
) -> Volatility:
    count, width = len(MINUTE_ESTIMATORS), config.minute_window
    rows = slice(None if estimates else 0)  # what was not measured is not told either
    per_year, codes, start = annualisation[0][rows], annualisation[1][rows], row.start[rows]
    values, reason, n_obs = measured.variance[:, rows], measured.reason[:, rows], measured.n_obs[:, rows]
    values[-1], n_obs[-1] = ewma[0][rows], ewma[1][rows]
    reason[-1] = np.where(n_obs[-1] < min_obs(width), INSUFFICIENT_DATA, DEFINED)
    np.sqrt(np.multiply(values, per_year, out=values), out=values, where=reason == DEFINED)
    values[reason != DEFINED] = np.nan
    decay = 2 ** (-1 / config.minute_half_life)
    return Volatility(
        bar_seconds=60,
        estimators=MINUTE_ESTIMATORS,
        windows=(*[width] * (count - 1), effective_window(decay)),
        series=row.groups.series[row.groups.slot][rows],
        start=start,
        value=values.T,
        reason=reason.T,
        standard_error=np.broadcast_to(np.nan, (len(start), count)),
        n_obs=n_obs.T,
        annualisation=codes,
        final=np.full(len(start), final),
        revision=row.table.revision[rows],
    )


def effective_window(decay: float) -> int:
    """Return the window of equal weights that has the variance of an EWMA: (1+λ)/(1−λ), rounded."""
    return round((1 + decay) / (1 - decay))


def annualisations(state: EngineState, config: EngineConfig, day: bool) -> tuple[Float64, npt.NDArray[np.object_]]:
    """Return bars per year and annualisation code of each series."""
    calendars = [config.calendar(name) for name in state.calendars]
    rules = [calendar.day if day else calendar.minute for calendar in calendars]
    return np.array([rule.per_year for rule in rules]), np.array([rule.code for rule in rules], np.object_)
