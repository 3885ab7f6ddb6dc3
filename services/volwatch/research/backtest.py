"""``volwatch backtest``: the alerts that the platform would have raised, on bars in a file or on the raw zone."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from volwatch.alerts import explain
from volwatch.analytics.backtest import (
    CONTINUOUS_HOURS,
    SESSION_GAP_HOURS,
    calendar_of,
    in_session,
    starts_by_symbol,
    steps,
)
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import MINUTE_MS, Calendar, calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.results import Transition
from volwatch.analytics.trades import Int64
from volwatch.errors import Transient
from volwatch.market.labels import Labels
from volwatch.rawzone.store import Rawzone
from volwatch.research.labels import read_labels
from volwatch.research.minute_bars import PRINTS_OF_A_BAR, MinuteBars, iso_of, read_minute_bars
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.raw import Found, raw_steps, read_range
from volwatch.research.sweep import LEVELS, Point, curve_faults, point, table_of, write_curve
from volwatch.research.tables import output_faults, write_table
from volwatch.settings import RawzoneSettings, describe, load_one

COLUMNS = ("symbol", "ts_utc", "severity", "statistic", "why", "kind", "closed_utc", "highest_severity")
AUTO = "auto"
_USUAL_CALENDAR = "XNYS"
_SYMBOLS_AT_ONCE = 50  # bounds the memory, and is what the progress bar counts

_DESCRIPTION = f"""\
The alerts that the platform would have raised: the same engine, from an empty state, over bars in a file (taken as
final) or over the trades of the raw zone. No server is written to.

detector LRE (Alizadeh, Brandt & Diebold 2002, J. Finance 57:1047): x = ln(true range/√minutes) of each bar, less its
usual value at that time of day, less a robust baseline: in units of their spread this is z. S is the larger of z (a
jump) and an EWMA of z of unit variance (a burst). An alert opens at S >= ENTER and closes below 0.6 ENTER; none opens
within 10 bars of the last, in the first 60 bars of a symbol, or on a bar of one trade. The first bar after a halt is
judged by z alone.

--sweep prints and draws what each of many levels gives ({LEVELS[0]:g} to {LEVELS[-1]:g} by 0.1): onsets per symbol-day
and, with --labels, false alarms per symbol-day with their 95 % Poisson interval, of all and of null symbols; ARL0 =
minutes of a session/(false alarms per null symbol-day), in bars; recall, precision, F1; median delay in minutes. The
rules are those of volwatch score. ENTER is a quantile, not a constant: choose the false alarms you can live with.
"""

_EPILOG = f"""\
in: symbol, ts_utc (start of the bar, ISO, on a full minute), open, high, low, close; volume, trades. A minute without a
  trade has no row. Without a column trades a bar counts as {PRINTS_OF_A_BAR} prints.
out: {", ".join(COLUMNS)}; a row per onset, in order of time: ts_utc is the start
  of the bar that raised it, severity that of then, why the sentence that the platform's alert has; closed_utc is the
  end of the bar that closed it, if any did, highest_severity the one it had risen to. With several levels also a column
  enter.

--calendar NAME: XNYS, 24/7, 24/5 or any of exchange-calendars; bars outside its regular hours are not judged. Without
it ({AUTO}), {_USUAL_CALENDAR} if every bar lies in its regular hours. Else the bars tell: {SESSION_GAP_HOURS} hours
without a bar of any symbol part two sessions, and where these last more than {CONTINUOUS_HOURS} hours the market is
taken for one around the clock. A session of thinly traded symbols is found too short so: name the calendar.

--raw START..END takes the trades of [START, END), UTC, all partitions, instead of a file. Begin some days early: the
detector knows nothing at START. A symbol has the calendar of its form (a US stock, or VENUE:PAIR). The store is named
by
{describe(RawzoneSettings)}

examples:
  volwatch backtest bars.csv.gz -o alerts.csv --enter 4
  volwatch backtest bars.csv.gz --sweep --labels market --curve curve.html
  volwatch backtest --raw 2026-11-19T14:30..2026-11-23T21:00 -o alerts.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("bars", type=Path, nargs="?", metavar="BARS.csv.gz", help=".csv, .csv.gz or .parquet")
    parser.add_argument("--raw", metavar="START..END", help="take trades of the raw zone instead")
    parser.add_argument("-o", "--output", type=Path, metavar="ALERTS.csv", help="as the suffixes above")
    parser.add_argument(
        "--enter", action="append", metavar="X", help=f"level that opens; may be repeated (default {_default():g})"
    )
    parser.add_argument("--calendar", default=AUTO, metavar="NAME", help=f"of all symbols (default {AUTO})")
    parser.add_argument("--sweep", action="store_true", help="print what many levels give")
    parser.add_argument("--labels", type=Path, metavar="LABELS", help="with --sweep: labels.csv, or its directory")
    parser.add_argument(
        "--curve",
        type=Path,
        metavar="CURVE.html",
        help="with --sweep: where to draw it (default BARS.curve.html, in this directory)",
    )


def _default() -> float:
    return EngineConfig().enter


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask for, and what they name."""

    levels: tuple[float, ...]
    bars: MinuteBars | None
    raw: tuple[int, int] | None
    calendar: Calendar | None
    labels: Labels | None


def run(args: argparse.Namespace) -> int:
    """Write the alerts, or print what many levels give; return 0, or 1 if the raw zone does not answer."""
    asked = _read(args)
    if asked.bars is None:
        return _run_raw(args, asked)
    calendar = asked.calendar or calendar_of_all(asked.bars.table.start)
    found: dict[float, list[Transition]] = {level: [] for level in asked.levels}
    for level, part in progress(list(_parts(asked.levels, asked.bars.table)), "back-testing"):
        found[level] += steps(part, asked.bars.symbols, calendar, EngineConfig(enter=level))
    _tell(asked.bars, calendar, _openings(found[asked.levels[0]]), asked.levels[0])
    if args.sweep:
        points = _points(asked, calendar, found)
        sys.stdout.write(table_of(points, labelled=asked.labels is not None) + "\n")
        curve = _curve(args)
        write_curve(points, curve, labelled=asked.labels is not None)
        sys.stderr.write(f"volwatch backtest: drawn in {curve}\n")
    if args.output is not None:
        _write_alerts(found, args.output)
    return 0


def _read(args: argparse.Namespace) -> Asked:
    faults = Faults()
    given = [faults.number("--enter", text, "a number above 0", lambda x: x > 0) for text in args.enter or []]
    usual = LEVELS if args.sweep else (_default(),)
    levels = tuple(sorted(set(given))) or usual
    faults.found += _contradictions(args, levels)
    if args.output is not None:
        faults.found += output_faults(args.output, *([args.bars] if args.bars else []))
    if args.curve is not None or (args.sweep and args.bars is not None):
        faults.found += curve_faults(_curve(args))
    calendar, raw, bars, labels = None, None, None, None
    if args.calendar != AUTO:
        try:
            calendar = calendar_named(args.calendar)
        except ValueError:
            faults.found.append(f"--calendar: there is no {args.calendar!r}: XNYS, 24/7, 24/5, XLON, XTKS …, or {AUTO}")
    with faults.gathering():
        raw = None if args.raw is None else read_range(args.raw)
    with faults.gathering():
        labels = None if args.labels is None else read_labels(args.labels)
    with faults.gathering():
        bars = None if args.bars is None else read_minute_bars(args.bars)
    faults.tell()
    return Asked(levels, bars, raw, calendar, labels)


def _curve(args: argparse.Namespace) -> Path:
    """Return where a sweep is drawn: in a page of its own."""
    curve: Path = args.curve or Path(f"{args.bars.name.partition('.')[0]}.curve.html")
    return curve


def _contradictions(args: argparse.Namespace, levels: Sequence[float]) -> list[str]:
    """Return what is asked for and does not go together."""
    of_sweep = [
        f"--{name}: only with --sweep" for name in ("labels", "curve") if getattr(args, name) and not args.sweep
    ]
    checks = {
        "give either BARS.csv.gz or --raw": (args.bars is None) == (args.raw is None),
        "-o ALERTS.csv: only --sweep can do without": args.output is None and not args.sweep,
        "--raw: not with --sweep": args.raw is not None and args.sweep,
        "--raw: one --enter only": args.raw is not None and len(levels) > 1,
        "--raw: each symbol has the calendar of its form, no --calendar": args.raw is not None
        and args.calendar != AUTO,
    }
    return [*of_sweep, *(text for text, wrong in checks.items() if wrong)]


def calendar_of_all(start_ms: Int64) -> Calendar:
    """Return the sessions of bars whose calendar nobody named."""
    usual = calendar_named(_USUAL_CALENDAR)
    return usual if in_session(usual, start_ms).all() else calendar_of(start_ms)


def _parts(levels: Sequence[float], table: BarTable) -> Iterator[tuple[float, BarTable]]:
    """Yield the bars of some symbols at a time, at each level."""
    symbols = int(table.series[-1]) + 1
    bounds = np.searchsorted(table.series, np.arange(0, symbols + _SYMBOLS_AT_ONCE, _SYMBOLS_AT_ONCE)).tolist()
    parts = [table.take(np.arange(first, last)) for first, last in pairwise(bounds)]
    yield from ((level, part) for level in levels for part in parts)


def _points(asked: Asked, calendar: Calendar, found: dict[float, list[Transition]]) -> list[Point]:
    assert asked.bars is not None  # noqa: S101 - there is no sweep of the raw zone
    sessions = np.unique(calendar.place(asked.bars.table.start).session)
    symbol_days = len(asked.bars.symbols) * int((sessions >= 0).sum())
    return [
        point(level, starts_by_symbol(_openings(told)), symbol_days, calendar.session_minutes, asked.labels)
        for level, told in found.items()
    ]


def _openings(told: Sequence[Transition]) -> list[Transition]:
    return [step for step in told if step.state == "OPEN"]


def _run_raw(args: argparse.Namespace, asked: Asked) -> int:
    assert asked.raw is not None  # noqa: S101 - of bars and raw exactly one is given
    config = EngineConfig(enter=asked.levels[0])
    try:
        found = raw_steps(Rawzone.connect(load_one(RawzoneSettings)), *asked.raw, config)
    except Transient as error:
        sys.stderr.write(f"volwatch backtest: the raw zone does not answer: {error}\n")
        return 1
    _write_alerts({config.enter: found.steps}, args.output)
    _tell_raw(found)
    return 0


def _write_alerts(found: dict[float, list[Transition]], path: Path) -> None:
    frames = [_alerts_frame(told, level) for level, told in found.items()]
    if len(frames) == 1:
        frames = [frames[0].drop(columns="enter")]
    write_table(pd.concat(frames), path)


def _alerts_frame(told: list[Transition], level: float) -> pd.DataFrame:
    """Return a row per onset, in order of (bar, symbol)."""
    config_hash = EngineConfig(enter=level).hash
    last = {(step.source, step.symbol, step.onset): step for step in told}
    rows = []
    for step in sorted(_openings(told), key=lambda step: (step.onset, step.symbol)):
        assert step.facts is not None  # noqa: S101 - an opening has the bar that caused it
        why = explain(step, step.facts, level, config_hash).sentence
        end = last[step.source, step.symbol, step.onset]
        closed = iso_of(np.array([end.bar + MINUTE_MS]))[0] if end.state == "CLOSED" else None
        onset = iso_of(np.array([step.onset]))[0]
        of_onset = (step.symbol, onset, step.severity, step.facts.statistic, why, step.kind)
        rows.append((level, *of_onset, closed, end.severity))
    return pd.DataFrame(rows, columns=["enter", *COLUMNS])


def _tell(bars: MinuteBars, calendar: Calendar, openings: list[Transition], level: float) -> None:
    start = bars.table.start
    session = calendar.place(start).session
    outside = int((session < 0).sum())
    found = "found from the bars" if calendar.name == "bars" else f"of {calendar.name}"
    apart = f", {outside:,} bars outside of them not judged" if outside else ""
    sys.stderr.write(
        f"volwatch backtest: {len(start):,} bars of {len(bars.symbols):,} symbols in "
        f"{len(np.unique(session[session >= 0])):,} sessions {found}{apart}; {len(openings):,} onsets at {level:g}\n"
    )


def _tell_raw(found: Found) -> None:
    sys.stderr.write(
        f"volwatch backtest: {found.trades:,} trades in {found.objects:,} objects; {len(found.onsets):,} onsets\n"
    )
    sys.stderr.writelines(f"  left out: {fault}\n" for fault in found.faults)
