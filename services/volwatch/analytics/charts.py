"""Secondary channels: control charts on z, a flag for single bars, a rank and a robust score. quant.md section 4.2.

They mark bars for whoever looks; none raises an alert by itself. A missing z (NaN) leaves a chart where it was.
"""

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE, masked_median

CUSUM_REFERENCE = 1.5
CUSUM_LIMIT = 2.1
"""k and h on the detector's z, with which the chart finds about what the detector finds (quant.md section 4.2)."""
LEE_MYKLAND_LIMIT = 5.0
ROBUST_LIMIT = 3.5
"""Of the robust z: Iglewicz & Hoaglin 1993."""
ROBUST_MIN_OBS = 10

Reason = npt.NDArray[np.int8]


def cusum_step(level: Float64, z: Float64, reference: float) -> Float64:
    """Return the next S = max(0, S + z − k) of an upper CUSUM. Page 1954."""
    return np.where(np.isnan(z), level, np.maximum(0.0, level + z - reference))


def cusum_chart(z: Float64, reference: float = CUSUM_REFERENCE, start: Float64 | float = 0.0) -> Float64:
    """Return S after each bar of series of z, shape (m, n); a chart signals when S passes its limit.

    It does not start again after a signal: it falls as z falls.
    """
    chart, level = np.empty_like(z), np.broadcast_to(np.asarray(start, np.float64), len(z))
    for bar in range(z.shape[1]):
        level = cusum_step(level, z[:, bar], reference)
        chart[:, bar] = level
    return chart


def ewma_step(level: Float64, z: Float64, weight: float) -> Float64:
    """Return the next e = (1 − λ)·e + z·√(λ(2 − λ)) of an EWMA chart, λ its weight. Roberts 1959.

    In this unit the chart of independent standard normal z has, after a while, a variance of 1: the limit is L.
    """
    return np.where(np.isnan(z), level, (1 - weight) * level + z * np.sqrt(weight * (2 - weight)))


def ewma_chart(z: Float64, weight: float, start: Float64 | float = 0.0) -> Float64:
    """Return e after each bar of series of z, shape (m, n); a chart signals when e, or its size, passes L."""
    chart, level = np.empty_like(z), np.broadcast_to(np.asarray(start, np.float64), len(z))
    for bar in range(z.shape[1]):
        level = ewma_step(level, z[:, bar], weight)
        chart[:, bar] = level
    return chart


def local_volatility(returns: Float64, window: int) -> Float64:
    """Return σ̂ = √(π/2·Σ|r_j||r_{j−1}|/(K−2)) of the K returns before each bar, which it does not hold; shape (m, n).

    Lee & Mykland 2008, Rev. Financial Studies 21:2535. NaN for the first K − 1 bars, and where σ̂ is 0.

    Parameters
    ----------
    returns : float64, shape (m, n)
        Log returns of real bars, deseasonalised where they have a season.
    window : int
        K ≥ 3: the test bar and the K − 1 before it, whose K − 2 products of neighbours make σ̂.
    """
    rows, n = returns.shape
    local = np.full((rows, n), np.nan)
    if n < window:
        return local
    products = np.abs(returns[:, 1:] * returns[:, :-1])
    held = np.lib.stride_tricks.sliding_window_view(products[:, :-1], window - 2, axis=1)
    local[:, window - 1 :] = np.sqrt(np.pi / 2 * held.mean(axis=2))
    local[local == 0] = np.nan
    return local


def lee_mykland_flag(
    returns: Float64, local: Float64, periodicity: Float64 | float, limit: float = LEE_MYKLAND_LIMIT
) -> Bool:
    """Return whether a single bar is too large: |r|/(σ̂_local·f_b) > limit; where σ̂ is unknown it is not."""
    with np.errstate(invalid="ignore"):
        flag: Bool = np.abs(returns) > limit * local * periodicity
    return flag


def percent_rank(value: Float64, past: Float64, counts: Bool) -> tuple[Float64, Reason, Int64]:
    """Return the share of past values below each value, equal ones counted half, the NULL reason and n; shape (m,).

    For display only: with 20 past values it has steps of a twentieth.

    Parameters
    ----------
    value : float64, shape (m,)
    past, counts : float64 and bool, shape (m, W)
        Values of the same bin in sessions before, and which of them count.
    """
    n = counts.sum(axis=1)
    below = (counts & (past < value[:, None])).sum(axis=1) + (counts & (past == value[:, None])).sum(axis=1) / 2
    reason = np.where((n < 1) | np.isnan(value), INSUFFICIENT_DATA, DEFINED).astype(np.int8)
    return np.where(reason == DEFINED, below / np.maximum(n, 1), np.nan), reason, n


def robust_z(
    volatility: Float64, past: Float64, counts: Bool, min_obs: int = ROBUST_MIN_OBS
) -> tuple[Float64, Reason, Int64]:
    """Return 0.6745·(x − median)/MAD of x = ln volatility, the NULL reason and n, each of shape (m,).

    Only on LOG volatility: of |r| on a thin symbol the MAD falls to 0. Iglewicz & Hoaglin 1993.

    Parameters
    ----------
    volatility : float64, shape (m,)
    past, counts : float64 and bool, shape (m, W)
        Values to compare with, and which of them count; those that are not above 0 do not.
    """
    counts = counts & (past > 0)
    n = counts.sum(axis=1)
    known = (n >= max(min_obs, 1)) & (volatility > 0)
    logs = np.log(np.where(counts, past, 1.0))
    now = np.log(np.where(known, volatility, 1.0))
    middle = masked_median(logs, counts)
    spread = masked_median(np.abs(logs - middle[:, None]), counts)
    # Equal values leave a rounding residue of their logs, not 0.
    level = ~(spread > 1e-12)
    reason = np.select([~known, level], [INSUFFICIENT_DATA, ZERO_VARIANCE], DEFINED).astype(np.int8)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = 0.6745 * (now - middle) / spread
    return np.where(reason == DEFINED, score, np.nan), reason, n
