"""``make bench``: how fast we are, each figure beside that of a peer that did the same work in the same run.

Prints a table and writes ``build/bench.json``. Ends with exit code 1 when two sides did not come to the same result,
and 2 when a program is missing.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
# In place of this folder, whose modules would stand before others of the same names.
sys.path[0] = str(ROOT)

from tests.benchmarks import (  # noqa: E402 - found by the path above
    bars,
    consumer,
    dashboard,
    early,
    engine,
    fastpath,
    first_paint,
    loader,
    producer,
)
from tests.benchmarks.measure import Measured, Unequal  # noqa: E402 - the same
from tests.benchmarks.servers import Servers  # noqa: E402 - the same
from volwatch.errors import Misconfigured  # noqa: E402 - the same
from volwatch.local.interrupts import interruptible  # noqa: E402 - the same
from volwatch.runtime import configure_logging  # noqa: E402 - the same

RESULTS = ROOT / "build" / "bench.json"

Tell = Callable[[str], None]


def benchmarks(servers: Servers) -> dict[str, Callable[[Tell], Measured]]:
    """Return the benchmarks by name."""
    fast = cache(partial(fastpath.run, servers))
    market = cache(partial(dashboard.filled, servers))
    return {
        "bars": bars.run,
        "engine": engine.run,
        "engine_vs_wide": engine.run_against_wide,
        "engine_many_symbols": engine.run_many_symbols,
        "early": early.run,
        "producer": partial(producer.run, servers),
        "consumer": partial(consumer.run, servers),
        "consumer_vs_loop": partial(consumer.run_against_loop, servers),
        "loader": partial(loader.run, servers),
        "dashboard_query_p95_ms": lambda tell: dashboard.run(market(tell), tell),
        "dashboard_first_paint_ms": lambda tell: first_paint.run(market(tell), tell),
        "fastpath_p50_ms": lambda tell: fast(tell)["p50"],
        "fastpath_p99_ms": lambda tell: fast(tell)["p99"],
    }


def main(arguments: list[str], console: Console) -> int:
    """Run what was asked for; return the exit code."""
    with interruptible(), Servers(console) as servers:
        known = benchmarks(servers)
        parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
        parser.add_argument("--only", metavar="NAME", choices=known, help=f"one of {', '.join(known)}")
        tell = partial(_tell, console)
        only = parser.parse_args(arguments).only
        try:
            measured = [known[name](tell) for name in ([only] if only else known)]
        except Misconfigured as error:
            console.print(str(error), style="bold red", markup=False)
            return 2
        except Unequal as error:
            console.print(f"FAILED: {error}", style="bold red", markup=False)
            return 1
    console.print(table_of(measured))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(one) for one in measured], indent=2) + "\n")
    return 0


def table_of(measured: list[Measured]) -> Table:
    """Return the figures as a table."""
    table = Table("benchmark", "unit", caption="ratio above 1: we are faster; medians, both sides in turn")
    for heading in ("ours", "peer", "ratio"):
        table.add_column(heading, justify="right")
    for one in measured:
        table.add_row(one.name, one.unit, f"{one.ours:,.0f}", f"{one.peer:,.0f}", f"{one.ratio:.2f}")
    return table


def _tell(console: Console, line: str) -> None:
    console.print(line, style="dim", highlight=False)


if __name__ == "__main__":
    configure_logging("error")
    sys.exit(main(sys.argv[1:], Console()))
