"""Did a session jump? Its variance against what is left of it when jumps are taken out. quant.md section 4.2.

The tests are ONE-sided: jumps only add to RV, so a large negative statistic is no evidence of one.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.measures import normal
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import DEFINED, TOO_FEW_TRADES, ZERO_VARIANCE

MIN_RETURNS = 40
"""Least returns of a session: a half day of five-minute bars has 42."""
MAX_ZERO_SHARE = 0.05
"""Zero returns shrink BV but not RV: with 15 % of them the 1 % test rejects most days that did not jump."""

_BIPOWER = math.pi**2 / 4 + math.pi - 5  # asymptotic variance of BV − RV in units of quarticity
_MEDIAN = 0.96  # the same of MedRV


@dataclass(frozen=True, slots=True)
class JumpTest:
    """Statistic and one-sided p of sessions, each of shape (m,); NaN exactly where ``reason`` is not 0."""

    z: Float64
    p: Float64
    reason: npt.NDArray[np.int8]


def no_test(sessions: int, reason: int) -> JumpTest:
    """Return sessions that cannot be tested, all for one reason."""
    return JumpTest(np.full(sessions, np.nan), np.full(sessions, np.nan), np.full(sessions, reason, np.int8))


def null_reason(variance: Float64, bipower: Float64, zero_share: Float64) -> npt.NDArray[np.int8]:
    """Return why sessions cannot be tested: no RV or no BV, or more than 5 % of zero returns (too few trades)."""
    flat = ~((variance > 0) & (bipower > 0))
    conditions = [variance == 0, zero_share > MAX_ZERO_SHARE, flat]
    return np.select(conditions, [ZERO_VARIANCE, TOO_FEW_TRADES, ZERO_VARIANCE], DEFINED).astype(np.int8)


def ratio_statistic(variance: Float64, bipower: Float64, quarticity: Float64, returns: int) -> Float64:
    """Return z = (1 − BV/RV)/√((π²/4+π−5)/n·max(1, TPQ/BV²)). Huang & Tauchen 2005, JFEc 3:456.

    Parameters
    ----------
    variance, bipower, quarticity : float64, shape (m,)
        RV, BV and TPQ of the sessions.
    returns : int
        n of each.
    """
    return _ratio(variance, bipower, quarticity, _BIPOWER / returns)


def median_ratio_statistic(variance: Float64, median: Float64, quarticity: Float64, returns: int) -> Float64:
    """Return the same with MedRV and MedRQ, and 0.96 for the constant. Andersen, Dobrev & Schaumburg 2012."""
    return _ratio(variance, median, quarticity, _MEDIAN / returns)


def _ratio(variance: Float64, robust: Float64, quarticity: Float64, scale: float) -> Float64:
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - robust / variance
        z: Float64 = share / np.sqrt(scale * np.maximum(1.0, (np.sqrt(quarticity) / robust) ** 2))
    return np.where((variance > 0) & (robust > 0), z, np.nan)


def linear_statistic(variance: Float64, bipower: Float64, quarticity: Float64, returns: int) -> Float64:
    """Return z = (RV − BV)/√((π²/4+π−5)/n·TPQ). Barndorff-Nielsen & Shephard 2006; it rejects too often."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z: Float64 = (variance - bipower) / np.sqrt(_BIPOWER / returns * quarticity)
    return np.where(quarticity > 0, z, np.nan)


def one_sided_p(z: Float64) -> Float64:
    """Return p = 1 − Φ(z); R highfrequency prints the two-sided 2·min(p, 1 − p)."""
    return normal.upper_tail(z)
