"""Trades of the raw zone given again: what a replay of recorded hours reads.

Of each partition one object at a time is held, whatever the range.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

import msgspec
import numpy as np
import structlog

from volwatch.errors import BadObject
from volwatch.producer.replay import REPLAY_PREFIX
from volwatch.rawzone.decode import RawRows, decode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import Rawzone
from volwatch.trade import Trade

_log = structlog.get_logger()

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which trades are wanted: those that the producer had in [first, end), epoch ms.

    Attributes
    ----------
    symbols, source : only of these, where they are given.
    """

    first_ms: int
    end_ms: int
    symbols: frozenset[str] | None = None
    source: str | None = None

    @property
    def hours(self) -> tuple[datetime, datetime]:
        """The first and the last hour whose objects may hold them.

        An object has the hour in which the broker had its first record: it may have begun in the hour before, and what
        the producer had at the end of an hour the broker may have had in the next.
        """
        return hour_of(self.first_ms) - _HOUR, hour_of(self.end_ms) + _HOUR

    def of(self, rows: RawRows) -> RawRows:
        """Return those among some rows."""
        trades = rows.trades
        of_series = [
            (self.symbols is None or symbol in self.symbols) and self.source in (None, source)
            for source, symbol in trades.series
        ]
        inside = (trades.received_at >= self.first_ms) & (trades.received_at < self.end_ms)
        held = np.flatnonzero(inside & np.array(of_series, np.bool_)[trades.code])
        return replace(rows, trades=trades.take(held), seq=rows.seq[held], trade_id=rows.trade_id.take(held))


def rawzone_trades(
    rawzone: Rawzone, first: datetime, last: datetime, source: str, wanted: Wanted | None = None
) -> Iterator[Trade]:
    """Yield the trades that came in during the hours ``first`` to ``last`` (both included), renamed and renumbered.

    Within a partition the order is that of the offsets; partitions are merged by received_at. What an earlier replay
    left in the raw zone is passed over.
    """
    keys: dict[int, list[ObjectKey]] = {}
    hour = first
    while hour <= last:
        for found in rawzone.list_objects(hour):
            keys.setdefault(found.key.partition, []).append(found.key)
        hour += _HOUR
    partitions = [_partition_trades(rawzone, keys[partition], wanted) for partition in sorted(keys)]
    numbers = count()
    for trade in heapq.merge(*partitions, key=_received_at):
        if not trade.source.startswith(REPLAY_PREFIX):
            yield msgspec.structs.replace(trade, source=source, seq=next(numbers))


def _partition_trades(rawzone: Rawzone, keys: Iterable[ObjectKey], wanted: Wanted | None) -> Iterator[Trade]:
    """Yield a partition's trades once each: after a crash objects may overlap."""
    next_offset = 0
    for key in sorted(keys, key=_offsets):
        try:
            rows = decode_object(rawzone.read(key), key)
        except BadObject as error:
            _log.warning("object_skipped", object=str(key), reason=error.reason, detail=error.detail)
            continue
        chosen = rows if wanted is None else wanted.of(rows)
        for offset, trade in zip(chosen.trades.offset.tolist(), chosen.records(), strict=True):
            if offset >= next_offset:
                yield trade
        next_offset = max(next_offset, key.last_offset + 1)


def _offsets(key: ObjectKey) -> tuple[int, int]:
    return key.first_offset, key.last_offset


def _received_at(trade: Trade) -> int:
    return trade.received_at
