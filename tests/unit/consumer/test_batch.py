from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import TIMESTAMP_MS, some_trade
from volwatch.consumer.batch import Batch, Limits, Rows
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.encode import encode_object, pack
from volwatch.rawzone.keys import ObjectKey
from volwatch.sifting import Reject
from volwatch.trade import encode

LIMITS = Limits(rows=10, size_bytes=5_000, age_seconds=15.0)
VALUE = encode(some_trade(0))


HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)


def held(rows: int, value: bytes | None = VALUE, at: float = 0.0) -> Batch:
    batch = Batch(3)
    batch.extend(list(range(120, 120 + rows)), [value] * rows, TIMESTAMP_MS, at)
    return batch


@pytest.mark.parametrize(
    ("batch", "now", "due"),
    [
        (held(9), 14.9, None),
        (held(10), 0.0, "size"),
        (held(9, b"x" * 500), 0.0, "size"),
        (held(1), 15.0, "age"),
        (held(1, at=100.0), 114.0, None),
        (Batch(3), 1e9, None),
    ],
)
def test_records_are_due_by_rows_bytes_or_the_age_of_the_oldest(batch: Batch, now: float, due: str | None) -> None:
    assert batch.due(LIMITS, now) == due


def test_the_age_counts_from_the_first_record_not_the_last() -> None:
    batch = held(1, at=0.0)
    batch.extend([121], [VALUE], TIMESTAMP_MS, 14.0)
    assert batch.due(LIMITS, 15.0) == "age"


def test_the_age_counts_anew_after_taking() -> None:
    batch = held(1, at=0.0)
    batch.take()
    batch.extend([121], [VALUE], TIMESTAMP_MS, 14.0)
    assert batch.due(LIMITS, 15.0) is None


def test_nothing_held_makes_no_object() -> None:
    assert Batch(3).take() is None


def test_an_object_lies_in_the_hour_of_its_first_record() -> None:
    batch = held(2)
    batch.extend([130], [VALUE], TIMESTAMP_MS + 3_600_000, 1.0)
    taken = batch.take()
    assert taken is not None
    assert taken.key == ObjectKey(HOUR, 3, 120, 130)


def test_trades_become_the_rows_of_an_object() -> None:
    batch = Batch(3)
    batch.extend([120, 121], [VALUE, encode(some_trade(1))], TIMESTAMP_MS, 0.0)
    batch.extend([123], [encode(some_trade(2))], TIMESTAMP_MS, 1.0)
    taken = batch.take()
    assert taken is not None
    newest = some_trade(2).event_time
    assert taken == Rows(ObjectKey(HOUR, 3, 120, 123), taken.parts, 3, [], newest, taken.size_bytes)
    assert pack(taken.parts) == encode_object(3, [(120, some_trade(0)), (121, some_trade(1)), (123, some_trade(2))])


@given(st.lists(st.sampled_from([VALUE, b"x" * 100]), min_size=1, max_size=50))
def test_what_is_held_is_never_taken_for_less_than_its_bytes(values: list[bytes]) -> None:
    batch = Batch(3)
    batch.extend(range(len(values)), values, TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    held_bytes = sum(map(len, taken.parts)) + sum(len(reject.value or b"") for reject in taken.rejects)
    assert held_bytes < taken.size_bytes < 20_000 + 2 * held_bytes


def test_records_that_are_no_trades_are_rejected_and_still_answered_for() -> None:
    batch = Batch(3)
    batch.extend([5, 6, 8, 9], [None, VALUE, b"{}", b"not json"], TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    assert pack(taken.parts) == encode_object(3, [(6, some_trade(0))])
    assert taken.rejects == [
        Reject(3, 5, None, "MALFORMED", "Input data was truncated"),
        Reject(3, 8, b"{}", "MALFORMED", "Object missing required field `source`"),
        Reject(3, 9, b"not json", "MALFORMED", taken.rejects[2].detail),
    ]
    assert (taken.key, taken.count) == (ObjectKey(HOUR, 3, 5, 9), 1)


def test_records_of_which_none_is_a_trade_have_no_rows() -> None:
    batch = Batch(3)
    batch.extend([5], [b"{}"], TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    assert (taken.parts, taken.count, taken.newest_event_time) == ([], 0, None)
    assert (taken.key, [reject.offset for reject in taken.rejects]) == (ObjectKey(HOUR, 3, 5, 5), [5])


def test_one_that_is_no_trade_among_thousands_is_the_only_one_rejected() -> None:
    values: list[bytes | None] = [VALUE] * 5_000
    values[1_234] = b"{}"
    batch = Batch(0)
    batch.extend(range(5_000), values, TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    stored = decode_object(pack(taken.parts), taken.key).trades.offset.tolist()
    assert (taken.count, stored) == (4_999, [offset for offset in range(5_000) if offset != 1_234])
    assert [reject.offset for reject in taken.rejects] == [1_234]


@given(st.lists(st.lists(st.sampled_from([VALUE, b"", None]), min_size=1, max_size=5), max_size=10), st.data())
def test_however_records_come_and_are_taken_each_is_taken_once_in_order(
    chunks: list[list[bytes | None]], data: st.DataObject
) -> None:
    batch, taken, values = Batch(0), list[Rows | None](), list[bytes | None]()
    for chunk in chunks:
        batch.extend(range(len(values), len(values) + len(chunk)), chunk, TIMESTAMP_MS, 0.0)
        values += chunk
        if data.draw(st.booleans()):
            taken.append(batch.take())
    rows = [one for one in [*taken, batch.take()] if one is not None]
    assert [offset for one in rows for offset in offsets_of(one)] == [
        offset for offset, value in enumerate(values) if value == VALUE
    ]
    assert [(reject.offset, reject.value) for one in rows for reject in one.rejects] == [
        (offset, value) for offset, value in enumerate(values) if value != VALUE
    ]
    firsts = [one.key.first_offset for one in rows]
    assert firsts == [0, *(one.key.last_offset + 1 for one in rows[:-1])][: len(rows)]
    assert batch.size_bytes == 0


def offsets_of(rows: Rows) -> list[int]:
    return decode_object(pack(rows.parts), rows.key).trades.offset.tolist() if rows.count else []
