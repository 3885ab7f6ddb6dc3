"""One-minute bars into returns, volatility and the detector's verdicts: the step that advances a state over bars."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector
from volwatch.analytics.bars import FLAG_OHLC, BarTable
from volwatch.analytics.calendars import MINUTE_MS, REGULAR, Placement
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.history import Rolled, blocks, roll
from volwatch.analytics.results import FLAG_REOPEN, Bars, Signals, Volatility
from volwatch.analytics.state import MINUTE_TERMS, EngineState
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import (
    DEFINED,
    INSUFFICIENT_DATA,
    MINUTE_ESTIMATORS,
    BarTerms,
    Windows,
    annual,
    bar_terms,
    masked_median,
    null_reason,
    variance,
)
from volwatch.analytics.walk import Episodes, Row, walk

SPACING_BARS = 60
HALT_SECONDS = 300.0
HALT_SPACINGS = 20.0


@dataclass(frozen=True, slots=True)
class Advanced:
    """The outputs of ``advance``; ``regular`` are the rows of ``bars`` that signals, volatility and episodes are of,
    ``session`` the trading day of each bar, ``per_year`` the minutes in a year of each regular bar's market."""

    bars: Bars
    session: Int64
    regular: Int64
    volatility: Volatility
    signals: Signals
    episodes: Episodes
    per_year: Float64


def advance(state: EngineState, table: BarTable, config: EngineConfig, complete: Bool, final: bool) -> Advanced:
    """Advance the state (in place) over bars, ordered by (series, start), that follow those it has seen.

    Parameters
    ----------
    complete : bool, shape (n,)
        Bars that have ended; the close of one that has not decides nothing.
    final : bool
        Whether the bars can no longer change.
    """
    place, continuous = _place(state, table, config)
    regular = np.flatnonzero(place.label == REGULAR)
    row = _follow(state, table.take(regular), _take(place, regular), continuous[regular])
    terms = bar_terms(
        (row.table.open, row.table.high, row.table.low, row.table.close),
        row.previous_close,
        row.elapsed.astype(np.float64),
    )
    rolled = roll(state.minutes.history, row.table.series, _history_rows(row, terms), ~row.reopen)
    reference = np.where(row.begins, row.table.open, row.previous_close)
    log_range = detector.true_log_range(row.table.high, row.table.low, reference, terms.elapsed)
    ewma, signals, episodes = walk(state, row, terms, log_range, config, complete[regular], final)
    bars = _bars(table, place, regular, row, terms, final)
    volatility = _volatility(state, row, rolled, ewma, config, final)
    per_year = annualisations(state, config, day=False)[0][row.table.series]
    return Advanced(bars, place.session, regular, volatility, signals, episodes, per_year)


def _place(state: EngineState, table: BarTable, config: EngineConfig) -> tuple[Placement, Bool]:
    """Return the sessions of bars of many calendars, and whether each bar's market never closes."""
    names = sorted(set(state.calendars))
    calendar = np.array([names.index(name) for name in state.calendars], np.int64)[table.series]
    n = len(table)
    whole = Placement(np.zeros(n, np.int8), *(np.zeros(n, np.int64) for _ in range(4)))
    continuous = np.zeros(n, np.bool_)
    for index, name in enumerate(names):
        rows = np.flatnonzero(calendar == index)
        part = config.calendar(name).place(table.start[rows])
        for field in ("label", "session", "chain", "minute", "minutes_left"):
            getattr(whole, field)[rows] = getattr(part, field)
        continuous[rows] = config.calendar(name).continuous
    return whole, continuous


def _take(place: Placement, rows: Int64) -> Placement:
    return Placement(
        place.label[rows], place.session[rows], place.chain[rows], place.minute[rows], place.minutes_left[rows]
    )


def _follow(state: EngineState, table: BarTable, place: Placement, continuous: Bool) -> Row:
    """Join each regular bar to the one before it, and move the state's last bar on."""
    series, start = table.series, table.start
    chain = state.minutes
    first = np.diff(series, prepend=-1) != 0
    before_close = np.where(first, chain.close[series], np.roll(table.close, 1))
    before_start = np.where(first, chain.start[series], np.roll(start, 1))
    before_chain = np.where(first, chain.id[series], np.roll(place.chain, 1))
    begins = (before_start < 0) | (before_chain != place.chain)
    elapsed = np.where(begins, 1, (start - before_start) // MINUTE_MS)
    reopen = ~begins & _halted_before(state, table, elapsed)
    last = np.flatnonzero(np.append(first[1:], np.ones(min(1, len(first)), np.bool_)))
    chain.close[series[last]] = table.close[last]
    chain.start[series[last]] = start[last]
    chain.id[series[last]] = place.chain[last]
    return Row(table, place, continuous, begins, np.where(begins, np.nan, before_close), elapsed, reopen)


def _halted_before(state: EngineState, table: BarTable, elapsed: Int64) -> Bool:
    """Return whether a bar comes after max(5 min, 20 × the usual time between trades) without one."""
    spacing = {"seconds": elapsed * 60.0 / table.trades}
    rolled = roll(state.spacing, table.series, spacing, np.ones(len(table), np.bool_))
    empty_seconds = (elapsed - 1) * 60.0
    halted = np.zeros(len(table), np.bool_)
    for candidate in np.array_split(np.flatnonzero(empty_seconds >= HALT_SECONDS), 1 + len(table) // 8192):
        ends = rolled.newest[candidate] - 1
        window = rolled.flat["seconds"][ends[:, None] + np.arange(2 - state.spacing.width, 1)]
        usual = masked_median(window, ~np.isnan(window))
        halted[candidate] = empty_seconds[candidate] >= np.fmax(HALT_SECONDS, HALT_SPACINGS * usual)
    return halted


def _history_rows(row: Row, terms: BarTerms) -> dict[str, Float64]:
    given = {
        "chain": row.place.chain.astype(np.float64),
        # A bar given by its extremes needs no sample of trades.
        "trades": np.where(row.table.flags & FLAG_OHLC, np.inf, row.table.trades),
    }
    return {name: given[name] if name in given else getattr(terms, name) for name in MINUTE_TERMS}


def _bars(table: BarTable, place: Placement, regular: Int64, row: Row, terms: BarTerms, final: bool) -> Bars:
    n = len(table)
    log_return, elapsed = np.full(n, np.nan), np.ones(n, np.int64)
    log_return[regular] = terms.log_return
    elapsed[regular] = row.elapsed
    flagged = table.take(np.arange(n))
    flagged.flags[regular] |= np.where(row.reopen, FLAG_REOPEN, 0)
    return Bars(60, flagged, place.label, log_return, elapsed, np.full(n, final))


def _volatility(
    state: EngineState, row: Row, rolled: Rolled, ewma: tuple[Float64, Int64], config: EngineConfig, final: bool
) -> Volatility:
    n, width = len(row.table), config.minute_window
    count = len(MINUTE_ESTIMATORS)
    per_bar, n_obs = np.full((n, count), np.nan), np.zeros((n, count), np.int64)
    reason = np.zeros((n, count), np.int8)
    for rows in blocks(n):
        chains = rolled.window("chain", width, rows)
        terms = {name: rolled.window(name, width, rows) for name in MINUTE_TERMS}
        windows = Windows(terms, chains == row.place.chain[rows, None], terms["trades"])
        for index, estimator in enumerate(MINUTE_ESTIMATORS[:-1]):
            values, observed = variance(estimator, windows)
            reason[rows, index] = null_reason(estimator, windows, values, observed, min_obs(width))
            per_bar[rows, index], n_obs[rows, index] = values, observed
    per_bar[:, -1], n_obs[:, -1] = ewma
    reason[:, -1] = np.where(ewma[1] < min_obs(width), INSUFFICIENT_DATA, DEFINED)
    per_year, codes = annualisations(state, config, day=False)
    series = row.table.series
    decay = 2 ** (-1 / config.minute_half_life)
    return Volatility(
        bar_seconds=60,
        estimators=MINUTE_ESTIMATORS,
        windows=(*[width] * (count - 1), effective_window(decay)),
        series=series,
        start=row.table.start,
        value=np.where(reason == DEFINED, annual(per_bar, per_year[series, None]), np.nan),
        reason=reason,
        standard_error=np.full((n, count), np.nan),
        n_obs=n_obs,
        annualisation=codes[series],
        final=np.full(n, final),
        revision=row.table.revision,
    )


def effective_window(decay: float) -> int:
    """Return the window of equal weights that has the variance of an EWMA: (1+λ)/(1−λ), rounded."""
    return round((1 + decay) / (1 - decay))


def annualisations(state: EngineState, config: EngineConfig, day: bool) -> tuple[Float64, np.ndarray]:
    """Return bars per year and annualisation code of each series."""
    calendars = [config.calendar(name) for name in state.calendars]
    rules = [calendar.day if day else calendar.minute for calendar in calendars]
    return np.array([rule.per_year for rule in rules]), np.array([rule.code for rule in rules], np.str_)
