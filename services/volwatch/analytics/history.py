"""The last terms of each series, and windows over them and what is new: one gather, vectorised over series and bars."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64


@dataclass(slots=True)
class History:
    """Columns of shape (series, width), newest term last; NaN where there is none yet."""

    columns: dict[str, Float64]

    @property
    def width(self) -> int:
        """Terms kept of each series."""
        return int(next(iter(self.columns.values())).shape[1])

    def grow(self, series: int) -> None:
        """Make room for more series."""
        for name, column in self.columns.items():
            more = np.full((series - len(column), column.shape[1]), np.nan)
            self.columns[name] = np.concatenate([column, more])


def new_history(names: tuple[str, ...], width: int) -> History:
    """Return a history without series."""
    return History({name: np.empty((0, width)) for name in names})


@dataclass(frozen=True, slots=True)
class Rolled:
    """History and new terms in one line, from which windows are cut.

    Attributes
    ----------
    flat : the columns, each series' history followed by its new terms.
    newest : for each row, the place of the newest term that is not after it.
    """

    flat: dict[str, Float64]
    newest: Int64

    def window(self, name: str, width: int, rows: slice = slice(None), back: int = 0) -> Float64:
        """Return windows of ``width`` terms that end ``back`` terms before each row's newest, shape (rows, width)."""
        ends = self.newest[rows] - back
        windows: Float64 = self.flat[name][ends[:, None] + np.arange(1 - width, 1)]
        return windows


def roll(history: History, series: Int64, rows: dict[str, Float64], counts: Bool) -> Rolled:
    """Append the rows that count to the history (in place), and return what windows are cut from.

    Parameters
    ----------
    series : int64, shape (n,)
        Series of each row; rows are ordered by (series, time).
    rows : dict of float64, shape (n,)
        The new terms, under the names of the history's columns.
    counts : bool, shape (n,)
        Rows that become terms; the others only look back.
    """
    unique, slot = np.unique(series, return_inverse=True)
    width = history.width
    added = np.bincount(slot, weights=counts, minlength=len(unique)).astype(np.int64)
    base = np.cumsum(width + added) - (width + added)
    running = np.cumsum(counts)
    before = (np.cumsum(added) - added)[slot]
    newest = base[slot] + width - 1 + running - before
    kept = base[:, None] + np.arange(width)
    flat: dict[str, Float64] = {}
    for name, column in history.columns.items():
        line = np.empty(int(width * len(unique) + added.sum()))
        line[kept] = column[unique]
        line[newest[counts]] = rows[name][counts]
        column[unique] = line[kept + added[:, None]]
        flat[name] = line
    return Rolled(flat, newest)


def blocks(rows: int, size: int = 8192) -> list[slice]:
    """Return slices that cover the rows: windows of a block at a time keep memory bounded."""
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def ranks(series: Int64) -> list[npt.NDArray[np.intp]]:
    """Return, for rows ordered by series, the rows that are first of their series, then second, and so on."""
    heads = np.flatnonzero(np.diff(series, prepend=-1))
    rank = np.arange(len(series)) - np.repeat(heads, np.diff(np.append(heads, len(series))))
    order = np.argsort(rank, kind="stable")
    return np.split(order, np.cumsum(np.bincount(rank))[:-1]) if len(series) else []
