"""Objects as the rows that are not loaded yet: each once, in order; and as entries of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import numpy as np
import pytest

from tests.fakes import some_trade
from volwatch.analytics.trades import Int64
from volwatch.errors import Transient
from volwatch.pipeline.ahead import AHEAD
from volwatch.pipeline.loads import FETCHERS, Load, ledger, read
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import Rawzone
from volwatch.warehouse.writer import LoadedObject

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)


def key(first: int, last: int, partition: int = 0) -> ObjectKey:
    return ObjectKey(HOUR, partition, first, last)


@dataclass
class Store:
    """Objects whose rows are all that their keys answer for; some are damaged, some are away."""

    damaged: Sequence[ObjectKey] = ()
    away: Sequence[ObjectKey] = ()
    asked: list[ObjectKey] = field(default_factory=list)

    def read(self, key: ObjectKey) -> bytes:
        self.asked.append(key)
        if key in self.away:
            raise Transient(f"{key}: away")
        if key in self.damaged:
            return b"no gzip"
        return encode_object(
            key.partition, [(offset, some_trade(offset)) for offset in range(key.first_offset, key.last_offset + 1)]
        )


def loads(store: Store, keys: list[ObjectKey], start: int | None = None) -> list[Load]:
    return read(cast("Rawzone", store), keys, keys[0].first_offset if start is None else start)


def offsets(load: Load) -> list[int]:
    return [int(offset) for offset in load.trades.offset]


def test_objects_come_in_their_order() -> None:
    keys = [key(at, at + 4, 3) for at in range(0, 40, 5)]
    found = loads(Store(), keys)
    assert [load.key for load in found] == keys
    assert [offset for load in found for offset in offsets(load)] == list(range(40))


def test_rows_before_the_start_and_rows_of_objects_before_are_left_out() -> None:
    found = loads(Store(), [key(0, 9), key(2, 5), key(8, 14)], start=3)
    assert [(load.rows_read, offsets(load)) for load in found] == [
        (10, list(range(3, 10))),
        (4, []),
        (7, list(range(10, 15))),
    ]


def test_what_overlaps_a_damaged_object_gives_its_rows() -> None:
    damaged = key(0, 9)
    found = loads(Store(damaged=[damaged]), [damaged, key(5, 14)])
    assert [(load.fault, offsets(load)) for load in found] == [("BAD_GZIP", []), (None, list(range(5, 15)))]


def test_a_store_that_is_away_ends_it() -> None:
    keys = [key(at, at) for at in range(20)]
    store = Store(away=[keys[3]])
    with pytest.raises(Transient, match="away"):
        loads(store, keys)
    assert len(store.asked) <= 3 + 1 + AHEAD * FETCHERS


def rejected(*offsets: int) -> Int64:
    return np.array(offsets, np.int64)


def test_the_ledger_counts_rejected_trades_with_the_objects_that_they_came_in() -> None:
    damaged = key(10, 19)
    found = loads(Store(damaged=[damaged]), [key(0, 9), damaged, key(15, 24)])
    assert ledger(found, rejected(3, 4, 20)) == [
        LoadedObject(str(key(0, 9)), 0, 0, 9, 10, 10, 2, None),
        LoadedObject(str(damaged), 0, 10, 19, 0, 0, 0, "BAD_GZIP"),
        LoadedObject(str(key(15, 24)), 0, 15, 24, 10, 10, 1, None),
    ]


def test_a_trade_that_was_held_since_an_earlier_run_counts_with_the_first_object_that_has_rows() -> None:
    damaged = key(10, 19)
    found = loads(Store(damaged=[damaged]), [damaged, key(20, 24), key(25, 29)])
    assert [entry.rows_rejected for entry in ledger(found, rejected(7, 26))] == [0, 1, 1]


def test_without_a_row_nothing_was_rejected() -> None:
    damaged = key(10, 19)
    assert [entry.rows_rejected for entry in ledger(loads(Store(damaged=[damaged]), [damaged]), rejected())] == [0]
