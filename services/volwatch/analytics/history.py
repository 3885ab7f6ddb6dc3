"""The last terms of each series, and the line that they make with what is new: windows are cut from it."""

from dataclasses import dataclass

import numpy as np

from volwatch.analytics.groups import Groups, Index
from volwatch.analytics.trades import Bool, Float64


@dataclass(slots=True)
class History:
    """Columns ``names`` of shape (columns, series, width), newest term last; NaN where there is none yet."""

    names: tuple[str, ...]
    values: Float64

    @property
    def width(self) -> int:
        """Terms kept of each series."""
        return int(self.values.shape[2])

    def grow(self, series: int) -> None:
        """Make room for more series."""
        columns, held, width = self.values.shape
        more = np.full((columns, series - held, width), np.nan)
        self.values = np.concatenate([self.values, more], axis=1)


def new_history(names: tuple[str, ...], width: int) -> History:
    """Return a history without series."""
    return History(names, np.empty((len(names), 0, width)))


@dataclass(frozen=True, slots=True)
class Line:
    """History and new terms of the series that occur, one series behind the other.

    Attributes
    ----------
    names : the columns.
    values : float64, shape (columns, length)
        Each series' history followed by its new terms.
    newest : intp, shape (rows,)
        For each row, the place of the newest term that is not after it.
    heads : intp, shape (series,)
        Where each series begins.
    """

    names: tuple[str, ...]
    values: Float64
    newest: Index
    heads: Index
    _ends: Index

    def column(self, name: str) -> Float64:
        """Return one column, shape (length,)."""
        column: Float64 = self.values[self.names.index(name)]
        return column

    def windows(self, name: str, width: int, rows: slice | Index = slice(None)) -> Float64:
        """Return the ``width`` terms up to each row's newest, shape (rows, width)."""
        ends = self.newest[rows]
        windows: Float64 = self.column(name)[ends[:, None] + np.arange(1 - width, 1)]
        return windows

    def keep(self, history: History, groups: Groups) -> None:
        """Put the last terms of each series into the history."""
        held = self._ends[:, None] + np.arange(-history.width, 0)
        history.values[:, groups.series] = self.values[:, held]


def line(history: History, groups: Groups, rows: dict[str, Float64], counts: Bool | None = None) -> Line:
    """Return the line that the history makes with the rows.

    Parameters
    ----------
    rows : dict of float64, shape (n,)
        The new terms, under the names of the history's columns.
    counts : bool, shape (n,), optional
        Rows that become terms; the others only look back. All, when it is left out.
    """
    width, k = history.width, len(groups.series)
    if counts is None or counts.all():
        added, running, counts = groups.counts, np.arange(1, groups.rows + 1), None
        before = groups.heads
    else:
        running = np.cumsum(counts)
        total = np.append(0, running)
        before = total[groups.heads]
        added = total[groups.last + 1] - before
    ends = np.cumsum(width + added)
    heads = ends - added - width
    newest = (heads + width - 1 - before)[groups.slot] + running
    held = history.values[:, groups.series]
    if counts is None and groups.even:
        by_series = np.empty((len(history.names), k, width + groups.rows // k))
        by_series[:, :, :width] = held
        for place, name in enumerate(history.names):
            by_series[place, :, width:] = rows[name].reshape(k, -1)
        values = by_series.reshape(len(history.names), -1)
    else:
        values = np.empty((len(history.names), int(ends[-1]) if k else 0))
        values[:, heads[:, None] + np.arange(width)] = held
        taken = slice(None) if counts is None else counts
        for place, name in enumerate(history.names):
            values[place, newest[taken]] = rows[name][taken]
    return Line(history.names, values, newest, heads, ends)


def blocks(rows: int, size: int = 8192) -> list[slice]:
    """Return slices that cover the rows: windows of a block at a time keep memory bounded."""
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
