"""The raw objects of one partition from an offset on, as trades in order, each once; and what of them is missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Int64, Series, Trades, concatenate
from volwatch.errors import BadObject
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey, last_key_before
from volwatch.rawzone.store import ObjectInfo

OVERLAP = timedelta(hours=1)
"""How much earlier than a state of the engine an object may begin that goes beyond it."""
ROWS_AT_ONCE = 5_000


class Objects(Protocol):
    """What is asked of a raw zone."""

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects behind a key, in order."""

    def read(self, key: ObjectKey) -> bytes:
        """Return an object's bytes."""


@dataclass(frozen=True, slots=True)
class Prints:
    """The records of one bar that one object holds, taken or not."""

    object_key: str
    offset: Int64
    event_time: Int64
    price: tuple[float, ...]
    size: tuple[float, ...]


class Tape:
    """Trades of a partition, batch by batch.

    Parameters
    ----------
    since : datetime or None
        Hour of arrival in which the reading begins; None: at the beginning of the raw zone.
    first : int or None
        The first offset that is wanted; None: the first that there is.
    bar : tuple
        Series and start (epoch ms) of the bar whose prints are noted.
    told : callable
        Hears of each offset that was reached.

    Attributes
    ----------
    reached : the offset behind all that was read; None before anything was.
    begun : the first offset that was read.
    objects, rows : how many were read.
    lacking : ranges of offsets, both inclusive, that no object has, or only one that cannot be read, and why.
    """

    def __init__(
        self,
        rawzone: Objects,
        partition: int,
        since: datetime | None,
        first: int | None,
        bar: tuple[Series, int],
        told: Callable[[int], object],
    ) -> None:
        self._rawzone, self._partition = rawzone, partition
        self._after = None if since is None else last_key_before(since - OVERLAP)
        self._bar, self._told = bar, told
        self._parts = self._read()
        self._kept: Trades | None = None
        self.reached = first
        self.begun = first
        self.objects = self.rows = 0
        self.lacking: list[tuple[int, int, str]] = []
        self.prints: list[Prints] = []

    def next(self) -> Trades | None:
        """Return the next trades; None at the end."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            return kept
        held: list[Trades] = []
        for part in self._parts:
            held.append(part)
            if sum(map(len, held)) >= ROWS_AT_ONCE:
                break
        return concatenate(held) if held else None

    def put_back(self, trades: Trades) -> None:
        """Give these first when asked again."""
        self._kept = trades if len(trades) else None

    def lacks(self, first: int, last: int) -> list[tuple[int, int, str]]:
        """Return what is missing of a range of offsets."""
        return [gap for gap in self.lacking if gap[0] <= last and gap[1] >= first]

    def _read(self) -> Iterator[Trades]:
        for info in self._rawzone.list_all(self._after):
            key = info.key
            if key.partition != self._partition or (self.reached is not None and key.last_offset < self.reached):
                continue
            if self.reached is None:
                self.reached = self.begun = key.first_offset
            if key.first_offset > self.reached:
                self.lacking.append((self.reached, key.first_offset - 1, "no object has them"))
            before, self.reached = self.reached, key.last_offset + 1
            yield from self._of(key, before)
            self._told(self.reached)

    def _of(self, key: ObjectKey, reached: int) -> Iterator[Trades]:
        try:
            trades = decode_object(self._rawzone.read(key), key).trades
        except BadObject as error:
            self.lacking.append((max(reached, key.first_offset), key.last_offset, f"{key} cannot be read: {error}"))
            return
        fresh = trades.take(np.flatnonzero(trades.offset >= reached))
        self.objects += 1
        self.rows += len(fresh)
        self._note(key, fresh)
        yield fresh

    def _note(self, key: ObjectKey, trades: Trades) -> None:
        series, start = self._bar
        if series not in trades.series:
            return
        of_bar = (trades.code == trades.series.index(series)) & (trades.event_time // MINUTE_MS * MINUTE_MS == start)
        found = trades.take(np.flatnonzero(of_bar))
        if len(found):
            prices, sizes = tuple(found.price.tolist()), tuple(found.size.tolist())
            self.prints.append(Prints(str(key), found.offset, found.event_time, prices, sizes))
