"""The trade record, which every stage passes on, and its codecs.

On Kafka a trade is UTF-8 JSON under the key ``symbol`` with the header ``v: 1``; ``trade.schema.json`` beside this
module is its JSON Schema. In the raw zone it is a CSV row (``rawzone.py``).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from volwatch.errors import BadTrade

RECORD_VERSION = "1"
KAFKA_HEADERS = [("v", RECORD_VERSION.encode())]

# Control characters cannot be stored as text by PostgreSQL (NUL) and have no place in a name.
# In Python's dialect "$" alone would let a line end pass; with the look-ahead it means the same in every dialect.
_END = r"$(?!\n)"
SYMBOL_PATTERN = r"^[^\x00-\x1f\x7f]{1,64}" + _END
SOURCE_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}" + _END
CONDITION_PATTERN = r"^[^\x00-\x1f\x7f]{1,32}" + _END
TRADE_ID_PATTERN = r"^[^\x00-\x1f\x7f]{1,128}" + _END  # never empty: in a CSV an empty field is no id
MAX_TIME_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last instant that aware datetimes hold

# The decoder looks at the lengths. It would ask Python's ``re`` about each text of each record, which takes twice as
# long as all the rest of decoding; texts come again and again, so that here each is asked about once (``_TEXTS``).
_SOURCE = Meta(min_length=1, max_length=64, extra_json_schema={"pattern": SOURCE_PATTERN})
_SYMBOL = Meta(min_length=1, max_length=64, extra_json_schema={"pattern": SYMBOL_PATTERN})
_CONDITION = Meta(min_length=1, max_length=32, extra_json_schema={"pattern": CONDITION_PATTERN})
_TRADE_ID = Meta(min_length=1, max_length=128, extra_json_schema={"pattern": TRADE_ID_PATTERN})

EpochMilliseconds = Annotated[int, Meta(ge=0, le=MAX_TIME_MS)]


class Trade(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One print: a price at which a size changed hands.

    Attributes
    ----------
    source : str
        Where it comes from (``simulator``, ``finnhub``, ``replay-<name>`` …). A series is (source, symbol).
    symbol : str
        The symbol as the source spells it; also the Kafka key.
    event_time : int
        When it happened, epoch milliseconds UTC.
    price, size : float
        Price in the quote currency, size in units; size 0 marks a quote without a trade.
    conditions : tuple of str
        The source's own condition codes.
    trade_id : str or None
        The source's own id, where it has one.
    received_at : int
        When the producer had it, epoch milliseconds UTC. All time rules compare with this, never with a clock.
    seq : int
        The producer's own counter, in order of arrival.
    """

    source: Annotated[str, _SOURCE]
    symbol: Annotated[str, _SYMBOL]
    event_time: EpochMilliseconds
    price: float
    size: float
    conditions: tuple[Annotated[str, _CONDITION], ...]
    trade_id: Annotated[str, _TRADE_ID] | None
    received_at: EpochMilliseconds
    seq: Annotated[int, Meta(ge=0, le=2**63 - 1)]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Trade)


def encode(trade: Trade) -> bytes:
    """Return the Kafka value of a trade."""
    return _encoder.encode(trade)


def decode(value: bytes | None) -> Trade:
    """Return the trade that a Kafka value holds.

    Raises
    ------
    BadTrade
        With reason ``MALFORMED`` when the bytes are not a trade record of this version. Whether the numbers make
        sense (a positive price, a plausible time) is judged later, by ``analytics.bars``, where it is counted too.
    """
    try:
        trade = _decoder.decode(value if value is not None else b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadTrade("MALFORMED", str(error)) from error
    for name, pattern, fits in _TEXTS:
        if not fits(getattr(trade, name)):
            raise BadTrade("MALFORMED", f"`{name}` does not match {pattern}")
    return trade


def decode_all(values: Sequence[bytes | None]) -> list[Trade] | None:
    """Return the trades that ``decode`` gives for each value, in a third of the time, or None where it may raise.

    None says nothing more: among the values may be one that is no trade, or all may be trades, spelled unusually.
    """
    if None in values:
        return None
    lines = b"\n".join(values)  # type: ignore[arg-type]  # there is no None
    # Text of JSON holds no control character but DEL unless escaped: what is left to ask is how a source is named.
    if b"\\" in lines or b"\x7f" in lines:
        return None
    try:
        trades = _decoder.decode_lines(lines)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # A line is a value only if no value holds a line end, and none is blank, for blank lines are skipped.
    if lines.count(b"\n") != len(values) - 1 or len(trades) != len(values):
        return None
    return trades if all(map(_is_source, set(map(attrgetter("source"), trades)))) else None


@lru_cache(maxsize=1024)
def _is_source(text: str) -> bool:
    return re.search(SOURCE_PATTERN, text) is not None


@lru_cache(maxsize=65_536)
def _is_symbol(text: str) -> bool:
    return re.search(SYMBOL_PATTERN, text) is not None


@lru_cache(maxsize=4096)
def _are_conditions(texts: tuple[str, ...]) -> bool:
    return all(re.search(CONDITION_PATTERN, text) for text in texts)


def _is_trade_id(text: str | None) -> bool:
    return text is None or re.search(TRADE_ID_PATTERN, text) is not None


_TEXTS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("source", SOURCE_PATTERN, _is_source),
    ("symbol", SYMBOL_PATTERN, _is_symbol),
    ("conditions", CONDITION_PATTERN, _are_conditions),
    ("trade_id", TRADE_ID_PATTERN, _is_trade_id),
)


def json_schema() -> str:
    """Return the JSON Schema of the record, as shipped in ``trade.schema.json``."""
    schema = msgspec.json.schema(Trade)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
