"""Sums and variances over the last W terms at every place of a line, by doubling: a window of 30 is one of 16, 8, 4 and
2, and each of these is two of half its size. So a window costs log W additions and is still computed from its own terms
alone: nothing is left behind by a spike that has left it, and any cutting of the input gives the same bits.

Variances are merged as Chan, Golub & LeVeque (1983) do, with means held relative to the newest term of their window: as
exact as two passes over the shifted terms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from volwatch.analytics.groups import Index
from volwatch.analytics.trades import Bool, Float64, Int64

_BLOCK = 16384  # terms of a few columns that stay in a core's cache


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the window at each place goes.

    Attributes
    ----------
    window : W, the most terms of a window.
    length : int64, shape (places,)
        Terms of the window at each place; it ends there.
    heads : intp, shape (series,)
        Where a new line begins: no window reaches across.
    """

    window: int
    length: Int64
    heads: Index


def reach(chain: Float64, heads: Index, window: int) -> Reach:
    """Return windows of at most ``window`` terms that do not leave the chain of their newest term.

    Parameters
    ----------
    chain : float64, shape (places,)
        Terms of one chain have one number; NaN where there is no term.
    """
    place = np.arange(len(chain))
    begins = np.zeros(len(chain), np.bool_)
    begins[heads] = True
    begins[1:] |= chain[1:] != chain[:-1]  # NaN differs from NaN: each such place is alone
    first = np.maximum.accumulate(np.where(begins, place, 0))
    length = np.minimum(place - first + 1, window)
    return Reach(window, np.where(np.isnan(chain), 0, length), heads)


def window_sums(terms: Float64, windows: Reach) -> Float64:
    """Return Σ term over the window at each place.

    Parameters
    ----------
    terms : float64, shape (columns, places)
        Finite; 0 where a term is missing.
    """
    sums = np.empty_like(terms)
    for part in _parts(windows):
        sums[:, part] = _sums(terms[:, part], windows.length[part], windows.window)
    return sums


def window_counts(marked: Bool, windows: Reach, at: Index) -> Int64:
    """Return how many places of the windows that end at some places are marked: whole numbers, so running sums are
    exact."""
    total = np.append(0, np.cumsum(marked))
    ends = at + 1
    counts: Int64 = total[ends] - total[ends - windows.length[at]]
    return counts


def window_variances(values: Float64, weights: Float64, windows: Reach) -> tuple[Float64, Float64]:
    """Return Σ w(x − μ)² with μ = Σ wx/Σw over the window at each place, and Σ w.

    Parameters
    ----------
    values, weights : float64, shape (places,)
        Finite; weights are 0 where a term is missing, and at least 1 elsewhere.
    """
    squares, total = np.empty_like(values), np.empty_like(weights)
    for part in _parts(windows):
        squares[part], total[part] = _variances(values[part], weights[part], windows.length[part], windows.window)
    return squares, total


def _parts(windows: Reach) -> Iterator[slice]:
    """Yield slices of whole series, each of about the size of a block."""
    places = len(windows.length)
    wanted = np.searchsorted(windows.heads, np.arange(_BLOCK, places, _BLOCK))
    cuts = np.unique(windows.heads[wanted[wanted < len(windows.heads)]])
    for start, end in pairwise([0, *cuts.tolist(), places]):
        yield slice(start, end)


def _steps(window: int) -> Iterator[tuple[int, int | None]]:
    """Yield the sizes of the blocks that double, each with the offset at which the window takes one, or None."""
    size, covered = 1, 0
    while size <= window:
        takes = bool(window & size)
        yield size, covered if takes else None
        covered += size if takes else 0
        size *= 2


def _short(length: Int64, back: int) -> Index:
    """Return the places whose window does not reach ``back`` places before them."""
    return back + np.flatnonzero(length[back:] <= back)


def _sums(terms: Float64, length: Int64, window: int) -> Float64:
    block = np.where(length > 0, terms, 0.0)
    total = block
    for size, offset in _steps(window):
        if offset is not None:
            total = block if offset == 0 else _added(total, block, length, offset)
        if 2 * size <= window:
            block = _added(block, block, length, size)
    return total


def _added(near: Float64, far: Float64, length: Int64, back: int) -> Float64:
    """Return each block with the one that ends ``back`` places before it, where the window reaches that far."""
    both = np.empty_like(near)
    both[:, :back] = near[:, :back]
    np.add(near[:, back:], far[:, :-back], out=both[:, back:])
    short = _short(length, back)
    both[:, short] = near[:, short]
    return both


_Moments = tuple[Float64, Float64, Float64]
"""Of a block: Σw, its mean less its newest value, Σ w(x − μ)²."""


def _variances(values: Float64, weights: Float64, length: Int64, window: int) -> tuple[Float64, Float64]:
    zero = np.zeros_like(values)
    block: _Moments = (np.where(length > 0, weights, 0.0), zero, zero)
    total = block
    for size, offset in _steps(window):
        if offset is not None:
            total = block if offset == 0 else _merged(total, block, values, length, offset)
        if 2 * size <= window:
            block = _merged(block, block, values, length, size)
    return total[2], total[0]


def _merged(near: _Moments, far: _Moments, values: Float64, length: Int64, back: int) -> _Moments:
    """Return the moments of each block with the one that ends ``back`` places before it, as ``_added``."""
    both: _Moments = (np.empty_like(values), np.empty_like(values), np.empty_like(values))
    for merged, held in zip(both, near, strict=True):
        merged[:back] = held[:back]
    weight, mean, squares = (column[back:] for column in both)
    near_weight, near_mean, near_squares = (column[back:] for column in near)
    far_weight, far_mean, far_squares = (column[:-back] for column in far)
    np.add(near_weight, far_weight, out=weight)
    gap = values[:-back] - values[back:]
    gap += far_mean
    gap -= near_mean
    moved = far_weight / np.maximum(weight, 1.0)  # weights are 0 or at least 1
    moved *= gap
    np.add(near_mean, moved, out=mean)
    gap *= moved
    gap *= near_weight
    gap += far_squares
    np.add(near_squares, gap, out=squares)
    short = _short(length, back)
    for merged, held in zip(both, near, strict=True):
        merged[short] = held[short]
    return both
