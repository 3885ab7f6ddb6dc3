"""Finnhub's messages and quotes into trades: shape and types are judged here, ranges and times by ``analytics.bars``.

Pure and without state. What a message looks like: quant.md section 7; what of it is a trade: section 1.1. A time is
taken for milliseconds (of a quote: for seconds), never guessed from its magnitude: seconds come out as too old,
microseconds as in the future.
"""

import json
import math
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from volwatch.analytics.bars import GAP_CONDITION, MARK_CONDITION, OHLC_CONDITION
from volwatch.errors import BadTrade
from volwatch.trade import CONDITION_PATTERN, MAX_TIME_MS, SYMBOL_PATTERN, EpochMilliseconds, Trade

SOURCE = "finnhub"
QUOTE_SOURCE = "finnhub-quote"
"""Of polled prices, which have no size: ``EngineConfig.quote_sources`` names it."""

REASONS = ("MALFORMED", "UNKNOWN_SYMBOL", "BAD_PRICE", "BAD_SIZE", "TOO_OLD", "FUTURE")
"""Why something is no trade record; where ``analytics.bars.REASONS`` has the name too, it means the same."""

# What is no trade to the engine, or a bar: no feed may say it.
_FOREIGN_CONDITION = rf"^(?!({GAP_CONDITION}|{MARK_CONDITION}|{OHLC_CONDITION})$)" + CONDITION_PATTERN
_LONGEST_INTEGER = 20  # digits: beyond, a number is no time, and int() may refuse it
_BETWEEN = re.compile(r"[\s,:]*")


class _Print(msgspec.Struct, gc=False):
    """A trade as Finnhub writes it. The limits are those of the record; other keys are passed over."""

    s: Annotated[str, Meta(pattern=SYMBOL_PATTERN)]
    p: float
    t: EpochMilliseconds
    v: float
    c: tuple[Annotated[str, Meta(pattern=_FOREIGN_CONDITION)], ...] | None = None


class _Message(msgspec.Struct, gc=False):
    type: str
    data: list[_Print] | None = None
    msg: str = ""


class _RawMessage(msgspec.Struct, gc=False):
    type: Literal["trade"]
    data: list[msgspec.Raw]


class _Quote(msgspec.Struct, gc=False):
    c: float
    t: Annotated[int, Meta(ge=0, le=MAX_TIME_MS // 1000)]


@dataclass(frozen=True, slots=True)
class Reject:
    """What is no trade record: why, of ``REASONS``, and its bytes as they came."""

    reason: str
    detail: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message, decoded.

    Attributes
    ----------
    kind : str
        ``other`` is a type that Finnhub does not document, or no message at all (then there is a reject).
    trades : list of Trade
        In their order in the message, numbered without gaps.
    rejects : list of Reject
        The other items of a message of trades; or the message itself, as ``MALFORMED``.
    text : str
        What an error says.
    """

    kind: Literal["trade", "ping", "error", "other"]
    trades: list[Trade]
    rejects: list[Reject]
    text: str = ""


_message_decoder = msgspec.json.Decoder(_Message)
_raw_message_decoder = msgspec.json.Decoder(_RawMessage)
_print_decoder = msgspec.json.Decoder(_Print)
_quote_decoder = msgspec.json.Decoder(_Quote)
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode(message: bytes | str, received_at: int, seq: int, symbols: Container[str] | None = None) -> Message:
    """Return what a websocket message holds; a bad trade never takes the good ones of its message with it.

    Parameters
    ----------
    received_at : int
        When it came, epoch milliseconds.
    seq : int
        Number of the message's first trade.
    symbols : container of str, optional
        Those that are subscribed; all, when it is left out.
    """
    data = message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    try:
        found = _message_decoder.decode(data)
    except _BROKEN:
        return _sift(data, received_at, seq, symbols)
    if found.type != "trade":
        return _without_trades(found.type, found.msg)
    prints = found.data
    if prints is None or (symbols is not None and any(each.s not in symbols for each in prints)):
        return _sift(data, received_at, seq, symbols)
    return Message("trade", _records(prints, received_at, seq), [])


def decode_quote(answer: bytes | str, symbol: str, received_at: int, seq: int) -> Trade:
    """Return the price that ``/quote`` answers with, as a record of size 0, at the time of the last trade.

    Raises
    ------
    BadTrade
        With a reason of ``REASONS``; ``UNKNOWN_SYMBOL`` for the zeros that Finnhub answers with, and status 200.
    """
    data = answer.encode("utf-8", "surrogatepass") if isinstance(answer, str) else answer
    try:
        quote = _quote_decoder.decode(data)
    except _BROKEN as error:
        raise BadTrade(*_quote_fault(data, error)) from error
    if quote.c == 0 and quote.t == 0:
        raise BadTrade("UNKNOWN_SYMBOL", f"the quote of {symbol!r} is all zeros")
    return Trade(QUOTE_SOURCE, symbol, quote.t * 1000, quote.c, 0.0, (), None, received_at, seq)


def encode_print(symbol: str, event_time: int, price: float, size: float, conditions: tuple[str, ...]) -> bytes:
    """Return a trade as Finnhub writes it in a message, whole numbers without a point."""
    p, v = (int(x) if x.is_integer() and abs(x) < 2**53 else x for x in (price, size))
    return msgspec.json.encode({"s": symbol, "p": p, "t": event_time, "v": v, "c": conditions})


def members(data: bytes) -> dict[str, bytes]:
    """Return the raw values of a JSON object by their keys; ``NaN`` and ``Infinity`` may stand for numbers.

    Raises
    ------
    ValueError
        The bytes are no JSON object.
    """
    if not isinstance(_parsed(data), dict):
        raise ValueError("no JSON object")  # noqa: TRY004  # to the caller it is one kind of bytes that are none
    pieces = _pieces(data)
    return {_parsed(key): value for key, value in zip(pieces[::2], pieces[1::2], strict=True)}


def _records(prints: list[_Print], received_at: int, seq: int) -> list[Trade]:
    return [
        Trade(SOURCE, each.s, each.t, each.p, each.v, each.c or (), None, received_at, number)
        for number, each in enumerate(prints, seq)
    ]


def _without_trades(kind: object, text: object = "") -> Message:
    if kind == "ping":
        return Message("ping", [], [])
    return Message("error", [], [], str(text)) if kind == "error" else Message("other", [], [])


def _sift(data: bytes, received_at: int, seq: int, symbols: Container[str] | None) -> Message:
    """Decode a message item by item."""
    try:
        items = [bytes(item) for item in _raw_message_decoder.decode(data).data]
    except _BROKEN:
        other = _lenient_items(data)
        if isinstance(other, Message):
            return other
        items = other
    prints, rejects = [], []
    for raw in items:
        try:
            each = _print_decoder.decode(raw)
        except _BROKEN as error:
            rejects.append(Reject(*_print_fault(raw, error, symbols), raw))
            continue
        if symbols is None or each.s in symbols:
            prints.append(each)
        else:
            rejects.append(Reject("UNKNOWN_SYMBOL", f"{each.s!r} is not subscribed", raw))
    return Message("trade", _records(prints, received_at, seq), rejects)


def _lenient_items(data: bytes) -> list[bytes] | Message:
    """Return the items of a message of trades, where a JSON reader that is strict gave up; any other message whole."""
    try:
        parts = members(data)
        kind = _parsed(parts["type"])
    except (ValueError, KeyError) as error:
        return Message("other", [], [Reject("MALFORMED", f"no message: {error}", data)])
    if kind != "trade":
        return _without_trades(kind, _parsed(parts.get("msg", b'""')))
    if not parts.get("data", b"").startswith(b"["):
        return Message("trade", [], [Reject("MALFORMED", "no list of trades", data)])
    return _pieces(parts["data"])


def _print_fault(raw: bytes, error: Exception, symbols: Container[str] | None) -> tuple[str, str]:
    """Return reason and detail of a trade that cannot be decoded."""
    try:
        found = _parsed(raw)
    except ValueError as fault:
        return "MALFORMED", str(fault)
    if not isinstance(found, dict) or not found.keys() >= {"s", "p", "t", "v"} or not isinstance(found["s"], str):
        return "MALFORMED", str(error)
    if symbols is not None and found["s"] not in symbols:
        return "UNKNOWN_SYMBOL", f"{found['s']!r} is not subscribed"
    return (
        _number_fault("BAD_PRICE", "p", found["p"])
        or _number_fault("BAD_SIZE", "v", found["v"])
        or _time_fault(found["t"], MAX_TIME_MS)
        or ("MALFORMED", str(error))
    )


def _quote_fault(data: bytes, error: Exception) -> tuple[str, str]:
    try:
        found = {key: _parsed(value) for key, value in members(data).items()}
    except ValueError:
        found = {}
    if not found.keys() >= {"c", "t"}:
        return "MALFORMED", f"no quote: {data[:200].decode('utf-8', 'backslashreplace')}"
    fault = _number_fault("BAD_PRICE", "c", found["c"]) or _time_fault(found["t"], MAX_TIME_MS // 1000)
    return fault or ("MALFORMED", str(error))


def _number_fault(reason: str, name: str, value: Any) -> tuple[str, str] | None:
    if type(value) in (int, float) and math.isfinite(value):
        return None
    return reason, f"{name} is {value!r}, no finite number"


def _time_fault(value: Any, largest: int) -> tuple[str, str] | None:
    """Return what is wrong with an integer beyond all times that a record holds."""
    if type(value) is not int or 0 <= value <= largest:
        return None
    return ("TOO_OLD", f"t is {value}, before 1970") if value < 0 else ("FUTURE", f"t is {value}, after the year 9999")


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


# Python's reader, unlike msgspec's, takes NaN, Infinity and control characters: then the one bad trade can be told
# from the others of its message.
_lenient = json.JSONDecoder(parse_int=_integer, strict=False)


def _parsed(raw: bytes) -> Any:
    try:
        return _lenient.decode(raw.decode("utf-8", "surrogateescape"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _pieces(raw: bytes) -> list[bytes]:
    """Return the raw items of a JSON array, or the raw keys and values of an object in turn; it must be valid."""
    text = raw.decode("utf-8", "surrogateescape")
    found = []
    place = _BETWEEN.match(text, re.search(r"[\[{]", text).end()).end()  # type: ignore[union-attr]
    while text[place] not in "]}":
        _, end = _lenient.raw_decode(text, place)
        found.append(text[place:end].encode("utf-8", "surrogateescape"))
        place = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    return found
