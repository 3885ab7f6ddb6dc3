"""A measure of whole sessions, as the nightly batch makes and stores it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import DEFINED


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of a series' sessions, columns of shape (n,).

    Attributes
    ----------
    estimator, window_bars : its name, and how many daily bars it looks back on.
    value : NaN exactly where ``reason``, a code of ``NULL_REASONS``, is not 0.
    n_obs : the returns that it was made of.
    standard_error : NaN where there is none.
    """

    estimator: str
    window_bars: int
    value: Float64
    reason: npt.NDArray[np.int8]
    n_obs: Int64
    standard_error: Float64

    def at(self, rows: Int64, n: int) -> "Measure":
        """Return the same values at some rows of n; what the other rows hold is for others to say."""
        spread: dict[str, Any] = {name: np.zeros(n, getattr(self, name).dtype) for name in _COLUMNS}
        for name, column in spread.items():
            column[rows] = getattr(self, name)
        return replace(self, **spread)

    def plus(self, other: "Measure") -> "Measure":
        """Return both, where each has other rows."""
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in _COLUMNS})


_COLUMNS = ("value", "reason", "n_obs", "standard_error")


def measure(
    estimator: str,
    window_bars: int,
    value: Float64,
    reason: npt.NDArray[np.int8],
    n_obs: Int64,
    standard_error: Float64 | None = None,
) -> Measure:
    """Return a measure whose values are NaN where there is a reason."""
    error = np.full(len(value), np.nan) if standard_error is None else standard_error
    defined = reason == DEFINED
    return Measure(
        estimator, window_bars, np.where(defined, value, np.nan), reason, n_obs, np.where(defined, error, np.nan)
    )
