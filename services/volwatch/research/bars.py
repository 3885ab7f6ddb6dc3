"""``volwatch bars``: one-minute bars of recorded trades, made by the very engine that the platform runs."""

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from volwatch import finnhub
from volwatch.analytics.bars import FUTURE_TOLERANCE_MS, MARK_CONDITION, REASONS, BarTable, empty_table
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Rejected, Result
from volwatch.analytics.trades import Series, Trades, from_records
from volwatch.errors import BadInput
from volwatch.research.messages import Intake, RejectRow
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.tables import SUFFIXES, output_faults, write_table
from volwatch.trade import Trade

COLUMNS = ("symbol", "bar_start_ms", "open", "high", "low", "close", "volume", "vwap", "trades")
MINUTE_SECONDS = 60
_BLOCK_BYTES = 8_000_000  # of lines at a time: bounds the memory, and is what the progress bar counts

_DESCRIPTION = """\
One-minute bars of recorded trades, exactly as the platform makes them: same engine, same rules, no server.

A bar is labelled by its start and covers [start, start + 60 s), on the grid of UTC minutes, of the times t of its
trades. In the order of (t, arrival): open is the first price, close the last; high and low are the extremes;
volume = Σ size, vwap = Σ price·size / Σ size, trades is their number. A minute without a trade has no bar.
"""

_EPILOG = f"""\
in: a JSON object a line, in order of arrival, each with a message as Finnhub's websocket sends it:
  {{"arrival_ms": 1767623401126, "message": {{"type": "trade", "data": [
      {{"s": "AAPL", "p": 191.86, "t": 1767623401106, "v": 500, "c": ["1", "8"]}}]}}}}      (a single line in the file)
  arrival_ms: when the message came, t: when the trade was, both epoch milliseconds; p price, v size, c conditions (may
  be null or missing). Other types (ping, error) are only counted. arrival_ms is the clock: a bar is final once its end
  is older than the lateness; at the end of the file all are.

out: {", ".join(COLUMNS)}; ordered by symbol and start.
  Numbers come back bit for bit; vwap is empty where the volume is 0.
  BARS.rejects.csv beside it: arrival_ms, reason and text of each trade that is in no bar, block by block of the file.
  The text is what came; of a trade that is well-formed and refused for its values, these are written anew.

A rejected trade takes no other of its message with it. Reasons:
  MALFORMED       keys are missing, t is no integer; or the line has not the shape above (its text is the whole line)
  UNKNOWN_SYMBOL  not one of --symbols
  BAD_PRICE       p is no finite JSON number (a text, null, NaN), or not above 0, or absurd
  BAD_SIZE        v is no finite JSON number, or below 0, or absurd
  ZERO_SIZE       v is 0: a price was updated, nothing traded
  FUTURE          t is more than 5 s after the arrival (microseconds are, too)
  TOO_OLD         t is 24 h or more before the arrival (seconds are, too)
  LATE            the bar was final already
  OUTLIER         a bad print: |ln(p/m)| > max(0.3 %, 8 s), with median m and spread s = 1.4826 MAD/m of the 20 prints
                  before it; three such in a row that agree are a move, and stay

A feed repeats whole messages: one with exactly the trades of an earlier one is dropped and counted as resent. Equal
trades inside a message, or in messages that differ, are real. Two equal trades that are each alone in their message
cannot be told from a resend, and count as one.

example:
  volwatch bars trades.jsonl -o bars.csv --symbols AAPL,BINANCE:BTCUSDT

exit code: 0, or 2 when the file is not of this kind; a bad line in a good file is a reject
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("messages", type=Path, metavar="TRADES.jsonl", help="recorded messages, one a line")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="BARS.csv", help=", ".join(SUFFIXES))
    parser.add_argument("--lateness", default="120", metavar="S", help="seconds a bar waits for trades (default 120)")
    parser.add_argument("--no-outlier-filter", action="store_true", help="keep bad prints in the bars")
    parser.add_argument("--symbols", metavar="A,B", help="the symbols to take (default all)")


def run(args: argparse.Namespace) -> int:
    """Write the bars and the rejects; return 0."""
    faults = Faults()
    lateness_seconds = faults.whole("--lateness", args.lateness, 0)
    faults.found += output_faults(args.output) or output_faults(_rejects_path(args.output))
    if not args.messages.is_file():
        faults.found.append(f"{args.messages} is no file")
    symbols = None if args.symbols is None else frozenset(filter(None, args.symbols.split(",")))
    if symbols is not None and not symbols:
        faults.found.append("--symbols: names, with commas between them")
    faults.tell()
    intake = Intake(args.messages, lateness_seconds, symbols)
    rejected: Counter[str] = Counter()
    with _rejects_file(_rejects_path(args.output)) as write_rejects:

        def set_aside(rows: list[RejectRow]) -> None:
            rejected.update(row.reason for row in rows)
            write_rejects(rows)

        config = EngineConfig(lateness_seconds=lateness_seconds, outlier_filter=not args.no_outlier_filter)
        bars = make_bars(_blocks(args.messages), intake, Engine(config), set_aside)
        is_text = args.output.suffix.lower() != ".parquet"
        write_table(_with_whole_volumes(bars) if is_text else bars, args.output)
    _tell(intake, rejected, bars)
    return 0


def make_bars(
    blocks: Iterable[Sequence[bytes]], intake: Intake, engine: Engine, set_aside: Callable[[list[RejectRow]], None]
) -> pd.DataFrame:
    """Return the bars of all lines, ordered by symbol and start; what is in no bar is set aside on the way."""
    made = [_bar_frame((), empty_table())]

    def process(trades: Trades) -> list[RejectRow]:
        result = engine.process(trades)
        made.extend(_final_bars(result))
        return _refused(result.rejected)

    last: Trade | None = None
    for lines in blocks:
        first = intake.trades
        trades, rejects = intake.take(lines)
        if trades:
            last = trades[-1]
            rejects += process(from_records(trades, first))
        set_aside(rejects)
    intake.end()
    if last is not None:
        set_aside(process(from_records([_mark(last, engine)], intake.trades)))
    return pd.concat(made).sort_values(["symbol", "bar_start_ms"], ignore_index=True)


def _mark(last: Trade, engine: Engine) -> Trade:
    """Return a record that is no trade and makes all bars of its source final."""
    watermark = engine.state.watermarks[last.source]
    end = watermark + FUTURE_TOLERANCE_MS + MINUTE_MS + engine.config.lateness_seconds * 1000
    return Trade(last.source, last.symbol, end, 0.0, 0.0, (MARK_CONDITION,), None, end, last.seq + 1)


def _final_bars(result: Result) -> Iterator[pd.DataFrame]:
    for bars in result.bars:
        if bars.bar_seconds == MINUTE_SECONDS:
            yield _bar_frame(result.series, bars.table.take(bars.final))


def _bar_frame(series: Sequence[Series], table: BarTable) -> pd.DataFrame:
    symbols = np.array([symbol for _, symbol in series], dtype=object)
    columns = {name: getattr(table, name) for name in COLUMNS[2:]}
    return pd.DataFrame({"symbol": symbols[table.series], "bar_start_ms": table.start, **columns})


def _refused(rejected: Rejected) -> list[RejectRow]:
    """Return what the engine rejected; only values came to it, so the texts are written anew."""
    trades = rejected.trades
    columns = (trades.event_time, trades.price, trades.size, trades.code, trades.condition_code)
    texts = [
        finnhub.encode_print(trades.series[code][1], event_time, price, size, trades.conditions[condition_code])
        for event_time, price, size, code, condition_code in zip(*(c.tolist() for c in columns), strict=True)
    ]
    reasons = [REASONS[code] for code in rejected.reason.tolist()]
    return list(map(RejectRow, trades.received_at.tolist(), reasons, texts))


def _with_whole_volumes(bars: pd.DataFrame) -> pd.DataFrame:
    """Return bars whose volumes are texts as people write them: 500, not 500.0, and 0.25 where it is a fraction."""
    return bars.assign(volume=[repr(volume).removesuffix(".0") for volume in bars["volume"].tolist()])


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """Yield the lines of a file, a bounded number of bytes at a time, and tell how far it is."""
    try:
        with path.open("rb") as file:
            total = -(-path.stat().st_size // _BLOCK_BYTES)
            yield from progress(iter(lambda: file.readlines(_BLOCK_BYTES), []), "blocks of 8 MB", total=total)
    except OSError as error:
        raise BadInput([f"{path} cannot be read: {error}"]) from error


def _rejects_path(bars_path: Path) -> Path:
    suffix = next(suffix for suffix in SUFFIXES if bars_path.name.lower().endswith(suffix))
    return bars_path.with_name(bars_path.name[: -len(suffix)] + ".rejects.csv")


@contextmanager
def _rejects_file(path: Path) -> Iterator[Callable[[list[RejectRow]], None]]:
    """Yield what writes rejects: as they come, for there may be millions. The file appears whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(RejectRow._fields)
            yield lambda rows: writer.writerows(
                (row.arrival_ms, row.reason, row.trade.decode("utf-8", "backslashreplace")) for row in rows
            )
        part.replace(path)
    except OSError as error:
        raise BadInput([f"{path} cannot be written: {error}"]) from error
    finally:
        part.unlink(missing_ok=True)


def _tell(intake: Intake, rejected: Counter[str], bars: pd.DataFrame) -> None:
    resent = intake.duplicates.memory
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in intake.messages.most_common())
    lines = [
        f"messages   {intake.messages.total():,} ({kinds})",
        f"resent     {resent.messages:,} messages with {resent.trades:,} trades",
        f"accepted   {int(bars['trades'].sum()):,} trades in {len(bars):,} bars",
        f"rejected   {rejected.total():,}",
        *(f"  {reason:<15}{count:,}" for reason, count in sorted(rejected.items())),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
