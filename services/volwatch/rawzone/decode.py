"""The bytes of a raw zone object back to trades, as the columns that the engine takes."""

import gzip
import io
import zlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics.trades import Int64, Trades
from volwatch.errors import BadObject
from volwatch.rawzone.encode import COLUMNS, HEADER
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import Trade

_TEXTS = ("source", "symbol", "conditions", "trade_id")
# Texts as plain objects: as categories, pandas would take "00" for a number.
_TYPES = {name: "object" if name in _TEXTS else "float64" if name in ("price", "size") else "int64" for name in COLUMNS}
# Before pandas 3.1 the default parser may be off by the last bit; from 3.1 on it is exact and the option goes away.
_OPTIONS = {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
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
    trade_id : object
        The source's own id, or None.
    """

    partition: int
    trades: Trades
    seq: Int64
    trade_id: npt.NDArray[np.object_]

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
            self.trade_id[row],
            int(trades.received_at[row]),
            int(self.seq[row]),
        )

    def records(self) -> list[Trade]:
        """Return the rows as trade records."""
        trades = self.trades
        series = [trades.series[code] for code in trades.code]
        conditions = [trades.conditions[code] for code in trades.condition_code]
        columns = (trades.event_time, trades.price, trades.size, trades.received_at, self.seq, self.trade_id)
        numbers = zip(*(column.tolist() for column in columns), strict=True)
        return [
            Trade(source, symbol, event_time, price, size, codes, trade_id, received_at, seq)
            for (source, symbol), codes, (event_time, price, size, received_at, seq, trade_id) in zip(
                series, conditions, numbers, strict=True
            )
        ]


def decode_object(data: bytes, key: ObjectKey | None = None) -> RawRows:
    """Return the rows of an object; given its key, also check that they are the rows the key answers for.

    Raises
    ------
    BadObject
        With reason ``BAD_GZIP`` (truncated or corrupt), ``BAD_HEADER``, ``BAD_ROWS``, ``NO_ROWS``,
        ``MIXED_PARTITIONS``, ``OFFSETS_NOT_ASCENDING`` or ``NOT_ITS_KEY``.
    """
    frame = _frame(_unzipped(data))
    partition, offset = _numbers(frame, "partition"), _numbers(frame, "offset")
    _check_order(partition, offset)
    if key is not None:
        _check_key(key, int(partition[0]), offset)
    source_code, sources = _coded(frame, "source")
    symbol_code, symbols = _coded(frame, "symbol")
    pairs, code = np.unique(source_code * len(symbols) + symbol_code, return_inverse=True)
    condition_code, condition_texts = _coded(frame, "conditions")
    id_code, ids = _coded(frame, "trade_id")
    return RawRows(
        partition=int(partition[0]),
        trades=Trades(
            series=tuple((sources[pair // len(symbols)], symbols[pair % len(symbols)]) for pair in pairs.tolist()),
            code=code.astype(np.int32),
            event_time=_numbers(frame, "event_time"),
            received_at=_numbers(frame, "received_at"),
            price=frame["price"].to_numpy(np.float64),
            size=frame["size"].to_numpy(np.float64),
            conditions=tuple(_conditions(text) for text in condition_texts),
            condition_code=condition_code.astype(np.int32),
            offset=offset,
        ),
        seq=_numbers(frame, "seq"),
        trade_id=np.array([text or None for text in ids], dtype=np.object_)[id_code],
    )


def _unzipped(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadObject("BAD_GZIP", str(error)) from error


def _frame(text: bytes) -> pd.DataFrame:
    if not text.startswith(HEADER):
        raise BadObject("BAD_HEADER", repr(text[: len(HEADER)]))
    if len(text) == len(HEADER):
        raise BadObject("NO_ROWS", "nothing behind the header")
    try:
        frame: pd.DataFrame = pd.read_csv(io.BytesIO(text), dtype=_TYPES, na_filter=False, **_OPTIONS)  # type: ignore[call-overload]
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise BadObject("BAD_ROWS", str(error)) from error
    if not isinstance(frame.index, pd.RangeIndex):  # what pandas makes of a first row that is longer than the header
        raise BadObject("BAD_ROWS", "rows are longer than the header")
    return frame


def _check_order(partition: Int64, offset: Int64) -> None:
    if (partition != partition[0]).any():
        raise BadObject("MIXED_PARTITIONS", f"partitions {np.unique(partition).tolist()}")
    if (np.diff(offset) <= 0).any():
        raise BadObject("OFFSETS_NOT_ASCENDING", f"after offset {offset[np.argmax(np.diff(offset) <= 0)]}")


def _check_key(key: ObjectKey, partition: int, offset: Int64) -> None:
    if partition != key.partition or offset[0] < key.first_offset or offset[-1] > key.last_offset:
        raise BadObject("NOT_ITS_KEY", f"rows {partition}-{offset[0]}-{offset[-1]} in {key}")


def _numbers(frame: pd.DataFrame, name: str) -> Int64:
    return frame[name].to_numpy(np.int64)


def _coded(frame: pd.DataFrame, name: str) -> tuple[Int64, list[str]]:
    codes, texts = pd.factorize(frame[name].to_numpy())
    return codes.astype(np.int64), texts.tolist()


def _conditions(text: str) -> tuple[str, ...]:
    try:
        return _conditions_decoder.decode(text) if text else ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadObject("BAD_ROWS", f"conditions {text!r}: {error}") from error
