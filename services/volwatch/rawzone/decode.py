"""The bytes of a raw zone object back to trades, as the columns that the engine takes.

Nearly all of it happens without Python's lock, so that a thread can read ahead while another one computes.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from isal import igzip, igzip_lib
from pyarrow import csv

from volwatch.analytics.trades import Int32, Int64, Trades
from volwatch.errors import BadObject
from volwatch.rawzone.encode import COLUMNS, HEADER
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import Trade

_REALS = ("price", "size")
_VOCABULARIES = ("source", "symbol", "conditions")
"""Texts of which few occur: they are read as codes."""
_CODED = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    name: pa.float64() if name in _REALS
    else _CODED if name in _VOCABULARIES
    else pa.string() if name == "trade_id"
    else pa.int64()
    for name in COLUMNS
}  # fmt: skip
_CONVERT = csv.ConvertOptions(column_types=_TYPES, null_values=[], strings_can_be_null=False)
_BLOCK_BYTES = 2**23  # as much as most objects have: columns of one piece need no copy
_READ = csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)

_conditions_decoder = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class RawRows:
    """The rows of one object, in order of their offsets.

    Attributes
    ----------
    partition : int
        Kafka partition of all rows.
    trades : Trades
        The rows as the engine takes them.
    seq : int64
        The producer's counter.
    trade_id : array of texts
        The source's own id; empty where it has none.
    """

    partition: int
    trades: Trades
    seq: Int64
    trade_id: pa.ChunkedArray

    def record(self, row: int) -> Trade:
        """Return one row as a trade record."""
        trades = self.trades
        source, symbol = trades.series[trades.code[row]]
        return Trade(
            source,
            symbol,
            int(trades.event_time[row]),
            float(trades.price[row]),
            float(trades.size[row]),
            trades.conditions[trades.condition_code[row]],
            self.trade_id[row].as_py() or None,
            int(trades.received_at[row]),
            int(self.seq[row]),
        )

    def records(self) -> list[Trade]:
        """Return the rows as trade records."""
        trades = self.trades
        series = [trades.series[code] for code in trades.code]
        conditions = [trades.conditions[code] for code in trades.condition_code]
        columns = (trades.event_time, trades.price, trades.size, trades.received_at, self.seq)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        return [
            Trade(source, symbol, event_time, price, size, codes, trade_id or None, received_at, seq)
            for (source, symbol), codes, trade_id, (event_time, price, size, received_at, seq) in zip(
                series, conditions, self.trade_id.to_pylist(), numbers, strict=True
            )
        ]


def bare_rows(partition: int, trades: Trades) -> RawRows:
    """Return rows of which only the trades are known: without ids, and with 0 for the producer's counter."""
    count = len(trades)
    return RawRows(partition, trades, np.zeros(count, np.int64), pa.chunked_array([pa.nulls(count, pa.string())]))


def decode_object(data: bytes, key: ObjectKey | None = None) -> RawRows:
    """Return the rows of an object; given its key, also check that they are the rows the key answers for.

    Raises
    ------
    BadObject
        With reason ``BAD_GZIP`` (truncated or corrupt), ``BAD_HEADER``, ``BAD_ROWS``, ``NO_ROWS``,
        ``MIXED_PARTITIONS``, ``OFFSETS_NOT_ASCENDING`` or ``NOT_ITS_KEY``.
    """
    table = _table(_unzipped(data))
    partition, offset = _numbers(table, "partition"), _numbers(table, "offset")
    _check_order(partition, offset)
    if key is not None:
        _check_key(key, int(partition[0]), offset)
    source_code, sources = _coded(table, "source")
    symbol_code, symbols = _coded(table, "symbol")
    code, pairs = _occurring(source_code.astype(np.int64) * len(symbols) + symbol_code, len(sources) * len(symbols))
    condition_code, condition_texts = _coded(table, "conditions")
    return RawRows(
        partition=int(partition[0]),
        trades=Trades(
            series=tuple((sources[pair // len(symbols)], symbols[pair % len(symbols)]) for pair in pairs.tolist()),
            code=code,
            event_time=_numbers(table, "event_time"),
            received_at=_numbers(table, "received_at"),
            price=_numbers(table, "price"),
            size=_numbers(table, "size"),
            conditions=tuple(_conditions(text) for text in condition_texts),
            condition_code=condition_code,
            offset=offset,
        ),
        seq=_numbers(table, "seq"),
        trade_id=table["trade_id"],
    )


def _unzipped(data: bytes) -> bytes:
    try:
        return igzip.decompress(data)  # type: ignore[no-any-return,no-untyped-call]  # bytes
    except (OSError, EOFError, igzip_lib.IsalError) as error:  # type: ignore[misc]  # its stub calls the last a value
        raise BadObject("BAD_GZIP", str(error)) from error


def _table(text: bytes) -> pa.Table:
    if not text.startswith(HEADER):
        raise BadObject("BAD_HEADER", repr(text[: len(HEADER)]))
    try:
        table = csv.read_csv(pa.py_buffer(text), _READ, convert_options=_CONVERT)
    except pa.ArrowInvalid as error:
        raise BadObject("BAD_ROWS", str(error)) from error
    if not table.num_rows:
        raise BadObject("NO_ROWS", "nothing behind the header")
    return table


def _check_order(partition: Int64, offset: Int64) -> None:
    if (partition != partition[0]).any():
        raise BadObject("MIXED_PARTITIONS", f"partitions {np.unique(partition).tolist()}")
    if (np.diff(offset) <= 0).any():
        raise BadObject("OFFSETS_NOT_ASCENDING", f"after offset {offset[np.argmax(np.diff(offset) <= 0)]}")


def _check_key(key: ObjectKey, partition: int, offset: Int64) -> None:
    if partition != key.partition or offset[0] < key.first_offset or offset[-1] > key.last_offset:
        raise BadObject("NOT_ITS_KEY", f"rows {partition}-{offset[0]}-{offset[-1]} in {key}")


def _numbers(table: pa.Table, name: str) -> npt.NDArray[Any]:
    numbers: npt.NDArray[Any] = table[name].to_numpy()
    return numbers


def _coded(table: pa.Table, name: str) -> tuple[Int32, list[str]]:
    """Return the codes of a column of texts, and the texts that they stand for."""
    column = table[name].unify_dictionaries().combine_chunks()
    return column.indices.to_numpy(), column.dictionary.to_pylist()


def _occurring(codes: Int64, count: int) -> tuple[Int32, Int64]:
    """Return codes, of so many that there may be, as places among those that occur."""
    occurs = np.zeros(count, np.bool_)
    occurs[codes] = True
    return (np.cumsum(occurs, dtype=np.int32) - 1)[codes], np.flatnonzero(occurs)


def _conditions(text: str) -> tuple[str, ...]:
    try:
        return _conditions_decoder.decode(text) if text else ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadObject("BAD_ROWS", f"conditions {text!r}: {error}") from error
