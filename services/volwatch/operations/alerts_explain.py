"""``volwatch alerts explain``: one alert computed anew from the raw zone, each step shown, and held against its row."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from psycopg2 import Error
from rich.console import Console
from rich.progress import Progress

from volwatch.configuration import engine_config
from volwatch.errors import BadInput, Transient
from volwatch.operations.explain_alert import explain
from volwatch.rawzone.store import Rawzone
from volwatch.settings import PipelineSettings, RawzoneSettings, WarehouseSettings, describe, load
from volwatch.warehouse import explained, writer
from volwatch.warehouse.connection import connect
from volwatch.warehouse.explained import StoredAlert

APPLICATION_NAME = "volwatch-explain"
_MOST_NAMED = 10

DESCRIPTION = """\
Why was this alert raised? Takes the engine once more through the raw objects behind it, from the nearest state that was
kept before (or the first trade there is) to the bar that raised it, and shows each step: prices, true range, what is
usual at this time of day, baseline and scale, z, the burst channel, S, the rule of its severity. Then says whether the
row says the same.

  ALERT      an id, or its beginning as long as no other alert begins so
  RETRACTED  the bar as it was when the alert was opened, and the final one, which does not bear it out
  MARKET     its members, and whether they make the share that is stored
  RULE       what its rule measures, against the rule's limit; VOLWATCH_PIPELINE_RULES_FILE must have the rule as it was
  BLIND      no statistic is behind it: it says that no data came

Reads the warehouse as volwatch_dashboard or any role that may read alerts, and the raw zone. The settings of the
pipeline must be those of the minute path, else other numbers come of it.
"""
EPILOG = """\
exit code: 0 when the row says what was found, 1 when it differs, when its raw objects are not there (any more), when
its rule is not given, or when a server does not answer, 2 when an argument is wrong

settings:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = f"{parser.description}\n\n{DESCRIPTION}"
    parser.epilog = EPILOG + describe(RawzoneSettings, WarehouseSettings, PipelineSettings)
    parser.add_argument("alert", metavar="ALERT", help="id of the alert, or its beginning")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of lines")


def run(args: argparse.Namespace) -> int:
    """Explain one alert; return 0 when its row says what was found."""
    bounds = id_bounds(args.alert)
    rawzone, warehouse, pipeline = load(RawzoneSettings, WarehouseSettings, PipelineSettings)
    try:
        with (
            closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            alert = _only(explained.alerts_between(cursor, *bounds, _MOST_NAMED), args.alert)
            config = engine_config(pipeline, writer.watchlist(cursor))
            with _progress() as told:
                found = explain(cursor, Rawzone.connect(rawzone), alert, config, told)
    except (Transient, Error) as error:
        sys.stderr.write(f"volwatch alerts: {str(error).strip()}\n")
        return 1
    text = json.dumps(found.facts, indent=1, default=str) if args.json else "\n".join(found.lines)
    sys.stdout.write(f"{text}\n")
    return 0 if found.is_equal else 1


def id_bounds(text: str) -> tuple[str, str]:
    """Return the least and the greatest id that begin so.

    Raises
    ------
    BadInput
        No id begins so.
    """
    digits = text.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{4,32}", digits):
        raise BadInput([f"ALERT: an id, or at least its first four digits, not {text!r}"])
    return digits.ljust(32, "0"), digits.ljust(32, "f")


def _only(found: Sequence[StoredAlert], text: str) -> StoredAlert:
    if not found:
        raise BadInput([f"ALERT: there is none whose id begins with {text!r}"])
    if len(found) > 1:
        ids = ", ".join(alert.alert_id for alert in found)
        more = " …" if len(found) == _MOST_NAMED else ""
        raise BadInput([f"ALERT: several begin with {text!r}: {ids}{more}"])
    return found[0]


@contextmanager
def _progress() -> Iterator[Callable[[int, int], object]]:
    """Give what to tell how far it is: a bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("offsets", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(done, total))
