"""The trade record, which every stage passes on, and its codecs.

On Kafka a trade is UTF-8 JSON under the key ``symbol`` with the header ``v: 1``; ``trade.schema.json`` beside this
module is its JSON Schema. In the raw zone it is a CSV row (``rawzone.py``).
"""

from typing import Annotated

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

    source: Annotated[str, Meta(pattern=SOURCE_PATTERN)]
    symbol: Annotated[str, Meta(pattern=SYMBOL_PATTERN)]
    event_time: EpochMilliseconds
    price: float
    size: float
    conditions: tuple[Annotated[str, Meta(pattern=CONDITION_PATTERN)], ...]
    trade_id: Annotated[str, Meta(pattern=TRADE_ID_PATTERN)] | None
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
        return _decoder.decode(value if value is not None else b"")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadTrade("MALFORMED", str(error)) from error


def json_schema() -> str:
    """Return the JSON Schema of the record, as shipped in ``trade.schema.json``."""
    schema = msgspec.json.schema(Trade)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
