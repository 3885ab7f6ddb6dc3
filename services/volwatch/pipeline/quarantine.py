"""The records of rejected trades, as they are set aside: each whole, as the raw zone has it.

The engine knows of a trade what it computes with. The rest is in the raw object that the trade came in: one of this
run, or, for a print that the bad-print filter held, one of an earlier run, which the ledger finds again.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import structlog
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.bars import REASONS
from volwatch.analytics.results import Rejected
from volwatch.analytics.trades import Bool, Int64, Trades
from volwatch.errors import BadObject
from volwatch.rawzone.decode import RawRows, bare_rows, decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.trade import Trade, encode
from volwatch.warehouse import writer
from volwatch.warehouse.writer import QuarantinedTrade

_log = structlog.get_logger()


def quarantined(
    cursor: Cursor, rawzone: Rawzone, partition: int, read: Sequence[RawRows], rejected: Rejected
) -> list[QuarantinedTrade]:
    """Return the rows of quarantine of rejected trades.

    Parameters
    ----------
    read : sequence of RawRows
        The objects that this run has read.

    Raises
    ------
    Transient
        The raw zone does not answer for the objects of earlier runs.
    """
    offset = rejected.trades.offset
    records = _records_in(read, offset)
    missing = np.array([offset for offset in offset.tolist() if offset not in records], np.int64)
    if len(missing):
        records |= _records_in(_read_again(cursor, rawzone, partition, missing), missing)
    set_aside = []
    for row, reason in enumerate(rejected.reason.tolist()):
        at = int(offset[row])
        record = records[at] if at in records else _without_its_object(rejected.trades, row, partition)
        text = encode(record).decode()
        set_aside.append(QuarantinedTrade(partition, at, record.source, record.symbol, REASONS[reason], text))
    return set_aside


def _records_in(read: Sequence[RawRows], offset: Int64) -> dict[int, Trade]:
    """Return those records that some objects have, by offset."""
    records: dict[int, Trade] = {}
    for raw in read:
        row, held = _rows_of(raw, offset)
        records |= {at: raw.record(row) for at, row in zip(offset[held].tolist(), row[held].tolist(), strict=True)}
    return records


def _rows_of(raw: RawRows, offset: Int64) -> tuple[npt.NDArray[np.intp], Bool]:
    """Return in which row each offset is or would be, and whether it is there."""
    row = np.searchsorted(raw.trades.offset, offset)
    row[row == len(raw.trades)] = 0
    return row, raw.trades.offset[row] == offset


def _read_again(cursor: Cursor, rawzone: Rawzone, partition: int, offset: Int64) -> list[RawRows]:
    """Return the objects of earlier runs that hold some offsets; those that are gone or damaged are left out."""
    names = {name for at in offset.tolist() for name in writer.objects_with(cursor, partition, at, at)}
    return list(_decoded(rawzone, [ObjectKey.parse(name) for name in sorted(names)]))


def _decoded(rawzone: Rawzone, keys: Sequence[ObjectKey]) -> Iterator[RawRows]:
    for key in keys:
        # A print may be held over a long silence; where raw objects expire, a read would fail for ever.
        if all(info.key != key for info in rawzone.list_objects(key.hour)):
            _log.warning("held_object_gone", object=str(key))
            continue
        try:
            yield decode_object(rawzone.read(key), key)
        except BadObject as error:
            _log.error("object_unreadable", object=str(key), reason=error.reason, detail=error.detail)


def _without_its_object(trades: Trades, row: int, partition: int) -> Trade:
    """Return a record as far as the engine remembers it: without its own id and the producer's counter."""
    _log.warning("held_record_incomplete", partition=partition, offset=int(trades.offset[row]))
    return bare_rows(partition, trades).record(row)
