import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import some_trade, trades
from volwatch import trade
from volwatch.errors import BadTrade
from volwatch.trade import Trade

RECORD: dict[str, Any] = json.loads(trade.encode(some_trade(0)))


def test_a_trade_is_utf_8_json_with_all_its_fields() -> None:
    assert trade.encode(some_trade(0)) == (
        b'{"source":"simulator","symbol":"AAPL","event_time":1767625200000,"price":101.25,"size":10.0,'
        b'"conditions":[],"trade_id":null,"received_at":1767625200003,"seq":0}'
    )


@given(trades)
def test_every_trade_reads_back_exactly(some: Trade) -> None:
    assert trade.decode(trade.encode(some)) == some


def test_numbers_may_be_spelled_as_integers() -> None:
    assert trade.decode(json.dumps({**RECORD, "price": 101, "size": 10}).encode()).price == 101.0


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": "AAPL\n"},
        {"symbol": "A\x00B"},
        {"symbol": "A" * 65},
        {"symbol": None},
        {"source": "Finnhub"},
        {"source": "finnhub\n"},
        {"event_time": -1},
        {"event_time": 1.5},
        {"event_time": 253_402_300_800_000},
        {"received_at": None},
        {"price": "101.25"},
        {"price": None},
        {"price": float("nan")},
        {"price": float("inf")},
        {"conditions": None},
        {"conditions": [1]},
        {"conditions": ["a\tb"]},
        {"trade_id": ""},
        {"trade_id": "x" * 129},
        {"trade_id": "x\r"},
        {"seq": -1},
        {"seq": 2**63},
        {"venue": "XNAS"},
    ],
)
def test_a_record_with_a_field_out_of_order_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(BadTrade) as caught:
        trade.decode(json.dumps({**RECORD, **change}).encode())
    assert caught.value.reason == "MALFORMED"


@pytest.mark.parametrize("name", RECORD)
def test_a_record_without_a_field_is_malformed(name: str) -> None:
    value = json.dumps({key: RECORD[key] for key in RECORD if key != name}).encode()
    with pytest.raises(BadTrade, match=f"MALFORMED: Object missing required field `{name}`"):
        trade.decode(value)


@pytest.mark.parametrize(
    "value", [None, b"", b"null", b"[]", b"{", b"\xff", b'{"source":"\xff"}', b'{"symbol":"\\ud800"}', b"[" * 100_000]
)
def test_bytes_that_are_no_record_are_malformed(value: bytes | None) -> None:
    with pytest.raises(BadTrade) as caught:
        trade.decode(value)
    assert caught.value.reason == "MALFORMED"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"source": "Finnhub"}, f"`source` does not match {trade.SOURCE_PATTERN}"),
        ({"symbol": "A\x7f"}, f"`symbol` does not match {trade.SYMBOL_PATTERN}"),
        ({"conditions": ["1", "a\tb"]}, f"`conditions` does not match {trade.CONDITION_PATTERN}"),
        ({"trade_id": "x\r"}, f"`trade_id` does not match {trade.TRADE_ID_PATTERN}"),
    ],
)
def test_a_malformed_text_is_named(change: dict[str, Any], detail: str) -> None:
    with pytest.raises(BadTrade) as caught:
        trade.decode(json.dumps({**RECORD, **change}).encode())
    assert caught.value.detail == detail


def spelled(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


GOOD = trade.encode(some_trade(0))
CHANGED = [spelled({**RECORD, name: value}) for name in RECORD for value in ("", "a", "\x7f", -1, None, [], ["é,"])]
# Halves of records, records with a line end inside, and what is left out as a blank line: joined they may look whole.
PIECES = [GOOD[:50], GOOD[50:], GOOD + b"\n" + GOOD, GOOD.replace(b",", b",\n"), b"", b" ", b"\n", GOOD + b"," + GOOD]


def one_by_one(values: list[bytes | None]) -> list[Trade] | None:
    try:
        return [trade.decode(value) for value in values]
    except BadTrade:
        return None


@given(st.lists(trades.map(trade.encode) | st.sampled_from([*CHANGED, *PIECES, None]), min_size=1, max_size=4))
def test_values_are_decoded_together_as_one_by_one_or_not_at_all(values: list[bytes | None]) -> None:
    together = trade.decode_all(values)
    assert together is None or together == one_by_one(values)


@pytest.mark.parametrize("value", [*CHANGED, *PIECES, None])
def test_a_value_that_is_no_trade_is_found_among_others(value: bytes | None) -> None:
    for values in ([GOOD, value, GOOD], [value, value], [PIECES[2], value]):
        if one_by_one(values) is None:
            assert trade.decode_all(values) is None


def test_trades_that_are_spelled_as_ours_are_decoded_together() -> None:
    rich = Trade("finnhub", "BRK,ü", 1, 0.1, 1e300, ("1", "a,b"), "x:y", 2, 7)
    assert trade.decode_all([GOOD, trade.encode(rich)]) == [some_trade(0), rich]


def test_the_shipped_schema_is_that_of_the_record() -> None:
    assert files("volwatch").joinpath("trade.schema.json").read_text("utf-8") == trade.json_schema()
