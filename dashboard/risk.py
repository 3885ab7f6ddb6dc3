"""How a series' returns spread, as pure functions of frames. Returns are log returns of bars, decimals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics.measures.normal import cumulative

HORIZONS_BARS = (15, 30, 60, 120, 240, 390, 780)
FAR = 4.0
"""Standard deviations from which on a return is told as far out."""
_BINS, _REACH = 61, 6.0
_LEAST_RETURNS = 20
_LEAST_RANGE = 1e-12  # equal returns differ by as much in their last digits, and have no spread

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """What is told of a distribution.

    Attributes
    ----------
    returns : how many.
    deviation : standard deviation, a decimal.
    skewness, excess_kurtosis : 0 for a normal.
    far_share : share of those at least ``FAR`` deviations from the mean.
    """

    returns: int
    deviation: float
    skewness: float
    excess_kurtosis: float
    far_share: float


def spread(returns: "pd.Series[float]") -> Spread | None:
    """Return what is to be told of returns; None where they are too few or do not move."""
    known = returns.dropna().to_numpy("float64")
    if len(known) < _LEAST_RETURNS or np.ptp(known) < _LEAST_RANGE:
        return None
    z = (known - known.mean()) / known.std()
    return Spread(
        len(known),
        float(known.std()),
        float(np.mean(z**3)),
        float(np.mean(z**4)) - 3,
        float(np.mean(np.abs(z) >= FAR)),
    )


def distribution(returns: "pd.Series[float]") -> pd.DataFrame:
    """Return how many of the returns fall into each of 61 equal steps: columns ``middle``, ``share``, and ``normal``,
    the share of a normal of the same mean and spread. What lies beyond six deviations counts in the outermost steps.
    """
    known = returns.dropna().to_numpy("float64")
    mean, deviation = float(known.mean()), float(known.std())
    reach = min(_REACH * deviation, float(np.abs(known - mean).max()))
    edges = mean + np.linspace(-reach, reach, _BINS + 1)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    below = cumulative((edges - mean) / deviation)
    return pd.DataFrame(
        {"middle": (edges[:-1] + edges[1:]) / 2, "share": counts / len(known), "normal": np.diff(below)}
    )


def volatility_cone(
    returns: "pd.Series[float]", bars_per_year: float, horizons: Sequence[int] = HORIZONS_BARS
) -> pd.DataFrame:
    """Return the realised volatility over horizons: how it spread in the past, and what it is now.

    √(bars_per_year · mean r²) over each window of so many bars; a horizon of which fewer than two windows fit is left
    out. Windows overlap, so the extremes are of few independent ones.

    Returns
    -------
    DataFrame
        Columns ``horizon_bars``, ``least``, ``low`` (10 %), ``middle``, ``high`` (90 %), ``most``, ``now``; decimals a
        year.
    """
    squares = returns.dropna().to_numpy("float64") ** 2
    total = np.concatenate([[0.0], np.cumsum(squares)])
    rows = [
        (horizon, *_quantiles(np.sqrt(np.maximum(total[horizon:] - total[:-horizon], 0) * bars_per_year / horizon)))
        for horizon in horizons
        if len(squares) > horizon
    ]
    return pd.DataFrame(rows, columns=["horizon_bars", "least", "low", "middle", "high", "most", "now"])


def _quantiles(volatility: Float64) -> tuple[float, ...]:
    return (*(float(value) for value in np.quantile(volatility, [0, 0.1, 0.5, 0.9, 1])), float(volatility[-1]))


def normal_far_share() -> float:
    """Return the share of a normal that lies at least ``FAR`` deviations from its mean."""
    return math.erfc(FAR / math.sqrt(2))
