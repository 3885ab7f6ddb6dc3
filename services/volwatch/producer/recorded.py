"""Trades of the raw zone given again: what a replay of recorded hours reads."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count

import msgspec
import structlog

from volwatch.errors import BadObject
from volwatch.producer.replay import REPLAY_PREFIX
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.trade import Trade

_log = structlog.get_logger()


def rawzone_trades(rawzone: Rawzone, first: datetime, last: datetime, source: str) -> Iterator[Trade]:
    """Yield the trades that came in during the hours ``first`` to ``last`` (both included), renamed and renumbered.

    Within a partition the order is that of the offsets; partitions are merged by received_at. What an earlier replay
    left in the raw zone is passed over.
    """
    keys: dict[int, list[ObjectKey]] = {}
    hour = first
    while hour <= last:
        for found in rawzone.list_objects(hour):
            keys.setdefault(found.key.partition, []).append(found.key)
        hour += timedelta(hours=1)
    partitions = [_partition_trades(rawzone, keys[partition]) for partition in sorted(keys)]
    numbers = count()
    for trade in heapq.merge(*partitions, key=_received_at):
        if not trade.source.startswith(REPLAY_PREFIX):
            yield msgspec.structs.replace(trade, source=source, seq=next(numbers))


def _partition_trades(rawzone: Rawzone, keys: Iterable[ObjectKey]) -> Iterator[Trade]:
    """Yield a partition's trades once each: after a crash objects may overlap."""
    next_offset = 0
    for key in sorted(keys, key=_offsets):
        try:
            rows = decode_object(rawzone.read(key), key)
        except BadObject as error:
            _log.warning("object_skipped", object=str(key), reason=error.reason, detail=error.detail)
            continue
        for offset, trade in zip(rows.trades.offset.tolist(), rows.records(), strict=True):
            if offset >= next_offset:
                yield trade
        next_offset = max(next_offset, key.last_offset + 1)


def _offsets(key: ObjectKey) -> tuple[int, int]:
    return key.first_offset, key.last_offset


def _received_at(trade: Trade) -> int:
    return trade.received_at
