from datetime import UTC, datetime

import pytest

from tests.fakes import TIMESTAMP_MS, HeldExecutor, InlineExecutor, MemoryStore, some_trade
from volwatch.backoff import Backoff
from volwatch.consumer.batch import Batch, Rows
from volwatch.consumer.storing import Stored, Storing
from volwatch.errors import Transient
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.sifting import Reject
from volwatch.trade import encode

HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)


def rows(first_offset: int, *values: bytes) -> Rows:
    batch = Batch(0)
    batch.extend(range(first_offset, first_offset + len(values)), values, TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    return taken


def storing_to(store: MemoryStore, waits: list[float] | None = None) -> Storing:
    pause = ([] if waits is None else waits).append
    return Storing(store, InlineExecutor(), Backoff(3, lambda: 1.0), pause)


def test_rows_become_an_object_that_holds_the_trades_and_tells_of_the_others() -> None:
    store = MemoryStore()
    storing = storing_to(store)
    storing.submit(rows(7, encode(some_trade(0)), b"{", encode(some_trade(2))), "age")
    key = ObjectKey(HOUR, 0, 7, 9)
    reject = Reject(0, 8, b"{", "MALFORMED", "Input data was truncated")
    newest = some_trade(2).event_time
    assert list(storing.finished()) == [Stored(key, "age", 2, [reject], len(store.objects[key]), newest)]
    stored = decode_object(store.objects[key], key)
    assert list(zip(stored.trades.offset.tolist(), stored.records(), strict=True)) == [
        (7, some_trade(0)),
        (9, some_trade(2)),
    ]


def test_records_of_which_none_is_a_trade_make_no_object() -> None:
    store = MemoryStore()
    storing = storing_to(store)
    storing.submit(rows(7, b"{"), "age")
    assert [(stored.rows, len(stored.rejects)) for stored in storing.finished()] == [(0, 1)]
    assert store.puts == 0


def test_a_put_that_fails_is_tried_again_after_a_wait() -> None:
    store, waits = MemoryStore(), list[float]()
    store.failures = 2
    storing = storing_to(store, waits)
    storing.submit(rows(7, encode(some_trade(0))), "size")
    assert [stored.rows for stored in storing.finished()] == [1]
    assert waits == [0.5, 1.0]


def test_a_put_that_fails_for_good_raises_where_its_result_is_asked_for() -> None:
    store = MemoryStore()
    store.failures = 3
    storing = storing_to(store)
    storing.submit(rows(7, encode(some_trade(0))), "size")
    with pytest.raises(Transient, match="the store is away"):
        list(storing.finished())
    assert (store.puts, store.objects) == (3, {})


def test_results_come_in_the_order_of_submission_and_only_when_done() -> None:
    held = HeldExecutor()
    storing = Storing(MemoryStore(), held, Backoff(1, lambda: 1.0))
    submitted = [rows(offset, encode(some_trade(offset))) for offset in (0, 1)]
    for one in submitted:
        storing.submit(one, "size")
    storing.wait(0.0)
    size_bytes = sum(one.size_bytes for one in submitted)
    assert (list(storing.finished()), storing.idle, storing.size_bytes) == ([], False, size_bytes)
    held.work()
    assert [stored.key.first_offset for stored in storing.finished()] == [0, 1]
    assert (storing.idle, storing.size_bytes) == (True, 0)
