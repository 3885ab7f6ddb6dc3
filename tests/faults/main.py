"""``make faults``: the whole platform under fault, and proof that nothing was lost and nothing doubled.

Prints what it does as it does it, then a table of what was killed and one of what was found, and writes
``build/faults.json``. Ends with exit code 1 when anything differs, and 2 when a program is missing. The same seed gives
the same schedule.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
# In place of this folder, whose modules would stand before others of the same names.
sys.path[0] = str(ROOT)

from tests.faults.harness import Report, run  # noqa: E402 - found by the path above
from tests.faults.options import Options  # noqa: E402 - the same
from tests.faults.outages import SERVERS  # noqa: E402 - the same
from tests.faults.schedule import seconds_of  # noqa: E402 - the same
from tests.faults.waiting import Stuck  # noqa: E402 - the same
from volwatch.errors import Misconfigured  # noqa: E402 - the same
from volwatch.local.interrupts import interruptible  # noqa: E402 - the same
from volwatch.local.stack import Stack  # noqa: E402 - the same
from volwatch.runtime import configure_logging  # noqa: E402 - the same

RESULTS = ROOT / "build" / "faults.json"

_AWAY_SECONDS = 60.0
_HISTORY_MINUTES = 240


def options_of(arguments: Sequence[str]) -> Options:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="same seed, same schedule and same market (default 1)")
    parser.add_argument("--kills", type=int, default=50, help="processes killed (default 50)")
    parser.add_argument("--rate", type=float, default=2_000.0, help="trades per second (default 2000)")
    parser.add_argument("--away", type=float, default=_AWAY_SECONDS, help="seconds without each server (default 60)")
    args = parser.parse_args(arguments)
    return Options(
        seed=args.seed,
        kills=args.kills,
        rate=args.rate,
        seconds=seconds_of(len(SERVERS), args.kills, args.away),
        away_seconds=args.away,
        history_minutes=_HISTORY_MINUTES,
    )


def main(arguments: Sequence[str], console: Console) -> int:
    """Do a fault run; return the exit code."""
    options = options_of(arguments)
    folder = Path(tempfile.mkdtemp(prefix="volwatch-faults-"))
    with interruptible():
        try:
            with Stack(folder / "stack", console=console) as stack:
                stack.start_servers()
                report = run(stack, options, partial(_tell, console, time.monotonic()))
        except Misconfigured as error:
            console.print(str(error), style="bold red", markup=False)
            return 2
        except Stuck as error:
            console.print(f"FAILED: {error}; the logs are in {folder}", style="bold red", markup=False)
            return 1
    show(report, options, console)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(as_json(report, options), indent=2) + "\n")
    if report.good:
        shutil.rmtree(folder)
        return 0
    console.print(f"FAILED: the logs are in {folder}", style="bold red", markup=False)
    return 1


def _tell(console: Console, began: float, line: str) -> None:
    console.print(f"{time.monotonic() - began:6.1f} s  {line}", style="dim", highlight=False)


def show(report: Report, options: Options, console: Console) -> None:
    """Print what was done and what was found."""
    done = Table("what", "how", title="done")
    done.add_column("times", justify="right")
    for (name, how), times in sorted({**report.tally, **report.reasons}.items()):
        done.add_row(name, how, f"{times:,}")
    console.print(done)
    found = Table("hop, or table of the warehouse", title="found")
    for heading in ("counted", "lost", "doubled"):
        found.add_column(heading, justify="right")
    for check in report.checks:
        style = None if check.good else "bold red"
        found.add_row(check.name, f"{check.counted:,}", f"{check.lost:,}", f"{check.doubled:,}", style=style)
    console.print(found)
    for example in (example for check in report.checks for example in check.examples):
        console.print(example[:400], style="red", markup=False, highlight=False)
    console.print(
        f"seed {options.seed}: {report.records:,} records, {options.kills} kills, {report.seconds:.0f} s: "
        f"{sum(check.lost for check in report.checks)} lost, {sum(check.doubled for check in report.checks)} doubled"
    )


def as_json(report: Report, options: Options) -> dict[str, object]:
    """Return a report as it is kept."""
    tallies = {**report.tally, **report.reasons}
    return {
        "options": asdict(options),
        "records": report.records,
        "seconds": round(report.seconds, 1),
        "done": [{"what": name, "how": how, "times": times} for (name, how), times in sorted(tallies.items())],
        "checks": [{**asdict(check), "good": check.good} for check in report.checks],
    }


if __name__ == "__main__":
    configure_logging("error")
    sys.exit(main(sys.argv[1:], Console()))
