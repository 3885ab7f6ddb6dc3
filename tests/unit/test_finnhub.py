"""Finnhub's messages: what is a trade, what is not, and that one never takes the other with it."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import trades
from volwatch.analytics.bars import GAP_CONDITION, MARK_CONDITION, OHLC_CONDITION, judge
from volwatch.analytics.bars import REASONS as ENGINE_REASONS
from volwatch.analytics.trades import from_records
from volwatch.errors import BadTrade
from volwatch.finnhub import REASONS, Message, Reject, decode, decode_quote, encode_print
from volwatch.trade import Trade

NOW_MS = 1_767_623_402_000
PRINT: dict[str, Any] = {"s": "AAPL", "p": 191.86, "t": NOW_MS - 20, "v": 500, "c": ["1", "8"]}
TRADE = Trade("finnhub", "AAPL", NOW_MS - 20, 191.86, 500.0, ("1", "8"), None, NOW_MS, 7)


def of_type_trade(*items: str) -> bytes:
    return f'{{"type": "trade", "data": [{", ".join(items)}]}}'.encode()


def changed(**change: Any) -> str:
    """Return the text of the usual trade with keys changed, or left out where they are told to be ``...``."""
    return json.dumps({key: value for key, value in (PRINT | change).items() if value is not ...})


def numbered(*found: Trade) -> list[Trade]:
    return [msgspec.structs.replace(trade, seq=7 + index) for index, trade in enumerate(found)]


def test_a_message_holds_trades_of_several_symbols_numbered_in_their_order() -> None:
    message = of_type_trade(changed(), changed(s="BINANCE:BTCUSDT", p=64_000, v=0.25))
    crypto = msgspec.structs.replace(TRADE, symbol="BINANCE:BTCUSDT", price=64_000.0, size=0.25)
    assert decode(message, NOW_MS, 7) == Message("trade", numbered(TRADE, crypto), [])
    assert decode(message.decode(), NOW_MS, 7) == decode(message, NOW_MS, 7)


@pytest.mark.parametrize("none", [..., None, []])
def test_conditions_may_be_absent_null_or_empty(none: object) -> None:
    expected = msgspec.structs.replace(TRADE, conditions=())
    assert decode(of_type_trade(changed(c=none)), NOW_MS, 7) == Message("trade", [expected], [])


def test_unknown_keys_are_passed_over() -> None:
    assert decode(of_type_trade(changed(x={"y": [1]})), NOW_MS, 7).trades == [TRADE]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b'{"type": "ping"}', Message("ping", [], [])),
        (b'{"type": "ping", "at": NaN}', Message("ping", [], [])),
        (
            b'{"type": "error", "msg": "Subscribing to too many symbols"}',
            Message("error", [], [], "Subscribing to too many symbols"),
        ),
        (b'{"type": "error", "msg": null, "code": 5}', Message("error", [], [], "None")),
        (b'{"type": "error"}', Message("error", [], [])),
        (b'{"type": "news", "data": [{"headline": "up"}]}', Message("other", [], [])),
        (b'{"type": "trade", "data": []}', Message("trade", [], [])),
    ],
)
def test_other_messages_are_told_by_their_kind(message: bytes, expected: Message) -> None:
    assert decode(message, NOW_MS, 7) == expected


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (changed(p=float("nan")), "BAD_PRICE"),
        (changed(p=float("inf")), "BAD_PRICE"),
        (changed(p=float("-inf")), "BAD_PRICE"),
        (changed(p="191.86"), "BAD_PRICE"),
        (changed(p=None), "BAD_PRICE"),
        (changed(p=True), "BAD_PRICE"),
        (changed(p=[191.86]), "BAD_PRICE"),
        (changed(p=0.5).replace("0.5", "1e999"), "BAD_PRICE"),
        (changed(p=0.5).replace("0.5", "9" * 5000), "BAD_PRICE"),
        (changed(v="500"), "BAD_SIZE"),
        (changed(v=None), "BAD_SIZE"),
        (changed(v=float("nan")), "BAD_SIZE"),
        (changed(v=False), "BAD_SIZE"),
        (changed(t=NOW_MS * 1000), "FUTURE"),
        (changed(t=-1), "TOO_OLD"),
        (changed(t=str(NOW_MS)), "MALFORMED"),
        (changed(t=float(NOW_MS)), "MALFORMED"),
        (changed(t=None), "MALFORMED"),
        (changed(t=True), "MALFORMED"),
        (changed(t=float("nan")), "MALFORMED"),
        (changed(s=None), "MALFORMED"),
        (changed(s=["AAPL"]), "MALFORMED"),
        (changed(s=""), "MALFORMED"),
        (changed(s="A\nB"), "MALFORMED"),
        (changed(s="A").replace('"A"', '"\\ud800"'), "MALFORMED"),
        (changed(s="A").replace('"A"', '"A\x00B"'), "MALFORMED"),
        *((changed(**{key: ...}), "MALFORMED") for key in "sptv"),
        (changed(c="1"), "MALFORMED"),
        (changed(c=[1]), "MALFORMED"),
        (changed(c=[None]), "MALFORMED"),
        (changed(c=["1", MARK_CONDITION]), "MALFORMED"),
        (changed(c=[OHLC_CONDITION]), "MALFORMED"),
        (changed(c=[GAP_CONDITION]), "MALFORMED"),
        ("null", "MALFORMED"),
        ("NaN", "MALFORMED"),
        ('"AAPL"', "MALFORMED"),
        ("[]", "MALFORMED"),
        ("{}", "MALFORMED"),
    ],
)
def test_a_bad_trade_is_rejected_with_its_own_text_and_the_others_of_its_message_stay(item: str, reason: str) -> None:
    found = decode(of_type_trade(changed(), item, changed()), NOW_MS, 7)
    assert found.trades == numbered(TRADE, TRADE)
    assert [(each.reason, each.raw) for each in found.rejects] == [(reason, item.encode())]
    assert reason in REASONS
    assert found.rejects[0].detail


def test_bytes_that_are_no_text_harm_only_their_own_trade() -> None:
    broken = changed().encode().replace(b"AAPL", b"A\xff")
    no_number = changed(p=float("nan"))
    found = decode(of_type_trade(changed(), "@", changed()).replace(b"@", broken), NOW_MS, 7)
    assert found.trades == numbered(TRADE, TRADE)
    assert [(each.reason, each.raw) for each in found.rejects] == [("MALFORMED", broken)]
    found = decode(of_type_trade(changed(), no_number, "@", changed()).replace(b"@", broken), NOW_MS, 7)
    assert found.trades == numbered(TRADE, TRADE)
    expected = [("BAD_PRICE", no_number.encode()), ("MALFORMED", broken)]
    assert [(each.reason, each.raw) for each in found.rejects] == expected


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"not JSON",
        b"\xff",
        b"[]",
        b"7",
        b"NaN",
        b"{}",
        b'{"type": 5, "data"',
        b'{"data": []}',
        of_type_trade(changed())[:-9],
        b"[" * 100_000,
        b'{"type": "trade", "data": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_rejected_whole(message: bytes) -> None:
    found = decode(message, NOW_MS, 7)
    assert (found.kind, found.trades) == ("other", [])
    assert [(each.reason, each.raw) for each in found.rejects] == [("MALFORMED", message)]


@pytest.mark.parametrize("data", ["", ', "data": null', ', "data": {}', ', "data": 5', ', "data": "x"'])
def test_a_message_of_trades_without_a_list_of_them_is_rejected_whole(data: str) -> None:
    message = f'{{"type": "trade"{data}}}'.encode()
    expected = Message("trade", [], [Reject("MALFORMED", "no list of trades", message)])
    assert decode(message, NOW_MS, 7) == expected


@pytest.mark.parametrize("price", [191.86, float("nan")])
def test_no_depth_of_nesting_breaks_it(price: float) -> None:
    for depth in (20, *range(900, 1010)):  # about the depth at which Python and msgspec give up
        item = changed(c="@", p=price).replace('"@"', "[" * depth + "]" * depth)
        found = decode(of_type_trade(item), NOW_MS, 7)
        assert (len(found.trades), len(found.rejects)) == (0, 1)


def test_only_subscribed_symbols_pass_and_the_reject_keeps_the_spelling() -> None:
    stranger, nameless = changed(s="ZZZZ", p=1.50), changed(s="ZZZZ", p=None)
    found = decode(of_type_trade(changed(), stranger, nameless, changed()), NOW_MS, 7, frozenset({"AAPL"}))
    assert found.trades == numbered(TRADE, TRADE)
    expected = [("UNKNOWN_SYMBOL", stranger.encode()), ("UNKNOWN_SYMBOL", nameless.encode())]
    assert [(each.reason, each.raw) for each in found.rejects] == expected
    assert decode(of_type_trade(stranger), NOW_MS, 7, frozenset({"AAPL"})).rejects == found.rejects[:1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"p": 0}, "BAD_PRICE"),
        ({"p": -191.86}, "BAD_PRICE"),
        ({"v": -5}, "BAD_SIZE"),
        ({"v": 0}, "ZERO_SIZE"),
        ({"t": NOW_MS // 1000}, "TOO_OLD"),
        ({"t": NOW_MS - 86_400_000}, "TOO_OLD"),
        ({"t": NOW_MS - 86_399_999}, ""),
        ({"t": NOW_MS + 5000}, ""),
        ({"t": NOW_MS + 5001}, "FUTURE"),
    ],
)
def test_ranges_and_times_are_left_to_the_engine(change: dict[str, Any], reason: str) -> None:
    found = decode(of_type_trade(changed(**change)), NOW_MS, 7)
    assert len(found.trades) == 1
    assert not found.rejects
    code = judge(from_records(found.trades), np.zeros(1, np.int64), 120_000, np.zeros(1, np.bool_))
    assert ENGINE_REASONS[int(code[0])] == reason


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner)
)
_items = st.one_of(
    st.just(PRINT),
    st.fixed_dictionaries({}, optional={key: st.just(PRINT[key]) | _values for key in PRINT}),
    _values,
)


@given(st.lists(_items, max_size=4), st.sampled_from([None, frozenset({"AAPL"}), frozenset[str]()]))
def test_a_message_is_decoded_as_its_trades_would_be_one_by_one(
    items: list[Any], symbols: frozenset[str] | None
) -> None:
    texts = [json.dumps(item) for item in items]
    whole = decode(of_type_trade(*texts), NOW_MS, 7, symbols)
    apart = [decode(of_type_trade(text), NOW_MS, 7, symbols) for text in texts]
    assert whole.trades == numbered(*(trade for each in apart for trade in each.trades))
    assert whole.rejects == [reject for each in apart for reject in each.rejects]
    assert [len(each.trades) + len(each.rejects) for each in apart] == [1] * len(items)
    assert {each.reason for each in whole.rejects} <= set(REASONS)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_break_it(data: bytes) -> None:
    assert decode(data, NOW_MS, 7).trades == []
    with pytest.raises(BadTrade):
        decode_quote(data, "AAPL", NOW_MS, 7)


@given(trades.filter(lambda trade: not {GAP_CONDITION, MARK_CONDITION, OHLC_CONDITION} & set(trade.conditions)))
def test_a_trade_written_anew_reads_back_exactly(some: Trade) -> None:
    text = encode_print(some.symbol, some.event_time, some.price, some.size, some.conditions)
    expected = msgspec.structs.replace(some, source="finnhub", trade_id=None)
    assert decode(of_type_trade("@").replace(b"@", text), some.received_at, some.seq).trades == [expected]


def test_a_trade_is_written_anew_as_finnhub_writes_it() -> None:
    text = encode_print("AAPL", NOW_MS, 191.0, 0.25, ("1",))
    assert text == b'{"s":"AAPL","p":191,"t":1767623402000,"v":0.25,"c":["1"]}'
    assert encode_print("A", 0, -0.5, 1e30, ()) == b'{"s":"A","p":-0.5,"t":0,"v":1e30,"c":[]}'


QUOTE = {"c": 191.86, "d": 1.2, "dp": 0.63, "h": 192.1, "l": 190.0, "o": 190.5, "pc": 190.66, "t": NOW_MS // 1000 - 3}


def test_a_quote_is_a_price_without_a_size_at_the_time_of_the_last_trade() -> None:
    expected = Trade("finnhub-quote", "AAPL", NOW_MS - 3000, 191.86, 0.0, (), None, NOW_MS, 7)
    assert decode_quote(json.dumps(QUOTE).encode(), "AAPL", NOW_MS, 7) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}', "UNKNOWN_SYMBOL"),
        (json.dumps(QUOTE | {"c": None}), "BAD_PRICE"),
        (json.dumps(QUOTE | {"c": float("nan")}), "BAD_PRICE"),
        (json.dumps(QUOTE | {"c": "191.86"}), "BAD_PRICE"),
        (json.dumps(QUOTE | {"t": NOW_MS}), "FUTURE"),
        (json.dumps(QUOTE | {"t": -5}), "TOO_OLD"),
        (json.dumps(QUOTE | {"t": 1.5}), "MALFORMED"),
        ('{"error":"You don\'t have access to this resource."}', "MALFORMED"),
        ("{}", "MALFORMED"),
        ("<html>524</html>", "MALFORMED"),
    ],
)
def test_what_is_no_quote_is_refused_and_never_a_price_of_zero(answer: str, reason: str) -> None:
    with pytest.raises(BadTrade) as refused:
        decode_quote(answer, "AAPL", NOW_MS, 7)
    assert refused.value.reason == reason
