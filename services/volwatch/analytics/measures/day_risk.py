"""The risk measures of a series' daily returns over fixed windows, for the nightly batch. quant.md section 3."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics.config import min_obs
from volwatch.analytics.measures.drawdown import rolling_max_drawdown
from volwatch.analytics.measures.measure import Measure, measure
from volwatch.analytics.measures.risk import (
    SHARPE_WINDOW,
    rolling_probabilistic_sharpe,
    rolling_sharpe_eta,
    rolling_sortino,
)
from volwatch.analytics.measures.tails import rolling_expected_shortfall, rolling_value_at_risk
from volwatch.analytics.splits import detect
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import log_ratio

TAIL_WINDOW = 252
"""A year, and so two returns more than a tail of 1 % asks for: a split may take one away."""
TAILS = (("var_95", "es_95", 0.95), ("var_99", "es_99", 0.99))


@dataclass(frozen=True, slots=True)
class DayReturns:
    """Returns that lead to each session, shape (n,); NaN for the first, and where the open looks like a split.

    Attributes
    ----------
    simple : (C − C')/C'.
    log : ln(C/C').
    overnight : ln(O/C').
    """

    simple: Float64
    log: Float64
    overnight: Float64


def day_returns(open_: Float64, close: Float64) -> DayReturns:
    """Return the returns of daily bars, oldest first."""
    before = np.append(np.nan, close[:-1])
    before = np.where(detect(before, open_) == 1.0, before, np.nan)
    return DayReturns((close - before) / before, log_ratio(close, before), log_ratio(open_, before))


def measure_days(returns: Float64, wanted: Int64, bars_per_year: int, risk_free_rate: float) -> list[Measure]:
    """Return the measures of the windows that end with each wanted session.

    Parameters
    ----------
    returns : float64, shape (n,)
        SIMPLE returns by session; NaN where there is none.
    wanted : int64, shape (w,)
        Sessions, as indices of the returns.
    bars_per_year : int
        N.
    risk_free_rate : float
        Annual, a decimal; also the minimum acceptable return of the Sortino ratio.
    """
    short, per_year = _windows(returns, wanted, SHARPE_WINDOW), np.full(len(wanted), float(bars_per_year))
    known = ~np.isnan(short)
    sharpe, error, reason, n = rolling_sharpe_eta(short, known, bars_per_year, risk_free_rate)
    long = _windows(returns, wanted, TAIL_WINDOW)
    held = ~np.isnan(long)
    made = [
        measure("sharpe_eta", SHARPE_WINDOW, sharpe, reason, n, error),
        measure("psr", SHARPE_WINDOW, *rolling_probabilistic_sharpe(short, known, per_year, risk_free_rate)),
        measure("sortino", SHARPE_WINDOW, *rolling_sortino(short, known, per_year, risk_free_rate / bars_per_year)),
        measure("max_drawdown", TAIL_WINDOW, *rolling_max_drawdown(long, held, min_obs(TAIL_WINDOW))),
    ]
    for risk, shortfall, probability in TAILS:
        made.append(measure(risk, TAIL_WINDOW, *rolling_value_at_risk(long, held, probability)))
        made.append(measure(shortfall, TAIL_WINDOW, *rolling_expected_shortfall(long, held, probability)))
    return made


def _windows(returns: Float64, wanted: Int64, width: int) -> Float64:
    """Return the ``width`` returns up to each wanted one, shape (w, width); NaN before the first."""
    padded = np.append(np.full(width - 1, np.nan), returns)
    windows: Float64 = padded[wanted[:, None] + np.arange(width)]
    return windows
