from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import TIMESTAMP_MS, some_trade
from volwatch.consumer.batch import Batch, Limits, Reject
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import encode

LIMITS = Limits(rows=10, size_bytes=5_000, age_seconds=15.0)
VALUE = encode(some_trade(0))


def held(rows: int, value: bytes | None = VALUE, at: float = 0.0) -> Batch:
    batch = Batch(3)
    batch.extend(list(range(120, 120 + rows)), [value] * rows, TIMESTAMP_MS, at)
    return batch


@pytest.mark.parametrize(
    ("batch", "now", "due"),
    [
        (held(9), 14.9, None),
        (held(10), 0.0, "size"),
        (held(1, b"x" * 5_000), 0.0, "size"),
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
    assert taken.key == ObjectKey(datetime(2026, 1, 5, 15, tzinfo=UTC), 3, 120, 130)


def test_records_that_are_no_trades_are_rejected_and_still_answered_for() -> None:
    batch = Batch(3)
    batch.extend([5, 6, 8, 9], [None, VALUE, b"{}", b"not json"], TIMESTAMP_MS, 0.0)
    taken = batch.take()
    assert taken is not None
    trades, rejects = taken.sift()
    assert trades == [(6, some_trade(0))]
    assert rejects == [
        Reject(3, 5, None, "MALFORMED", "Input data was truncated"),
        Reject(3, 8, b"{}", "MALFORMED", "Object missing required field `source`"),
        Reject(3, 9, b"not json", "MALFORMED", rejects[2].detail),
    ]
    assert (taken.key.first_offset, taken.key.last_offset, taken.next_offset) == (5, 9, 10)


@given(st.lists(st.lists(st.integers(0, 200), min_size=1, max_size=5), max_size=10), st.sets(st.integers(0, 9)))
def test_however_records_come_and_are_taken_each_is_taken_once_in_order(
    chunks: list[list[int]], taken_after: set[int]
) -> None:
    batch, taken, offset = Batch(0), [], 0
    for index, lengths in enumerate(chunks):
        offsets = list(range(offset, offset + len(lengths)))
        batch.extend(offsets, [bytes(length) for length in lengths], TIMESTAMP_MS, 0.0)
        offset += len(lengths)
        if index in taken_after:
            taken.append(batch.take())
    taken.append(batch.take())
    records = [one for one in taken if one is not None]
    assert [number for one in records for number in one.offsets] == list(range(offset))
    assert [len(value or b"") for one in records for value in one.values] == [n for lengths in chunks for n in lengths]
    assert [one.next_offset for one in records[:-1]] == [one.offsets[0] for one in records[1:]]
    assert batch.size_bytes == 0
