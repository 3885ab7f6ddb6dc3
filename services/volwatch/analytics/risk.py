"""Risk measures. Sharpe 1994; standard error for iid returns: Lo 2002, FAJ 58(4):36."""

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, ZERO_VARIANCE, mean_term, sample_variance

SHARPE_WINDOW = 63
SHARPE_MIN_OBS = 40


def rolling_sharpe(
    returns: Float64, counts: Bool, per_year: Float64, risk_free_rate: float, min_obs: int = SHARPE_MIN_OBS
) -> tuple[Float64, Float64, npt.NDArray[np.int8], Int64]:
    """Return annual Sharpe ratio, its standard error, the code of the NULL reason and n, each of shape (m,).

    SR = (mean(r) − rf/N)/s·√N with s of ddof 1; SE = √((1 + SR_bar²/2)/n)·√N, roughly 1/√(years of data).

    Parameters
    ----------
    returns : float64, shape (m, W)
        SIMPLE returns per bar, decimals.
    counts : bool, shape (m, W)
        The returns that count.
    per_year : float64, shape (m,)
        Bars in a year, N.
    risk_free_rate : float
        Annual, a decimal; rf/N per bar (arithmetic).
    """
    n = counts.sum(axis=1)
    mean = mean_term(returns, counts)
    deviation = np.sqrt(sample_variance(returns, counts))
    # A constant series leaves a rounding residue, not 0 (quant.md section 3).
    constant = ~(deviation >= 1e-12 * np.maximum(1.0, np.abs(mean)))
    absurd = (counts & (np.abs(returns) >= 1)).any(axis=1)
    reason = np.select([n < min_obs, absurd, constant], [INSUFFICIENT_DATA, INSUFFICIENT_DATA, ZERO_VARIANCE], DEFINED)
    with np.errstate(invalid="ignore", divide="ignore"):
        per_bar = (mean - risk_free_rate / per_year) / deviation
        error = np.sqrt((1 + per_bar**2 / 2) / n)
    scale = np.sqrt(per_year)
    undefined = reason != DEFINED
    return (
        np.where(undefined, np.nan, per_bar * scale),
        np.where(undefined, np.nan, error * scale),
        reason.astype(np.int8),
        n,
    )
