"""``volwatch score``: alerts in a file against the labelled events of a scenario."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from volwatch.analytics.trades import Int64
from volwatch.errors import BadInput
from volwatch.market.labels import NULL, Labels
from volwatch.market.scoring import Ratio, Tally, count, nulls, total
from volwatch.research.intervals import Estimate, delay, f1, proportion, rate
from volwatch.research.labels import read_labels
from volwatch.research.options import Faults
from volwatch.research.tables import read_table

_DESCRIPTION = """\
What alerts are worth against labelled events: what was found, what was false, how late, and how sure that is.

An event of bars [start, end] is HIT when an onset of its symbol lies in [start, end + 5 min]; further onsets up to
end + 20 min are neutral; every other onset of an evaluation day is FALSE. Onsets before the first one do not count.
  precision       hits/(hits + false)
  recall          hits/events
  F1              2 · precision · recall/(precision + recall)
  false alarms    per symbol and evaluation day: of all symbols, and of those whose scenario has no event (null_…)
  delay           minutes from the start of an event to its first onset: median and 90 % point of those that were hit
Beside each its 95 % interval: exact binomial (Clopper & Pearson 1934) for shares, exact Poisson (Garwood 1936) for
rates, order statistics for delays; that of F1 = 2J/(1+J) is that of J = hits/(events + false). They take events for
independent: those of one symbol are not quite.
"""

_EPILOG = """\
in: ALERTS.csv: symbol, ts_utc (start of the bar that raised the onset, ISO); a row per onset, others are ignored.
  LABELS: a directory with labels.csv (symbol, scenario, start_utc, end_utc: starts of the first and the last bar; empty
  for a symbol without events) and manifest.json (first_eval_day, eval_days); or the path of such a labels.csv.
out: a table on standard output; with --json an object, its rates as numbers, null where nothing was counted, and
  interval_95 with the same keys.

Onsets of symbols that have no label are not counted, and named on standard error.

example:
  volwatch scenario --seed 7 -o market && volwatch backtest market/bars.csv.gz -o alerts.csv
  volwatch score alerts.csv market
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("alerts", type=Path, metavar="ALERTS.csv", help=".csv, .csv.gz or .parquet")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="directory of labels.csv and manifest.json")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the score; return 0."""
    faults = Faults()
    with faults.gathering():
        onsets = read_alerts(args.alerts)
    with faults.gathering():
        labels = read_labels(args.labels)
    faults.tell()
    strangers = sorted(set(onsets) - set(labels.events))
    if strangers:
        shown = ", ".join(strangers[:10]) + (" …" if len(strangers) > 10 else "")
        sys.stderr.write(f"volwatch score: not counted, for they have no label: {shown}\n")
    tallies = count(labels, onsets)
    sys.stdout.write(json.dumps(as_json(tallies), indent=1) + "\n" if args.json else as_text(tallies, labels))
    return 0


def read_alerts(path: Path) -> dict[str, Int64]:
    """Return the onset bars of each symbol in epoch ms.

    Raises
    ------
    BadInput
        It is no such file, or holds the onsets of several levels.
    """
    try:
        frame = read_table(path, ("symbol", "ts_utc"), ("enter",), numbers=())
    except BadInput as error:
        if error.faults == [f"{path} has no row"]:
            return {}  # nothing was raised: the best that a set of nulls can hold
        raise
    times = pd.to_datetime(frame["ts_utc"], errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    faults = []
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        faults.append(f"{path} row {row + 1}: ts_utc {frame['ts_utc'].iloc[row]!r} is no ISO time")
    if "enter" in frame and frame["enter"].nunique() > 1:
        levels = ", ".join(frame["enter"].unique()[:5])
        faults.append(f"{path} holds the onsets of several levels ({levels}): score one at a time")
    if faults:
        raise BadInput(faults)
    start = times.to_numpy("datetime64[ms]").astype(np.int64)
    return {str(symbol): start[rows] for symbol, rows in frame.groupby("symbol").indices.items()}


def as_json(tallies: Mapping[str, Tally]) -> dict[str, object]:
    """Return the numbers by their names, and under ``interval_95`` the intervals by the same."""
    whole, calm = total(tallies), nulls(tallies)
    estimates = {
        "precision": proportion(whole.precision),
        "recall": proportion(whole.recall),
        "f1": f1(whole),
        "false_per_symbol_day": rate(whole.false_per_symbol_day),
        "false_per_null_symbol_day": rate(calm.false_per_symbol_day),
        "delay_median": delay(whole, 0.5),
        "delay_p90": delay(whole, 0.9),
    }
    by_kind = {name: proportion(tally.recall) for name, tally in tallies.items() if tally.events}
    by_null = {name: rate(tally.false_per_symbol_day) for name, tally in tallies.items() if name.startswith(NULL)}

    def interval(estimate: Estimate) -> list[float | None]:
        return [estimate.low, estimate.high]

    return {
        **{name: estimate.value for name, estimate in estimates.items()},
        "recall_by_kind": {name: estimate.value for name, estimate in by_kind.items()},
        "false_by_null": {name: estimate.value for name, estimate in by_null.items()},
        "interval_95": {
            **{name: interval(estimate) for name, estimate in estimates.items()},
            "recall_by_kind": {name: interval(estimate) for name, estimate in by_kind.items()},
            "false_by_null": {name: interval(estimate) for name, estimate in by_null.items()},
        },
        "events": whole.events,
        "hits": whole.hits,
        "false": whole.false,
        "neutral": whole.neutral,
        "symbol_days": whole.symbol_days,
        "null_symbol_days": calm.symbol_days,
    }


def as_text(tallies: Mapping[str, Tally], labels: Labels) -> str:
    """Return the score as a table for people."""
    whole, calm = total(tallies), nulls(tallies)
    lines = [
        f"{whole.events:,} events of {len(labels.events):,} symbols in {whole.symbol_days:,} symbol-days; "
        f"{whole.hits:,} hit, {whole.false:,} false alarms, {whole.neutral:,} further onsets",
        _line("", None, "95 % interval"),
        _line("precision", proportion(whole.precision), _counted(whole.precision)),
        _line("recall", proportion(whole.recall), _counted(whole.recall)),
        _line("F1", f1(whole), ""),
        _line("false alarms/symbol-day", rate(whole.false_per_symbol_day), _counted(whole.false_per_symbol_day, "in")),
        _line("  of null symbols", rate(calm.false_per_symbol_day), _counted(calm.false_per_symbol_day, "in")),
        _line("delay median, min", delay(whole, 0.5), ""),
        _line("delay p90, min", delay(whole, 0.9), ""),
        "recall by kind",
        *(_line(f"  {name}", proportion(t.recall), _counted(t.recall)) for name, t in tallies.items() if t.events),
        "false alarms/symbol-day by null",
        *(
            _line(f"  {name}", rate(t.false_per_symbol_day), _counted(t.false_per_symbol_day, "in"))
            for name, t in tallies.items()
            if name.startswith(NULL)
        ),
    ]
    return "\n".join(lines) + "\n"


def _counted(ratio: Ratio, of: str = "of") -> str:
    return f"{ratio.counted:,} {of} {ratio.exposure:,}"


def _line(name: str, estimate: Estimate | None, counted: str) -> str:
    if estimate is None:
        return f"{name:<26}{'':>7}  {counted}"
    if estimate.value is None:
        return f"{name:<26}{'none':>7}"
    return f"{name:<26}{estimate.value:>7.3f}  [{estimate.low:.3f}, {estimate.high:.3f}]  {counted}".rstrip()
