"""Final one-minute bars into daily bars, and those into daily volatility and the rolling Sharpe ratio."""

import numpy as np

from volwatch.analytics.bars import FLAG_OHLC, BarTable, bar_key, merge
from volwatch.analytics.calendars import DAY_MS, REGULAR
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.history import Rolled, blocks, ranks, roll
from volwatch.analytics.minutes import annualisations, effective_window
from volwatch.analytics.results import Bars, Volatility
from volwatch.analytics.risk import SHARPE_WINDOW, rolling_sharpe
from volwatch.analytics.state import DAY_TERMS, EngineState
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import (
    DAILY_ESTIMATORS,
    DEFINED,
    INSUFFICIENT_DATA,
    Windows,
    annual,
    bar_terms,
    ewma_step,
    null_reason,
    variance,
)

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
    chain, series, n = state.days, table.series, len(table)
    first = np.diff(series, prepend=-1) != 0
    previous = np.where(first, chain.close[series], np.roll(table.close, 1))
    last = np.flatnonzero(np.append(first[1:], np.ones(min(1, n), np.bool_)))
    chain.close[series[last]] = table.close[last]
    chain.start[series[last]] = table.start[last]
    terms = bar_terms((table.open, table.high, table.low, table.close), previous, np.ones(n))
    log_return = np.where(np.isnan(previous), np.nan, terms.log_return)
    given = {
        "log_return": log_return,
        "trades": np.where(table.flags & FLAG_OHLC, np.inf, table.trades),
        "simple_return": (table.close - previous) / previous,
    }
    rows = {name: given[name] if name in given else getattr(terms, name) for name in DAY_TERMS}
    rolled = roll(chain.history, series, rows, np.ones(n, np.bool_))
    ewma = _ewma(state, series, log_return, config)
    bars = Bars(DAY_SECONDS, table, np.full(n, REGULAR, np.int8), log_return, np.ones(n, np.int64), _all(n))
    return bars, _volatility(state, table, rolled, ewma, config)


def _all(n: int) -> Bool:
    return np.ones(n, np.bool_)


def _ewma(state: EngineState, series: Int64, log_return: Float64, config: EngineConfig) -> tuple[Float64, Int64]:
    chain = state.days
    value, count = np.full(len(series), np.nan), np.zeros(len(series), np.int64)
    for rows in ranks(series):
        who, known = series[rows], ~np.isnan(log_return[rows])
        squared = np.where(known, log_return[rows], 0.0) ** 2
        decay = np.full(len(rows), config.day_decay)
        numerator, weight = ewma_step((chain.numerator[who], chain.weight[who]), squared, decay)
        chain.numerator[who] = np.where(known, numerator, chain.numerator[who])
        chain.weight[who] = np.where(known, weight, chain.weight[who])
        chain.terms[who] += known
        with np.errstate(invalid="ignore", divide="ignore"):
            value[rows] = chain.numerator[who] / chain.weight[who]
        count[rows] = chain.terms[who]
    return value, count


def _volatility(
    state: EngineState, table: BarTable, rolled: Rolled, ewma: tuple[Float64, Int64], config: EngineConfig
) -> Volatility:
    n, width, series = len(table), config.day_window, table.series
    estimators = (*DAILY_ESTIMATORS, "sharpe")
    ewma_at, sharpe_at = len(estimators) - 2, len(estimators) - 1
    value, n_obs = np.full((n, len(estimators)), np.nan), np.zeros((n, len(estimators)), np.int64)
    error, reason = value.copy(), np.zeros((n, len(estimators)), np.int8)
    per_year, codes = annualisations(state, config, day=True)
    for rows in blocks(n):
        terms = {name: rolled.window(name, width, rows) for name in DAY_TERMS}
        windows = Windows(terms, ~np.isnan(terms["trades"]), terms["trades"])
        for index, estimator in enumerate(DAILY_ESTIMATORS[:-1]):
            per_bar, observed = variance(estimator, windows)
            reason[rows, index] = null_reason(estimator, windows, per_bar, observed, min_obs(width))
            value[rows, index], n_obs[rows, index] = annual(per_bar, per_year[series[rows]]), observed
        returns = rolled.window("simple_return", SHARPE_WINDOW, rows)
        sharpe = rolling_sharpe(returns, ~np.isnan(returns), per_year[series[rows]], config.risk_free_rate)
        value[rows, sharpe_at], error[rows, sharpe_at], reason[rows, sharpe_at], n_obs[rows, sharpe_at] = sharpe
    value[:, ewma_at], n_obs[:, ewma_at] = annual(ewma[0], per_year[series]), ewma[1]
    reason[:, ewma_at] = np.where(ewma[1] < min_obs(width), INSUFFICIENT_DATA, DEFINED)
    windows_used = (*[width] * ewma_at, effective_window(config.day_decay), SHARPE_WINDOW)
    return Volatility(
        bar_seconds=DAY_SECONDS,
        estimators=estimators,
        windows=windows_used,
        series=series,
        start=table.start,
        value=np.where(reason == DEFINED, value, np.nan),
        reason=reason,
        standard_error=error,
        n_obs=n_obs,
        annualisation=codes[series],
        final=_all(n),
        revision=table.revision,
    )
