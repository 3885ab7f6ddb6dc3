"""Drawdowns of compounded value: losses since the highest value before them, as negative fractions. quant.md section 3.

The value starts at 1 before the first return, and that start is a peak too: a loss on the first day counts.
"""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics.measures.risk import SHARPE_MIN_OBS, Rolling, blocked, where_defined
from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.volatility import DEFINED


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest drawdown of a series, in returns counted from its start.

    Attributes
    ----------
    depth : V_trough/V_peak − 1, a negative fraction; 0 where the value never fell.
    peak, trough : how many returns lead to the peak (0: the start) and to the trough.
    recovery : how many lead to the first value that is not below the peak; None where there is none yet.
    duration : returns from the peak to the recovery, or to the end.
    """

    depth: float
    peak: int
    trough: int
    recovery: int | None
    duration: int


def drawdowns(returns: Float64) -> Float64:
    """Return V_t/max_{s≤t} V_s − 1 after each SIMPLE return (each above −1) of windows, shape (m, W)."""
    growth = np.cumsum(np.log1p(returns), axis=1)
    peak = np.maximum(np.maximum.accumulate(growth, axis=1), 0.0)
    fall: Float64 = np.expm1(growth - peak)
    return fall


def worst_drawdown(returns: Float64) -> Drawdown:
    """Return the deepest drawdown of a series of SIMPLE returns, shape (n,); of equals the first."""
    below = np.append(0.0, drawdowns(returns[None])[0])
    trough = int(np.argmin(below))
    peak = int(np.flatnonzero(below[: trough + 1] == 0.0)[-1])
    after = np.flatnonzero(below[trough:] == 0.0)
    recovery = trough + int(after[0]) if len(after) else None
    end = len(returns) if recovery is None else recovery
    return Drawdown(float(below[trough]), peak, trough, recovery, end - peak)


def rolling_max_drawdown(returns: Float64, counts: Bool, min_obs: int = SHARPE_MIN_OBS) -> Rolling:
    """Return the depth of the deepest drawdown within windows, the code of the NULL reason and n, each of shape (m,).

    Parameters
    ----------
    returns : float64, shape (m, W)
        SIMPLE returns per bar, decimals.
    counts : bool, shape (m, W)
        The returns that count.
    """
    reason = blocked(returns, counts, min_obs)
    usable = counts & (reason == DEFINED)[:, None]
    deepest = drawdowns(np.where(usable, returns, 0.0)).min(axis=1, initial=0.0)
    return where_defined(deepest, reason, counts.sum(axis=1))
