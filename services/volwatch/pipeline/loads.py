"""Objects of the raw zone as the rows that a run takes of them, and as the ledger has them."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from volwatch.analytics.trades import Int64, Trades, no_trades
from volwatch.errors import BadObject
from volwatch.pipeline.ahead import in_order
from volwatch.rawzone.decode import RawRows, decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.warehouse.writer import LoadedObject

FETCHERS = 2
"""Objects of a partition that are on their way at a time: a far store takes longer to answer than we to decode."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Load:
    """An object and those of its rows that are not loaded yet; ``fault`` is why it could not be read."""

    key: ObjectKey
    rows_read: int
    raw: RawRows | None
    trades: Trades
    fault: str | None = None


def read(rawzone: Rawzone, objects: Sequence[ObjectKey], start: int) -> list[Load]:
    """Read objects of a partition, in order; rows before ``start``, and rows that an object before had, are left out.

    Raises
    ------
    Transient
        The store does not give an object.
    """
    loads: list[Load] = []
    reached = start
    with closing(in_order(FETCHERS, rawzone.read, objects)) as fetched:
        for key, data in zip(objects, fetched, strict=True):
            try:
                raw = decode_object(data, key)
            except BadObject as error:
                _log.error("object_unreadable", object=str(key), reason=error.reason, detail=error.detail)
                loads.append(Load(key, 0, None, no_trades(), fault=error.reason))
                continue
            skipped = int(np.searchsorted(raw.trades.offset, reached))
            loads.append(Load(key, len(raw.trades), raw, raw.trades.take(slice(skipped, None))))
            reached = max(reached, key.last_offset + 1)
    return loads


def ledger(loads: Sequence[Load], rejected: Int64) -> list[LoadedObject]:
    """Return the entries of objects, with how many of the rejected trades of some offsets each answers for."""
    counts = np.bincount(_owners(loads, rejected), minlength=len(loads))
    return [
        LoadedObject(
            str(load.key),
            load.key.partition,
            load.key.first_offset,
            load.key.last_offset,
            load.rows_read,
            len(load.trades),
            int(count),
            load.fault,
        )
        for load, count in zip(loads, counts, strict=True)
    ]


def _owners(loads: Sequence[Load], offset: Int64) -> npt.NDArray[np.intp]:
    """Return the load that counts each rejected trade: the one that it came with, if that is one of these.

    A print that was held since an earlier run is counted with the first load that has rows, for the ledger is never
    rewritten: so the rejected rows of all objects together are the rows of quarantine.
    """
    ends = np.cumsum([len(load.trades) for load in loads])
    loaded = np.concatenate([load.trades.offset for load in loads])
    if not len(loaded):
        return np.empty(0, np.intp)
    row = np.searchsorted(loaded, offset)
    row[row == len(loaded)] = 0
    return np.searchsorted(ends, np.where(loaded[row] == offset, row, 0), side="right")
