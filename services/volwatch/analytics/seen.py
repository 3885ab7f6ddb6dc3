"""Which bars that may still change are other than they were when they were last evaluated."""

from dataclasses import fields

import numpy as np

from volwatch.analytics.bars import BarTable
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Bool, Int64


class Seen:
    """The bars that were evaluated last, until the state that they were evaluated with moves on."""

    def __init__(self) -> None:
        self._bars: tuple[BarTable, Bool] | None = None
        self._gaps: tuple[Int64, Int64] | None = None

    def forget(self) -> None:
        """Take every bar for changed: what they are judged by has changed."""
        self._bars = None

    def changed(self, table: BarTable, complete: Bool, state: EngineState) -> Bool:
        """Return which bars are of a series of which any bar has changed, and remember them all.

        Parameters
        ----------
        table : BarTable
            Ordered by (series, start), as ``complete``, shape (n,).
        """
        gaps = state.gap_series, state.gap_since
        if self._gaps is None or not all(map(np.array_equal, gaps, self._gaps)):
            self.forget()
        before, self._bars, self._gaps = self._bars, (table, complete), gaps
        if before is None or not len(before[0]):
            return np.ones(len(table), np.bool_)
        same = _same(table, complete, *before)
        changed = np.zeros(len(state.series), np.bool_)
        changed[table.series[~same]] = True
        return changed[table.series]


def _same(table: BarTable, complete: Bool, before: BarTable, complete_before: Bool) -> Bool:
    place = np.minimum(np.searchsorted(before.key, table.key), len(before) - 1)
    same: Bool = complete == complete_before[place]
    for column in fields(BarTable):
        # A price that is missing makes a bar changed, which costs time and nothing else.
        same &= getattr(table, column.name) == getattr(before, column.name)[place]
    return same
