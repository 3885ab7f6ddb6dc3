"""Final one-minute bars into daily bars, and those into daily volatility and the rolling Sharpe ratio."""

from dataclasses import replace

import numpy as np

from volwatch.analytics.bars import FLAG_OHLC, BarTable, bar_key, merge
from volwatch.analytics.calendars import DAY_MS, REGULAR
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.groups import Groups, grouped
from volwatch.analytics.history import Line, blocks, line
from volwatch.analytics.measures.risk import SHARPE_WINDOW, rolling_sharpe
from volwatch.analytics.minutes import annualisations, effective_window
from volwatch.analytics.results import FLAG_CORPORATE_ACTION, Bars, Volatility
from volwatch.analytics.splits import detect
from volwatch.analytics.state import DAY_TERMS, EngineState
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import (
    DAILY_ESTIMATORS,
    DEFINED,
    INSUFFICIENT_DATA,
    annual,
    bar_terms,
    enough_trades,
    null_reason,
    variances,
)
from volwatch.analytics.walk import ewma_of
from volwatch.analytics.windows import reach

DAY_SECONDS = 86_400


def collect(state: EngineState, minute_bars: Bars, session: Int64) -> None:
    """Fold final regular one-minute bars into the day bars that are still building (in the state).

    A day bar is labelled by midnight UTC of its session's date.
    """
    regular = np.flatnonzero(minute_bars.label == REGULAR)
    rows = minute_bars.table.take(regular)
    rows.key = bar_key(rows.series, session[regular] * DAY_MS)
    state.day_bars = merge(state.day_bars, rows)


def take_closed(state: EngineState, config: EngineConfig, watermark: Int64) -> BarTable:
    """Remove from the state, and return, the day bars whose session's close the watermark has passed by the lateness.

    Parameters
    ----------
    watermark : int64, shape (series,)
        Of each series' source.
    """
    table = state.day_bars
    close = np.zeros(len(table), np.int64)
    for name in sorted(set(state.calendars)):
        rows = np.flatnonzero(np.array([held == name for held in state.calendars], np.bool_)[table.series])
        close[rows] = config.calendar(name).close_of(table.start[rows] // DAY_MS)
    closed = close + config.lateness_seconds * 1000 <= watermark[table.series]
    state.day_bars = table.take(~closed)
    return table.take(closed)


def advance(state: EngineState, table: BarTable, config: EngineConfig) -> tuple[Bars, Volatility]:
    """Advance the state (in place) over final day bars, ordered by (series, day)."""
    chain, groups, n = state.days, grouped(table.series), len(table)
    previous = groups.before(table.close, chain.close[groups.series])
    chain.close[groups.series] = table.close[groups.last]
    chain.start[groups.series] = table.start[groups.last]
    # A split is no return: what goes over it is missing, as for the first day.
    split = (detect(previous, table.open) != 1.0) & ~_continuous(state, config)[groups.series][groups.slot]
    terms = bar_terms((table.open, table.high, table.low, table.close), np.where(split, np.nan, previous), np.ones(n))
    unknown = np.isnan(previous) | split
    given = {
        "log_return": np.where(unknown, np.nan, terms.log_return),
        "trades": np.where(table.flags & FLAG_OHLC, np.inf, table.trades),
        "simple_return": np.where(unknown, np.nan, (table.close - previous) / previous),
    }
    rows = {name: given[name] if name in given else getattr(terms, name) for name in DAY_TERMS}
    held = line(chain.history, groups, rows)
    held.keep(chain.history, groups)
    average = ewma_of(chain, groups, given["log_return"] ** 2, np.full(n, config.day_decay), final=True)
    flagged = replace(table, flags=table.flags | FLAG_CORPORATE_ACTION * split)
    label = np.full(n, REGULAR, np.int8)
    bars = Bars(DAY_SECONDS, flagged, label, given["log_return"], np.ones(n, np.int64), _all(n))
    return bars, _volatility(state, table, groups, held, average, config)


def _continuous(state: EngineState, config: EngineConfig) -> Bool:
    return np.array([config.calendar(name).continuous for name in state.calendars], np.bool_)


def _all(n: int) -> Bool:
    return np.ones(n, np.bool_)


def _volatility(
    state: EngineState,
    table: BarTable,
    groups: Groups,
    held: Line,
    average: tuple[Float64, Int64],
    config: EngineConfig,
) -> Volatility:
    n, width = len(table), config.day_window
    estimators = (*DAILY_ESTIMATORS, "sharpe")
    value, n_obs = np.full((len(estimators), n), np.nan), np.zeros((len(estimators), n), np.int64)
    error, reason = value.copy(), np.zeros((len(estimators), n), np.int8)
    per_year, codes = annualisations(state, config, day=True)
    series = groups.series[groups.slot]
    terms = {name: held.column(name) for name in DAY_TERMS}
    windows = reach(np.where(np.isnan(terms["trades"]), np.nan, 0.0), held.heads, width)
    enough = enough_trades(terms["trades"], windows, held.newest)
    for place, (name, (per_bar, observed)) in enumerate(
        variances(DAILY_ESTIMATORS[:-1], terms, windows, held.newest).items()
    ):
        reason[place] = null_reason(name, per_bar, observed, min_obs(width), enough)
        value[place], n_obs[place] = annual(per_bar, per_year[series]), observed
    for rows in blocks(n):
        returns = held.windows("simple_return", SHARPE_WINDOW, rows)
        sharpe = rolling_sharpe(returns, ~np.isnan(returns), per_year[series[rows]], config.risk_free_rate)
        value[-1, rows], error[-1, rows], reason[-1, rows], n_obs[-1, rows] = sharpe
    value[-2], n_obs[-2] = annual(average[0], per_year[series]), average[1]
    reason[-2] = np.where(average[1] < min_obs(width), INSUFFICIENT_DATA, DEFINED)
    return Volatility(
        bar_seconds=DAY_SECONDS,
        estimators=estimators,
        windows=(*[width] * (len(estimators) - 2), effective_window(config.day_decay), SHARPE_WINDOW),
        series=series,
        start=table.start,
        value=np.where(reason == DEFINED, value, np.nan).T,
        reason=reason.T,
        standard_error=error.T,
        n_obs=n_obs.T,
        annualisation=codes[series],
        final=_all(n),
        revision=table.revision,
    )
