"""Rows ordered by (series, time), seen as groups: one of each series. What recurs is taken rank by rank (the first row
of each series, the second …), so that a step works on all series at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64

Index = npt.NDArray[np.intp]

_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True)
class Groups:
    """The series of n rows.

    Attributes
    ----------
    series : int64, shape (k,)
        The series that occur, ascending.
    heads, counts : intp, shape (k,)
        Each one's first row and number of rows.
    rows : int
        n.
    """

    series: Int64
    heads: Index
    counts: Index
    rows: int

    @cached_property
    def first(self) -> Bool:
        """Whether each row is the first of its series, shape (n,)."""
        mask = np.zeros(self.rows, np.bool_)
        mask[self.heads] = True
        return mask

    @cached_property
    def last(self) -> Index:
        """Each series' last row, shape (k,)."""
        return self.heads + self.counts - 1

    @cached_property
    def slot(self) -> Index:
        """The place of each row's series among those that occur, shape (n,)."""
        return np.repeat(np.arange(len(self.series)), self.counts)

    @cached_property
    def even(self) -> bool:
        """Whether every series has as many rows as any other."""
        return bool(len(self.counts)) and bool((self.counts == self.counts[0]).all())

    @cached_property
    def _order(self) -> Index:
        # Longest first: the series that have a row of some rank are then the first so many, a slice.
        return np.argsort(-self.counts, kind="stable")

    @cached_property
    def _bounds(self) -> list[int]:
        ends = np.sort(self.counts)
        present = len(ends) - np.searchsorted(ends, np.arange(int(ends[-1]) if len(ends) else 0), side="right")
        return [0, *np.cumsum(present).tolist()]

    @cached_property
    def _packed(self) -> Index:
        """The row at each place of the packed order: rank by rank, within a rank by ``_order``."""
        rank = np.arange(self.rows) - np.repeat(self.heads, self.counts)
        place = np.empty(len(self.series), np.intp)
        place[self._order] = np.arange(len(self.series))
        rows = np.empty(self.rows, np.intp)
        rows[np.array(self._bounds[:-1], np.intp)[rank] + place[self.slot]] = np.arange(self.rows)
        return rows

    def pack(self, values: Float64) -> Float64:
        """Return the values of rows, the last axis, rank by rank."""
        if self.even:
            k = len(self.series)
            turned = values.reshape(*values.shape[:-1], k, self.rows // k).swapaxes(-1, -2)
            return np.ascontiguousarray(turned).reshape(values.shape)
        packed: Float64 = values[..., self._packed]
        return packed

    def unpack(self, packed: Float64) -> Float64:
        """Return what ``pack`` has put rank by rank in the order of the rows again."""
        if self.even:
            k = len(self.series)
            turned = packed.reshape(*packed.shape[:-1], self.rows // k, k).swapaxes(-1, -2)
            return np.ascontiguousarray(turned).reshape(packed.shape)
        values = np.empty_like(packed)
        values[..., self._packed] = packed
        return values

    def pack_series(self, values: Float64) -> Float64:
        """Return values of the series, the last axis, in the order that each rank has them."""
        return values if self.even else values[..., self._order]

    def unpack_series(self, packed: Float64) -> Float64:
        """Return what ``pack_series`` has ordered in the order of the series again."""
        if self.even:
            return packed
        values = np.empty_like(packed)
        values[..., self._order] = packed
        return values

    def parts(self, size: int) -> Iterator[tuple[slice, "Groups"]]:
        """Yield runs of whole series of about ``size`` rows each: their rows, and the groups that these make."""
        wanted = np.searchsorted(self.heads, np.arange(size, self.rows, size))
        cuts = np.unique(wanted[wanted < len(self.heads)]).tolist()
        for begin, end in pairwise([0, *cuts, len(self.series)]):
            first = int(self.heads[begin]) if begin < end else 0
            last = int(self.heads[end - 1] + self.counts[end - 1]) if begin < end else 0
            part = Groups(self.series[begin:end], self.heads[begin:end] - first, self.counts[begin:end], last - first)
            yield slice(first, last), part

    def ranks(self) -> Sequence[tuple[int, int]]:
        """Return where each rank begins and ends in the packed order."""
        return list(pairwise(self._bounds))

    def ranks_with(self, rows: Bool) -> set[int]:
        """Return the ranks in which some row is marked."""
        marked = np.flatnonzero(rows)
        return set((marked - self.heads[self.slot[marked]]).tolist())

    def before(self, values: npt.NDArray[_Number], known: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """Return for each row the value of the row before it; of a series' first row what was ``known`` of it."""
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.heads] = known
        return shifted

    def running(self, counts: Bool, start: Int64) -> Int64:
        """Return how many rows of its series counted up to each one, on top of ``start``, shape (k,)."""
        total = np.cumsum(counts)
        numbers: Int64 = (start - np.append(0, total)[self.heads])[self.slot] + total
        return numbers


def grouped(series: Int64) -> Groups:
    """Return the groups of rows, given the series of each, ascending."""
    mask = np.empty(len(series), np.bool_)
    mask[:1] = True
    np.not_equal(series[1:], series[:-1], out=mask[1:])
    heads = np.flatnonzero(mask)
    counts = np.diff(np.append(heads, len(series)))
    return Groups(series[heads], heads, counts, len(series))
