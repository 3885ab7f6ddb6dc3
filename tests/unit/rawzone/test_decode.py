import csv
import gzip
import io
import struct
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import some_trade, trades
from volwatch.errors import BadObject
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.encode import COLUMNS, HEADER, encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import Trade

ROW = b"3,120,simulator,AAPL,1767625200000,101.25,10.0,,,1767625200003,0\n"
KEY = ObjectKey(datetime(2026, 1, 5, 15, tzinfo=UTC), 3, 120, 179)


def bits(trade: Trade) -> tuple[bytes, Trade]:
    """A trade compares equal to one whose zero has the other sign; its bits do not."""
    return struct.pack("dd", trade.price, trade.size), trade


@given(st.lists(trades, min_size=1, max_size=6), st.integers(0, 99_999), st.integers(0, 2**62))
def test_any_trades_read_back_exactly(some: list[Trade], partition: int, first_offset: int) -> None:
    rows = decode_object(encode_object(partition, [(first_offset + 2 * i, trade) for i, trade in enumerate(some)]))
    assert rows.partition == partition
    assert rows.trades.offset.tolist() == [first_offset + 2 * i for i in range(len(some))]
    assert [bits(trade) for trade in rows.records()] == [bits(trade) for trade in some]


@given(st.lists(trades, min_size=1, max_size=6))
def test_any_other_csv_reader_finds_the_same_fields(some: list[Trade]) -> None:
    text = gzip.decompress(encode_object(0, list(enumerate(some)))).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["source"], row["symbol"], row["trade_id"] or None, float(row["price"])) for row in rows] == [
        (trade.source, trade.symbol, trade.trade_id, trade.price) for trade in some
    ]


def test_columns_have_the_types_that_the_engine_takes() -> None:
    rows = decode_object(encode_object(3, [(120 + i, some_trade(i)) for i in range(3)]), KEY)
    found = rows.trades
    assert (found.series, found.conditions) == ((("simulator", "AAPL"),), ((),))
    assert [column.dtype for column in (found.code, found.condition_code)] == [np.int32, np.int32]
    assert [column.dtype for column in (found.offset, found.event_time, found.received_at, rows.seq)] == [np.int64] * 4
    assert [column.dtype for column in (found.price, found.size)] == [np.float64] * 2


@pytest.mark.parametrize("symbol", ["NA", "null", "1", "1e5", "True", "nan", " A ", "'", "#", "é", "\u2028", "\ufeff"])
def test_a_symbol_is_text_whatever_it_looks_like(symbol: str) -> None:
    trade = Trade("finnhub", symbol, 1, 1.0, 1.0, (), "00", 1, 1)
    assert decode_object(encode_object(0, [(0, trade)])).records() == [trade]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEADER, "NO_ROWS"),
        (b"", "BAD_HEADER"),
        (HEADER.replace(b"seq", b"sequence") + ROW, "BAD_HEADER"),
        (HEADER + ROW.replace(b"101.25", b"high"), "BAD_ROWS"),
        (HEADER + ROW.replace(b"120", b"120.5"), "BAD_ROWS"),
        (HEADER + ROW.replace(b"120", b""), "BAD_ROWS"),
        (HEADER + ROW.replace(b"120", b"99999999999999999999"), "BAD_ROWS"),
        (HEADER + ROW.replace(b",0\n", b"\n"), "BAD_ROWS"),
        (HEADER + ROW.replace(b",0\n", b",0,1\n"), "BAD_ROWS"),
        (HEADER + ROW + ROW.replace(b"120", b"121").replace(b",0\n", b",0,1\n"), "BAD_ROWS"),
        (HEADER + ROW.replace(b"AAPL", b"\xff"), "BAD_ROWS"),
        (HEADER + ROW.replace(b"AAPL", b'"AAPL'), "BAD_ROWS"),
        (HEADER + ROW.replace(b"10.0,,", b"10.0,[1],"), "BAD_ROWS"),
        (HEADER + ROW + ROW.replace(b"3,120", b"4,121"), "MIXED_PARTITIONS"),
        (HEADER + ROW + ROW, "OFFSETS_NOT_ASCENDING"),
        (HEADER + ROW + ROW.replace(b"120", b"119"), "OFFSETS_NOT_ASCENDING"),
        (HEADER + ROW.replace(b"120", b"180"), "NOT_ITS_KEY"),
        (HEADER + ROW.replace(b"120", b"119"), "NOT_ITS_KEY"),
        (HEADER + ROW.replace(b"3,120", b"4,120"), "NOT_ITS_KEY"),
    ],
)
def test_a_bad_object_is_told_by_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(BadObject) as caught:
        decode_object(gzip.compress(text), KEY)
    assert caught.value.reason == reason


@given(st.data())
def test_a_damaged_object_is_never_taken_for_a_good_one(data: st.DataObject) -> None:
    good = encode_object(3, [(120 + i, some_trade(i)) for i in range(20)])
    cut = data.draw(st.integers(0, len(good) - 1), "cut")
    with pytest.raises(BadObject):
        decode_object(good[:cut])
    flipped = data.draw(st.integers(10 * 8, len(good) * 8 - 1), "flipped bit")  # behind the gzip header
    damaged = bytearray(good)
    damaged[flipped // 8] ^= 1 << flipped % 8
    try:
        found = decode_object(bytes(damaged))
    except BadObject:
        return
    # Behind the last block of deflate some bits say nothing: then no row is another one.
    assert found.records() == decode_object(good).records()


def test_the_header_is_the_columns() -> None:
    assert HEADER.decode() == ",".join(COLUMNS) + "\n"
