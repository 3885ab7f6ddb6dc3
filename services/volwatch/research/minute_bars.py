"""One-minute bars of many symbols in a file, judged and made ready for the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics.backtest import bar_table
from volwatch.analytics.bars import FLAG_OHLC, BarTable
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Bool, Int64
from volwatch.errors import BadInput
from volwatch.research.tables import read_table

PRICES = ("open", "high", "low", "close")
PRINTS_OF_A_BAR = 4
"""What a bar counts for in a file without a column trades: its open, high, low and close."""


@dataclass(frozen=True, slots=True)
class MinuteBars:
    """The bars of a file, ordered by (symbol, start); a bar's series is the index of its symbol."""

    symbols: tuple[str, ...]
    table: BarTable


def iso_of(epoch_ms: Int64) -> list[str]:
    """Return times as ``2026-01-05T14:30:00Z``."""
    texts: list[str] = np.datetime_as_string(epoch_ms.astype("datetime64[ms]"), unit="s", timezone="UTC").tolist()
    return texts


def read_minute_bars(path: Path) -> MinuteBars:
    """Return the bars of a file with the columns symbol, ts_utc, open, high, low, close, and maybe volume and trades.

    Raises
    ------
    BadInput
        The file is not of this kind, or a bar is none: the first row of each fault, and how many there are.
    """
    optional = ("volume", "trades")
    frame = read_table(path, ("symbol", "ts_utc", *PRICES), optional, numbers=(*PRICES, *optional))
    names, series = np.unique(frame["symbol"].to_numpy(np.str_), return_inverse=True)
    times = pd.to_datetime(frame["ts_utc"], errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    start = times.to_numpy("datetime64[ms]").astype(np.int64)
    n = len(frame)
    given = {name: frame[name].to_numpy(np.float64) for name in (*PRICES, *optional) if name in frame}
    volume, trades = given.get("volume", np.zeros(n)), given.get("trades", np.full(n, float(PRINTS_OF_A_BAR)))
    faults = _faults(path, frame, series, start, {**given, "volume": volume, "trades": trades})
    if faults:
        raise BadInput(faults)
    return MinuteBars(
        tuple(names.tolist()),
        bar_table(
            series.astype(np.int64),
            start,
            {name: given[name] for name in PRICES},
            volume,
            trades.astype(np.int64),
            0 if "trades" in given else FLAG_OHLC,
        ),
    )


def _faults(
    path: Path,
    frame: pd.DataFrame,
    series: npt.NDArray[np.intp],
    start: Int64,
    column: Mapping[str, npt.NDArray[np.float64]],
) -> list[str]:
    prices = np.stack([column[name] for name in PRICES])
    untimed = start == np.iinfo(np.int64).min
    positive = np.isfinite(prices).all(axis=0) & (prices > 0).all(axis=0)
    lowest, highest = prices.min(axis=0), prices.max(axis=0)
    inside = (column["low"] <= lowest) & (column["high"] >= highest)
    volume, trades = column["volume"], column["trades"]
    again = pd.DataFrame({"series": series, "start": start}).duplicated().to_numpy()
    checks = {
        "has no symbol": (frame["symbol"] == "").to_numpy(),
        "has a ts_utc that is no ISO time": untimed,
        "has a ts_utc that is not on a full minute: bars of one minute, please": ~untimed & (start % MINUTE_MS != 0),
        "has the symbol and ts_utc of a row above": ~untimed & again,
        "has a price that is missing or not above 0": ~positive,
        "has an open or close outside of low to high": positive & ~inside,
        "has a volume that is missing or below 0": ~(np.isfinite(volume) & (volume >= 0)),
        "has trades that are no whole number of at least 1": ~(
            np.isfinite(trades) & (trades >= 1) & (trades == np.rint(trades))
        ),
    }
    return [_told(path, frame, wrong, what) for what, wrong in checks.items() if wrong.any()]


def _told(path: Path, frame: pd.DataFrame, wrong: Bool, what: str) -> str:
    row = int(wrong.argmax())
    more = f" ({int(wrong.sum()):,} rows)" if wrong.sum() > 1 else ""
    return f"{path} row {row + 1} ({frame['symbol'].iloc[row]!r}, {frame['ts_utc'].iloc[row]!r}) {what}{more}"
