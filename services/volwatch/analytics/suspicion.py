"""When a print is suspicious: it is further from the median of the prints before it than their spread explains.

|ln(p/m)| > max(0.3 %, 8 s), with m = median and s = 1.4826·MAD/m of the last 20 accepted prints of its series
(Brownlees & Gallo 2006, Computational Statistics & Data Analysis 51:2232; quant.md section 1.5). Of many prints at
once a cheap screen clears most, so that only the others' windows are sorted; one by one comes to the same bits.
"""

import math

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Float64, Int64

WINDOW = 20
MIN_PRINTS = 3
"""With fewer accepted prints nothing is suspicious. One bad print does not move the median of three, and three are what
a window begins anew with: were more asked for, the prints behind every jump would pass unseen (measured: in a market
that jumps every 50 prints, 4 % of its bad prints with five, 0.1 % with three, and no more good ones are dropped)."""
FLOOR = 0.003
SPREADS = 8.0
MAD_TO_SIGMA = 1.4826
"""Standard deviations per median absolute deviation, of normal variables."""

# Within this of both the least and the largest print of its window a print is within FLOOR of the median.
_SURELY_NEAR = 0.0029
_BLOCK_ROWS = 8192  # windows of one block fit into the processor's cache


def suspects_among(flat: Float64, at: Int64) -> npt.NDArray[np.intp]:
    """Return which of the prints at some places are suspicious if all before them were accepted."""
    price = flat[at]
    low, high = _sliding(np.fmin, flat)[at - WINDOW], _sliding(np.fmax, flat)[at - WINDOW]
    unsure = np.flatnonzero(~((price <= low * (1 + _SURELY_NEAR)) & (price >= high * (1 - _SURELY_NEAR))))
    found = [np.empty(0, np.intp)]
    for begin in range(0, len(unsure), _BLOCK_ROWS):
        block = unsure[begin : begin + _BLOCK_ROWS]
        windows = flat[at[block, None] + np.arange(-WINDOW, 0)]
        found.append(block[deviations_of(price[block], windows) != 0])
    return np.concatenate(found)


def _sliding(extreme: np.ufunc, flat: Float64) -> Float64:
    """Return the extreme of each ``WINDOW`` neighbours, by their first: runs of 1, 2, 4, 8 and 16, then two of 16."""
    run, length = flat, 1
    while 2 * length <= WINDOW:
        run = extreme(run[:-length], run[length:])
        length *= 2
    rest = WINDOW - length
    overlapping: Float64 = extreme(run[:-rest], run[rest:])
    return overlapping


def deviations_of(price: Float64, windows: Float64) -> Float64:
    """Return ln(p/m) of suspicious prints, 0 of the others; ``windows`` (n, WINDOW) with NaN for no print."""
    windows = np.sort(windows, axis=1)
    count = (~np.isnan(windows)).sum(axis=1)
    middle = _medians(windows, count)
    spread = MAD_TO_SIGMA * _medians(np.sort(np.abs(windows - middle[:, None]), axis=1), count) / middle
    # numpy's logarithm may differ from the other way's by the last bit.
    deviation = np.array([math.log(ratio) for ratio in (price / middle).tolist()])
    suspicious = (count >= MIN_PRINTS) & (np.abs(deviation) > np.maximum(FLOOR, SPREADS * spread))
    return np.where(suspicious, deviation, 0.0)


def _medians(ordered: Float64, count: Int64) -> Float64:
    rows = np.arange(len(ordered))
    medians: Float64 = (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2
    return medians


def deviation_of(price: float, window: list[float]) -> float:
    """Return what ``deviations_of`` returns, of one print."""
    count = len(window)
    near = count and min(window) * (1 + _SURELY_NEAR) >= price >= max(window) * (1 - _SURELY_NEAR)
    if near or count < MIN_PRINTS:
        return 0.0
    lower, upper = (count - 1) // 2, count // 2
    ordered = sorted(window)
    middle = (ordered[lower] + ordered[upper]) / 2
    apart = sorted([abs(accepted - middle) for accepted in window])
    spread = MAD_TO_SIGMA * ((apart[lower] + apart[upper]) / 2) / middle
    deviation = math.log(price / middle)
    return deviation if abs(deviation) > max(FLOOR, SPREADS * spread) else 0.0
