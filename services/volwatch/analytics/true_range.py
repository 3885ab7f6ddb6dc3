"""The true range of a bar: what the detector measures volatility by, and the least that it can be."""

import numpy as np

from volwatch.analytics.trades import Bool, Float64

HALF_TICK, HALF_TICK_BELOW_ONE = 0.005, 0.00005
"""Of stocks, in quote currency: a cent from a price of 1 on, a hundredth of that below (SEC Rule 612)."""
HALF_TICK_SHARE = 5e-6
"""Of what trades around the clock, as a share of the price: half a pipette of a currency pair near 1."""


def least_range(reference: Float64, around_the_clock: Bool) -> Float64:
    """Return the least log range of a bar, half a tick of the price that it began from: none is finer than the grid."""
    half_tick = np.where(reference >= 1, HALF_TICK, HALF_TICK_BELOW_ONE)
    # A price below its own tick is no price; the range then at least has a number.
    return np.where(around_the_clock, HALF_TICK_SHARE, np.minimum(half_tick / reference, 1.0))


def true_log_range(
    high: Float64, low: Float64, reference: Float64, elapsed: Float64, least: Float64 | float
) -> Float64:
    """Return ln(R/√Δ) with R = ln(max(H, P)/min(L, P)), at least ``least``.

    ``reference`` P is the previous close, or the open of the first bar of a chain. It is fixed while a bar is open, so
    the value can only grow with further trades.
    """
    span = np.log(np.maximum(high, reference) / np.minimum(low, reference))
    return np.log(np.maximum(span, least) / np.sqrt(elapsed))
