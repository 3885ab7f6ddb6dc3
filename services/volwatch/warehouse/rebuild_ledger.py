"""The ledger and the quarantine as a rebuild finds them: an object that can be read after all is entered with its rows,
and of a trade that is taken after all the row stays, marked. What is as it was is not touched."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.trades import Bool, Int64
from volwatch.warehouse import writer
from volwatch.warehouse.writer import LoadedObject, QuarantinedTrade


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the raw zone as a rebuild found it: the offsets of its rows, or why it could not be read."""

    object_key: str
    partition: int
    first_offset: int
    last_offset: int
    offset: Int64
    fault: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as it stands in the ledger."""

    first_offset: int
    last_offset: int
    rows_loaded: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """The trades of a partition that a rebuild has judged: those of ``rejected`` were not taken, the rest was.

    ``offset`` holds them all, ascending.
    """

    partition: int
    offset: Int64
    rejected: Mapping[int, QuarantinedTrade]


def entries(cursor: Cursor, partition: int, first: int, end: int) -> dict[str, Entry]:
    """Return the objects in the ledger that hold any of the offsets in [first, end)."""
    cursor.execute(
        """SELECT object_key, first_offset, last_offset, rows_loaded, fault FROM raw_objects
           WHERE kafka_partition = %s AND first_offset < %s AND last_offset >= %s""",
        (partition, end, first),
    )
    return {key: Entry(*entry) for key, *entry in cursor.fetchall()}


def unreadable_before(cursor: Cursor, partition: int, offset: int, most: int) -> list[str]:
    """Return the newest objects before an offset that could not be read when they were loaded."""
    cursor.execute(
        """SELECT object_key FROM raw_objects WHERE kafka_partition = %s AND first_offset < %s AND fault IS NOT NULL
           ORDER BY first_offset DESC LIMIT %s""",
        (partition, offset, most),
    )
    return [key for (key,) in cursor.fetchall()]


def lost(held: Mapping[str, Entry], found: Sequence[Found]) -> list[str]:
    """Return the objects whose rows were loaded once and that are gone or cannot be read now, in order."""
    readable = {each.object_key: each for each in found if each.fault is None}
    ranges = [(each.first_offset, each.last_offset) for each in readable.values()]
    return sorted(
        key
        for key, entry in held.items()
        if entry.fault is None
        and entry.rows_loaded
        and key not in readable
        and not _covered(entry.first_offset, entry.last_offset, ranges)
    )


def _covered(first: int, last: int, ranges: Iterable[tuple[int, int]]) -> bool:
    for begin, end in sorted(ranges):
        if begin <= first <= end:
            first = end + 1
    return first > last


def mend_ledger(cursor: Cursor, held: Mapping[str, Entry], found: Sequence[Found], position: int) -> int:
    """Enter the objects that were never loaded, or could not be read then; return how many.

    Parameters
    ----------
    held : mapping of str to Entry
        What the ledger says of the same offsets.
    position : int
        Up to which offset the partition is loaded: what lies behind it is left to the loader.
    """
    known = dict(held)
    mended = 0
    for each in found:
        entry = known.get(each.object_key)
        if each.fault is not None or each.last_offset >= position or (entry is not None and entry.fault is None):
            continue
        fresh = int(np.count_nonzero(~_loaded(each.offset, known.values())))
        if entry is not None:
            cursor.execute("SELECT mend_object(%s, %s, %s)", (len(each.offset), fresh, each.object_key))
        elif fresh:
            row = (each.object_key, each.partition, each.first_offset, each.last_offset, len(each.offset), fresh)
            writer.write_objects(cursor, [LoadedObject(*row, rows_rejected=0, fault=None)])
        else:
            continue
        known[each.object_key] = Entry(each.first_offset, each.last_offset, fresh, None)
        mended += 1
    return mended


def _loaded(offset: Int64, held: Iterable[Entry]) -> Bool:
    """Return which offsets some object in the ledger answers for."""
    loaded: npt.NDArray[np.bool_] = np.zeros(len(offset), np.bool_)
    for entry in held:
        if entry.fault is None and entry.rows_loaded:
            loaded |= (offset >= entry.first_offset) & (offset <= entry.last_offset)
    return loaded


def mend_quarantine(cursor: Cursor, decided: Decided, now: datetime) -> tuple[int, int]:
    """Set aside what is rejected and was not, and lift what is taken and was rejected; return how many of each.

    The counts of the ledger follow, so that its rejected rows are those of the quarantine that are not lifted.
    """
    stored = _stored(cursor, decided)
    fresh = [trade for offset, trade in decided.rejected.items() if offset not in stored]
    writer.write_quarantine(cursor, fresh)
    again, lifted = [], []
    for offset, (reason, is_lifted) in stored.items():
        trade = decided.rejected.get(offset)
        if trade is None and not is_lifted:
            lifted.append(offset)
        elif trade is not None and (is_lifted or reason != trade.reason):
            _set(cursor, decided.partition, offset, trade.reason, None)
            if is_lifted:
                again.append(offset)
    for offset in lifted:
        _set(cursor, decided.partition, offset, stored[offset][0], now)
    for offset in [*(trade.offset for trade in fresh), *again]:
        _count(cursor, decided.partition, offset, 1)
    for offset in lifted:
        _count(cursor, decided.partition, offset, -1)
    return len(fresh) + len(again), len(lifted)


def _stored(cursor: Cursor, decided: Decided) -> dict[int, tuple[str, bool]]:
    """Return of the trades in question that stand in quarantine the reason, and whether it was lifted."""
    if not len(decided.offset):
        return {}
    cursor.execute(
        """SELECT kafka_offset, reason, lifted_at IS NOT NULL FROM quarantine
           WHERE kafka_partition = %s AND kafka_offset BETWEEN %s AND %s ORDER BY kafka_offset""",
        (decided.partition, int(decided.offset[0]), int(decided.offset[-1])),
    )
    rows = {offset: (reason, is_lifted) for offset, reason, is_lifted in cursor.fetchall()}
    judged = np.isin(np.array(list(rows), np.int64), decided.offset)
    return {offset: row for (offset, row), known in zip(rows.items(), judged.tolist(), strict=True) if known}


def _set(cursor: Cursor, partition: int, offset: int, reason: str, lifted_at: datetime | None) -> None:
    cursor.execute(
        "UPDATE quarantine SET reason = %s, lifted_at = %s WHERE kafka_partition = %s AND kafka_offset = %s",
        (reason, lifted_at, partition, offset),
    )


def _count(cursor: Cursor, partition: int, offset: int, difference: int) -> None:
    """Correct the count of rejected rows of one object that holds an offset.

    Where several do, and of prints that were held, another one may have counted it: the sum is right all the same.
    """
    cursor.execute("SELECT recount_rejected(%s, %s, %s)", (partition, offset, difference))
