"""Trades to the bytes of a raw zone object: gzip of CSV, one row a trade, with the partition and offset it came from.

The bytes are a function of the rows, so storing the same rows again stores the same object. The conditions are a JSON
list, empty when there are none; an empty ``trade_id`` is no id; numbers are the shortest text that reads back the same.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter

import msgspec
from isal import igzip
from msgspec import Raw

from volwatch.trade import Trade

COLUMNS = (
    "partition", "offset", "source", "symbol", "event_time", "price", "size",
    "conditions", "trade_id", "received_at", "seq",
)  # fmt: skip
HEADER = ",".join(COLUMNS).encode() + b"\n"

# Of ISA-L's levels, 0 to 3. It takes a quarter of the time of zlib's level 1 and leaves 7 % less: an object is written
# once, right behind Kafka.
_GZIP_LEVEL = 1
_NOTHING = Raw(b"")
_json = msgspec.json.Encoder()

NumberedTrade = tuple[int, Trade]
"""A trade behind its Kafka offset."""


def encode_object(partition: int, rows: Sequence[NumberedTrade]) -> bytes:
    """Return the object that holds the rows, which are trades as ``trade.decode`` gave them (no control characters)."""
    return pack([encode_rows(partition, [offset for offset, _ in rows], [trade for _, trade in rows])])


def pack(parts: Iterable[bytes]) -> bytes:
    """Return the object of rows that ``encode_rows`` gave, part by part."""
    return igzip.compress(b"".join((HEADER, *parts)), _GZIP_LEVEL, mtime=0)


def encode_rows(partition: int, offsets: Sequence[int], trades: Sequence[Trade]) -> bytes:
    """Return the CSV rows of trades as ``trade.decode`` gave them, at least one, each behind its offset.

    A thousand at a time are encoded in half the time of a million: they stay in the processor's cache.
    """
    # JSON lines of scalars are CSV but for their brackets, and texts are handed over quoted as CSV wants them: this is
    # four times as fast as csv.writer. No text holds a line end, so "]\n[" is found between rows only. Column by
    # column, for a call from C is half the price of one from Python.
    columns = (
        offsets,
        map(_text_field, map(attrgetter("source"), trades)),
        map(_text_field, map(attrgetter("symbol"), trades)),
        map(attrgetter("event_time"), trades),
        map(attrgetter("price"), trades),
        map(attrgetter("size"), trades),
        map(_conditions_field, map(attrgetter("conditions"), trades)),
        [_NOTHING if trade.trade_id is None else Raw(_quoted(trade.trade_id)) for trade in trades],
        map(attrgetter("received_at"), trades),
        map(attrgetter("seq"), trades),
    )
    lines = _json.encode_lines(list(zip(*columns, strict=True)))
    number = b"%d," % partition
    return number + lines[1:-2].replace(b"]\n[", b"\n" + number) + b"\n"


@lru_cache(maxsize=65_536)
def _text_field(text: str) -> Raw:
    return Raw(_quoted(text))


@lru_cache(maxsize=4096)
def _conditions_field(conditions: tuple[str, ...]) -> Raw:
    return Raw(_quoted(_json.encode(conditions).decode())) if conditions else _NOTHING


def _quoted(text: str) -> bytes:
    if '"' in text or "," in text:
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()
