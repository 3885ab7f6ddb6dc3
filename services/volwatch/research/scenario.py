"""``volwatch scenario``: a market with labelled events, as files."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from volwatch.analytics.bars import BarTable
from volwatch.analytics.trades import Int64
from volwatch.errors import BadInput
from volwatch.market.labelled import first_day_ms, names_of, opens_of, span_of
from volwatch.market.scenarios import Event
from volwatch.market.sessions import SESSION_MINUTES, Plan, make_sessions
from volwatch.research.labels import COLUMNS, LABELS_FILE, MANIFEST_FILE
from volwatch.research.minute_bars import iso_of
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.tables import write_table

BARS_FILE = "bars.csv.gz"
_MOST_SESSIONS = 250

_DESCRIPTION = """\
A market with labelled events, to measure a detector by: one-minute bars of symbols that each follow one scenario.

  null_gbm          constant volatility (geometric Brownian motion)          no event
  null_sv_t         slow and fast log-volatility, Student-t(6) minutes       no event
  null_heston       mean-reverting variance                                  no event
  null_garch        GARCH(1,1) by the minute                                 no event
  null_thin         as null_sv_t, seen through 1.2 trades a minute           no event
  burst_x2, x3, x5  volatility ×2, ×3, ×5 for 5, 10, 15 or 30 minutes        1–2 a day
  jump              7–25 local one-minute sigmas at once                     1–3 a day
  flash             a fall of 2–8 %, most of it regained, 11–27 minutes      on 60 % of days
  regime            volatility ×2–3.5 to the end of the day                  on 70 % of days
  halt              5–15 minutes without a trade, then a jump of 8–20 σ
                    and ×2.5 for 10 minutes: the label begins at the reopening  on 70 % of days
The eventful ones are null_sv_t besides. Trades are drawn one by one (40 a minute on average, prices of whole cents,
15–60 % volatility a year) and made into bars by the engine. Volatility and trades have the shape of a day, a U, which
tilts from day to day (not that of null_gbm); prices move overnight.
"""

_EPILOG = """\
out: DIR with
  bars.csv.gz    symbol, ts_utc (start), open, high, low, close, volume, trades; a minute without a trade has no row
  labels.csv     symbol, scenario, start_utc, end_utc (starts of the first and the last bar), kind, magnitude (factor,
                 sigmas, or depth); a row per event, and one with empty times for a symbol without events
  manifest.json  seed, shapes, symbols, warm_days, eval_days, first_eval_day, bars_per_day
Days are sessions of XNYS of 390 minutes from 2026-01-05 on. The first HISTORY ones are for the detector to learn;
events come in the others, and only these are scored. Same options, same bytes (numpy PCG64).

--shapes mixed deals each symbol another shape of the day: U, flat, a steep open, a late close, a dip at noon.

example:
  volwatch scenario --seed 7 --symbols-per-scenario 6 --shapes mixed -o market
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--seed", required=True, metavar="S", help="a whole number from 0 on")
    parser.add_argument("--symbols-per-scenario", default="2", metavar="K", help="of each of the 12 (default 2)")
    parser.add_argument("--history-days", default="10", metavar="D", help="days without events first (default 10)")
    parser.add_argument("--days", default="5", metavar="E", help="days with events, to be scored (default 5)")
    parser.add_argument("--shapes", default="u", metavar="u|mixed", help="shape of volatility over the day (default u)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="made where it does not exist")


def run(args: argparse.Namespace) -> int:
    """Write the market; return 0."""
    plan = _read(args)
    open_ms = opens_of(plan.sessions)
    names = names_of(plan)
    bars: list[pd.DataFrame] = []
    events: list[Event] = []
    for session in progress(make_sessions(plan, open_ms), "sessions", total=plan.sessions):
        bars.append(_bars_frame(session.bars, names))
        events += session.events
    labels = _labels_frame(plan, names, events, open_ms)
    write_table(pd.concat(bars).sort_values("symbol", kind="stable"), args.output / BARS_FILE)
    write_table(labels, args.output / LABELS_FILE)
    _write_manifest(plan, open_ms, args.output / MANIFEST_FILE)
    sys.stderr.write(
        f"volwatch scenario: {sum(map(len, bars)):,} bars of {len(names):,} symbols, {len(events):,} events\n"
    )
    return 0


def _read(args: argparse.Namespace) -> Plan:
    faults = Faults()
    plan = Plan(
        seed=faults.whole("--seed", args.seed, 0),
        symbols_per_scenario=faults.whole("--symbols-per-scenario", args.symbols_per_scenario, 1),
        history=faults.whole("--history-days", args.history_days, 0),
        evaluated=faults.whole("--days", args.days, 1),
        mixed=args.shapes == "mixed",
    )
    if args.shapes not in ("u", "mixed"):
        faults.found.append(f"--shapes: u or mixed, not {args.shapes!r}")
    if plan.sessions > _MOST_SESSIONS:
        faults.found.append(f"--history-days and --days: at most {_MOST_SESSIONS} together, not {plan.sessions}")
    faults.found += _make_directory(args.output) if not faults.found else []
    faults.tell()
    return plan


def _make_directory(path: Path) -> list[str]:
    """Make the directory; return why none can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return [f"{path} cannot be made: {error}"]
    return [] if os.access(path, os.W_OK) else [f"{path} cannot be written"]


def _bars_frame(table: BarTable, names: Sequence[str]) -> pd.DataFrame:
    prices = {name: np.char.mod("%.2f", getattr(table, name)) for name in ("open", "high", "low", "close")}
    return pd.DataFrame(
        {
            "symbol": np.array(names, np.object_)[table.series],
            "ts_utc": iso_of(table.start),
            **prices,
            "volume": table.volume.astype(np.int64),
            "trades": table.trades,
        }
    )


def _labels_frame(plan: Plan, names: Sequence[str], events: list[Event], open_ms: Int64) -> pd.DataFrame:
    """Return a row per event, and one without times for each symbol that had none, by symbol and time."""
    rows = []
    for symbol, (name, scenario) in enumerate(zip(names, plan.scenario, strict=True)):
        own = [event for event in events if event.symbol == symbol]
        for event in own:
            start, end = iso_of(np.array(span_of(event, open_ms)))
            rows.append((name, scenario, start, end, scenario, f"{event.magnitude:.4g}"))
        if not own:
            rows.append((name, scenario, "", "", "", ""))
    return pd.DataFrame(rows, columns=COLUMNS)


def _write_manifest(plan: Plan, open_ms: Int64, path: Path) -> None:
    first_day = np.datetime64(first_day_ms(plan, open_ms), "ms").astype("datetime64[D]")
    facts = {
        "seed": plan.seed,
        "shapes": "mixed" if plan.mixed else "u",
        "symbols": len(plan.scenario),
        "warm_days": plan.history,
        "eval_days": plan.evaluated,
        "first_eval_day": str(first_day),
        "bars_per_day": SESSION_MINUTES,
    }
    try:
        path.write_text(json.dumps(facts) + "\n", "utf-8")
    except OSError as error:
        raise BadInput([f"{path} cannot be written: {error}"]) from error
