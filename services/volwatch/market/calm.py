"""Kinds of calm market: how the variance of a symbol moves from minute to minute while nothing happens. Pure.

Each kind gives a variance multiplier of mean 1, so that a symbol's nominal volatility is its own whatever its kind.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.market.scenarios import CALM_KINDS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Log volatility: a slow part (half-life one day) and a fast one (25 minutes), each a stationary AR(1) by the minute.
_SLOW_SD, _SLOW_DECAY = 0.30, 0.5 ** (1 / 1_440)
_FAST_SD, _FAST_DECAY = 0.18, 0.5 ** (1 / 25)
_STUDENT_DEGREES = 6.0
# Heston: dv = κ(1−v)dt + ξ√v dW, full reflection; stationary variance ξ²/2κ ≈ 0.47.
_HESTON_KAPPA, _HESTON_XI = 1 / 2_880, 0.018
_GARCH_ALPHA, _GARCH_BETA = 0.05, 0.93


@dataclass(frozen=True, slots=True)
class CalmState:
    """The hidden state of every symbol's volatility, each of shape (symbols,)."""

    slow: Floats
    fast: Floats
    heston: Floats
    garch: Floats


def begin(rng: np.random.Generator, symbols: int) -> CalmState:
    """Return a state drawn from the stationary law (Heston and GARCH begin at their mean)."""
    slow, fast = rng.standard_normal((2, symbols))
    return CalmState(slow * _SLOW_SD, fast * _FAST_SD, np.ones(symbols), np.ones(symbols))


def step(state: CalmState, rng: np.random.Generator, surprise: Floats) -> CalmState:
    """Return the state one minute on.

    Parameters
    ----------
    surprise : (symbols,)
        Squared return of the minute before, in units of the variance that was expected of it.
    """
    slow, fast, noise = rng.standard_normal((3, len(surprise)))
    heston = state.heston + _HESTON_KAPPA * (1 - state.heston) + _HESTON_XI * np.sqrt(state.heston) * noise
    return CalmState(
        slow=_SLOW_DECAY * state.slow + _SLOW_SD * np.sqrt(1 - _SLOW_DECAY**2) * slow,
        fast=_FAST_DECAY * state.fast + _FAST_SD * np.sqrt(1 - _FAST_DECAY**2) * fast,
        heston=np.abs(heston),
        garch=(1 - _GARCH_ALPHA - _GARCH_BETA) + state.garch * (_GARCH_ALPHA * surprise + _GARCH_BETA),
    )


def variance_multiplier(state: CalmState, rng: np.random.Generator, kinds: Integers) -> Floats:
    """Return this minute's variance over the nominal one, by the kind of each symbol (index into CALM_KINDS)."""
    mixing = (_STUDENT_DEGREES - 2) / rng.chisquare(_STUDENT_DEGREES, len(kinds))
    centre = _SLOW_SD**2 + _FAST_SD**2
    stochastic = np.exp(2 * (state.slow + state.fast - centre)) * mixing
    by_kind = {"gbm": np.ones(len(kinds)), "heston": state.heston, "garch": state.garch}
    return np.choose(kinds, [by_kind.get(kind, stochastic) for kind in CALM_KINDS])
