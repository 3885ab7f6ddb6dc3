import gzip

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import some_trade, trades
from volwatch.rawzone.encode import COLUMNS, encode_object, encode_rows, pack
from volwatch.trade import Trade


def test_an_object_is_csv_with_a_header_and_plain_text() -> None:
    plain = some_trade(0)
    rich = Trade("finnhub", 'BRK,"B"', 1, 0.1, 1e300, ("1", "a,b"), 'x"y', 2, 7)
    assert gzip.decompress(encode_object(3, [(120, plain), (122, rich)])).decode() == (
        "partition,offset,source,symbol,event_time,price,size,conditions,trade_id,received_at,seq\n"
        "3,120,simulator,AAPL,1767625200000,101.25,10.0,,,1767625200003,0\n"
        '3,122,finnhub,"BRK,""B""",1,0.1,1e300,"[""1"",""a,b""]","x""y",2,7\n'
    )


def test_the_columns_are_the_position_and_the_whole_trade_record() -> None:
    assert set(COLUMNS) == {"partition", "offset", *Trade.__struct_fields__}


@given(st.lists(trades, min_size=1, max_size=5))
def test_equal_rows_give_equal_bytes(some: list[Trade]) -> None:
    copies = [Trade(**{name: getattr(trade, name) for name in Trade.__struct_fields__}) for trade in some]
    assert encode_object(1, list(enumerate(some))) == encode_object(1, list(enumerate(copies)))


@given(st.lists(trades, min_size=2, max_size=6), st.data())
def test_rows_encoded_in_parts_make_the_same_object(some: list[Trade], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(some) - 1))
    parts = [encode_rows(1, range(cut), some[:cut]), encode_rows(1, range(cut, len(some)), some[cut:])]
    assert pack(parts) == encode_object(1, list(enumerate(some)))
