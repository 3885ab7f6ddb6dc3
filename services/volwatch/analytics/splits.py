"""Splits: a bar that opens at 1/k of the last close, for a whole k, shows no loss but another unit of the price."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import log_ratio

RATIOS = (2, 3, 4, 5, 7, 10, 20)
"""New shares for an old one; the inverses too, for shares that are put together."""
TOLERANCE = 0.01
"""Of ln(k), by which the first price may miss it."""


def detect(previous_close: Float64, open_: Float64) -> Float64:
    """Return the suspected split factor k of each bar, 2.0 for two new shares for one; 1.0 where there is none.

    |ln(C'/O) − ln k| ≤ 0.01·|ln k| for k in 2, 3, 4, 5, 7, 10, 20 and their inverses (quant.md section 1.7). A crash
    that happens to end there looks the same: only a list of corporate actions can tell.

    Parameters
    ----------
    previous_close, open_ : float64, shape (n,)
        C' and O, positive; NaN where unknown, which is no split.
    """
    factors = np.array([*RATIOS, *(1 / ratio for ratio in RATIOS)])
    distance = np.abs(np.log(factors) + log_ratio(open_, previous_close)[:, None])
    hits = distance <= TOLERANCE * np.abs(np.log(factors))
    return np.where(hits.any(axis=1), factors[hits.argmax(axis=1)], 1.0)


def adjust(columns: Mapping[str, Float64], ex_rows: npt.NDArray[np.intp], factors: Float64) -> dict[str, Float64]:
    """Return the columns in the unit of the last row: prices before a split divided by its factor, volumes multiplied.

    Parameters
    ----------
    columns : mapping of float64, shape (n,)
        Prices, and the number of shares under ``volume``.
    ex_rows : intp, shape (m,)
        The first row in the new unit, of each split.
    factors : float64, shape (m,)
        k of each, as ``detect`` gives it.
    """
    rows = len(next(iter(columns.values())))
    steps = np.ones(rows)
    steps[ex_rows] = factors
    # A row's own split is behind it: what counts is the product over later rows.
    later = np.append(np.cumprod(steps[::-1])[::-1][1:], 1.0)
    return {name: values * later if name == "volume" else values / later for name, values in columns.items()}
