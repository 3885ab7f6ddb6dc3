"""How far the price went within some minutes: from the close of the bar so many minutes before to the bar's extremes.

m_t = max(H_t / C_{t−k} − 1, 1 − L_t / C_{t−k}): a decimal, up or down. While a bar is open its extremes can only move
apart, so a move of the open bar is a move of the whole bar. C_{t−k} is the price that stood then: where that minute has
no bar, the close before it. Undefined (NaN) where that price lies before the open of the session, a halt or a gap.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.groups import Groups
from volwatch.analytics.history import Line
from volwatch.analytics.trades import Bool, Float64, Int64

_SERIES_APART = 1 << 40  # more minutes than there are


@dataclass(frozen=True)
class Prices:
    """The bars of some series, shape (n,), and the line of starts and closes that they make with the past; ``since`` is
    the start of the bar since which prices can be compared."""

    groups: Groups
    start: Int64
    high: Float64
    low: Float64
    line: Line
    since: Int64

    @cached_property
    def unbroken(self) -> Int64:
        """How many bars before each one follow one another minute by minute, and can be compared."""
        starts = self.line.column("start")
        place = np.arange(len(starts))
        follows = np.append(False, np.diff(starts) == MINUTE_MS)
        follows[self.line.heads] = False
        run = place - np.maximum.accumulate(np.where(follows, 0, place))
        comparable = (self.start - self.since) // MINUTE_MS
        unbroken: Int64 = np.minimum(run[self.line.newest], comparable)
        return unbroken

    @cached_property
    def widest(self) -> float:
        """The widest range of a series over all of its bars here and before: no move is more."""
        heads, closes = self.line.heads, self.line.column("close")
        top = np.fmax(np.fmax.reduceat(closes, heads), np.maximum.reduceat(self.high, self.groups.heads))
        bottom = np.fmin(np.fmin.reduceat(closes, heads), np.minimum.reduceat(self.low, self.groups.heads))
        # A move is rounded otherwise than the range.
        return float((top / bottom - 1).max()) * (1 + 1e-12) + 1e-12

    @cached_property
    def ordered(self) -> Int64:
        """Numbers of the line's places that rise with series and time; what is empty is before all of its series."""
        starts, heads = self.line.column("start"), self.line.heads
        owner = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(starts))))
        minute = np.where(np.isnan(starts), -MINUTE_MS, starts).astype(np.int64) // MINUTE_MS
        return owner * _SERIES_APART + minute


def comparable_since(groups: Groups, start: Int64, breaks: Bool, before: Int64) -> Int64:
    """Return for each bar the start of the bar since which prices can be compared: the last break up to it.

    Parameters
    ----------
    breaks : bool, shape (n,)
        Bars whose price has nothing to do with the one before.
    before : int64, shape (k,)
        The same of the bar before each series' first.
    """
    last = np.maximum.accumulate(np.where(breaks, np.arange(groups.rows), -1))
    inside = last >= groups.heads[groups.slot]
    return np.where(inside, start[last], before[groups.slot])


def references(prices: Prices, minutes: int) -> Float64:
    """Return the price some minutes before each bar's minute ended; NaN where there is none to compare with."""
    starts, closes = prices.line.column("start"), prices.line.column("close")
    reference: Float64 = closes[prices.line.newest - minutes]
    others = np.flatnonzero(prices.unbroken < minutes)
    if len(others):
        reference[others] = np.nan
        wanted = prices.start[others] - minutes * MINUTE_MS
        reaches = wanted >= prices.since[others]
        sparse, wanted = others[reaches], wanted[reaches]
        slots = prices.groups.slot[sparse]
        found = np.searchsorted(prices.ordered, slots * _SERIES_APART + wanted // MINUTE_MS, side="right") - 1
        # Of a rule that is new the bars before it are not known.
        known = (found >= prices.line.heads[slots]) & (starts[found] >= prices.since[sparse])
        reference[sparse[known]] = closes[found[known]]
    return reference


def moves(prices: Prices, reference: Float64) -> Float64:
    """Return the move of each bar against a price."""
    up, down = prices.high / reference, prices.low / reference
    up -= 1
    np.subtract(1, down, out=down)
    return np.maximum(up, down, out=up)
