"""Trades as columns: the engine's input. Row order is the order of arrival (Kafka offsets)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from volwatch.trade import Trade

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

Series = tuple[str, str]
"""A series is (source, symbol)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Trades:
    """A run of trades of one partition, column by column, each of shape (n,) unless said otherwise.

    Attributes
    ----------
    series : tuple of (source, symbol)
        The series that occur.
    code : int32
        Index into ``series``.
    event_time, received_at : int64
        Epoch milliseconds UTC.
    price, size : float64
        As sent, not yet judged.
    conditions : tuple of tuple of str
        The sets of condition codes that occur.
    condition_code : int32
        Index into ``conditions``.
    offset : int64
        Kafka offset, ascending.
    """

    series: tuple[Series, ...]
    code: Int32
    event_time: Int64
    received_at: Int64
    price: Float64
    size: Float64
    conditions: tuple[tuple[str, ...], ...]
    condition_code: Int32
    offset: Int64

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: npt.NDArray[np.intp] | slice) -> "Trades":
        """Return some rows, in their order."""
        if not isinstance(rows, slice) and _are_consecutive(rows, len(self)):
            rows = slice(int(rows[0]), int(rows[-1]) + 1)
        return Trades(
            series=self.series,
            code=self.code[rows],
            event_time=self.event_time[rows],
            received_at=self.received_at[rows],
            price=self.price[rows],
            size=self.size[rows],
            conditions=self.conditions,
            condition_code=self.condition_code[rows],
            offset=self.offset[rows],
        )

    def compact(self) -> "Trades":
        """Return the same trades with only the series and the sets of conditions that occur, by their first."""
        series, code = _occurring(self.series, self.code)
        conditions, condition_code = _occurring(self.conditions, self.condition_code)
        return replace(self, series=series, code=code, conditions=conditions, condition_code=condition_code)


def _are_consecutive(rows: npt.NDArray[np.intp], count: int) -> bool:
    """Return whether rows are one run of at least half of all: then a view is worth it, and keeps little else alive."""
    return 2 * len(rows) >= count > 0 and bool((rows == np.arange(rows[0], rows[0] + len(rows))).all())


def by_appearance(codes: Int32, count: int) -> npt.NDArray[np.intp]:
    """Return those of so many codes that occur, by their first row."""
    first_row = np.full(count, len(codes))
    first_row[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of a code's rows the last to be set stays
    occurring = np.flatnonzero(first_row < len(codes))
    return occurring[np.argsort(first_row[occurring])]


def _occurring(vocabulary: tuple[_T, ...], codes: Int32) -> tuple[tuple[_T, ...], Int32]:
    occurring = by_appearance(codes, len(vocabulary))
    place = np.zeros(len(vocabulary), np.int32)
    place[occurring] = np.arange(len(occurring))
    return tuple(vocabulary[code] for code in occurring), place[codes]


def no_trades() -> Trades:
    """Return a run without a trade."""
    return from_records([])


def concatenate(runs: Sequence[Trades]) -> Trades:
    """Return runs, in order of arrival, as one."""
    series = {key: 0 for run in runs for key in run.series}
    series = {key: index for index, key in enumerate(series)}
    conditions = {codes: 0 for run in runs for codes in run.conditions}
    conditions = {codes: index for index, codes in enumerate(conditions)}

    def joined(name: str, dtype: type) -> npt.NDArray[Any]:
        return np.concatenate([np.empty(0, dtype), *(getattr(run, name) for run in runs)])

    def recoded(vocabulary: str, codes: str, index: Mapping[Any, int]) -> Int32:
        parts = [
            np.array([index[key] for key in getattr(run, vocabulary)], np.int32)[getattr(run, codes)] for run in runs
        ]
        return np.concatenate([np.empty(0, np.int32), *parts])

    return Trades(
        series=tuple(series),
        code=recoded("series", "code", series),
        event_time=joined("event_time", np.int64),
        received_at=joined("received_at", np.int64),
        price=joined("price", np.float64),
        size=joined("size", np.float64),
        conditions=tuple(conditions),
        condition_code=recoded("conditions", "condition_code", conditions),
        offset=joined("offset", np.int64),
    )


def from_records(records: Sequence[Trade], first_offset: int = 0) -> Trades:
    """Return records as columns, with offsets counted from ``first_offset``."""
    series = {(record.source, record.symbol): 0 for record in records}
    series = {key: index for index, key in enumerate(series)}
    conditions = {record.conditions: 0 for record in records}
    conditions = {key: index for index, key in enumerate(conditions)}
    return Trades(
        series=tuple(series),
        code=np.array([series[record.source, record.symbol] for record in records], np.int32),
        event_time=np.array([record.event_time for record in records], np.int64),
        received_at=np.array([record.received_at for record in records], np.int64),
        price=np.array([record.price for record in records], np.float64),
        size=np.array([record.size for record in records], np.float64),
        conditions=tuple(conditions),
        condition_code=np.array([conditions[record.conditions] for record in records], np.int32),
        offset=np.arange(first_offset, first_offset + len(records), dtype=np.int64),
    )
