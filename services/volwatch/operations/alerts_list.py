"""``volwatch alerts list``: alerts, the newest first, narrowed down by what they are."""

import argparse
import json
import sys
from collections.abc import Iterator

from volwatch import times
from volwatch.operations import shown
from volwatch.operations.alerts_held import SHORT_ID_DIGITS, warehouse
from volwatch.warehouse import alert_reader
from volwatch.warehouse.readings import AlertFilter, ListedAlert

COLUMNS = ("id", "began", "source", "symbol", "kind", "severity", "state", "marks", "sentence")
OPEN_STATES = ("OPEN", "ESCALATED")
SEVERITIES = ("LOW", "MEDIUM", "HIGH")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.add_argument("--open", action="store_true", help="only those that are open or escalated")
    parser.add_argument("--source", help="only of this source")
    parser.add_argument("--symbol", help="only of this symbol")
    parser.add_argument("--kind", action="append", default=[], help="only of this kind; may be given again")
    parser.add_argument(
        "--severity", action="append", default=[], help=f"any of {', '.join(SEVERITIES)}; again for more"
    )
    parser.add_argument("--since", metavar="TIME", help=f"only those that began from then on: {times.FORM}")
    parser.add_argument("--limit", metavar="N", default="50", help="at most so many (%(default)s)")
    parser.add_argument("--format", metavar="F", help="table or csv; by default a table on a terminal, else CSV")
    parser.add_argument("--json", action="store_true", help="JSON, with all that is known but why")


def run(args: argparse.Namespace) -> int:
    """Show the alerts; return the exit code."""
    faults: list[str] = []
    severities = tuple(name.upper() for name in args.severity)
    faults += [f"--severity: one of {', '.join(SEVERITIES)}, not {name!r}" for name in {*severities} - {*SEVERITIES}]
    since = times.time_of("--since", args.since, faults)
    limit = shown.number_of("--limit", args.limit, faults)
    form = shown.form_of(shown.format_of(args.format, faults), sys.stdout)
    shown.tell(faults)
    asked = AlertFilter(
        states=OPEN_STATES if args.open else (),
        severities=severities,
        source=args.source,
        symbol=args.symbol,
        start=since,
        kinds=tuple(name.upper() for name in args.kind),
    )
    with warehouse() as cursor:
        found = alert_reader.alerts(cursor, asked, limit)
    if args.json:
        sys.stdout.write(json.dumps([each._asdict() for each in found], default=shown.json_value, indent=2) + "\n")
        return 0
    digits = SHORT_ID_DIGITS if form == "table" else None
    shown.write(COLUMNS, [row_of(each, digits) for each in found], form, sys.stdout)
    return 0


def row_of(alert: ListedAlert, digits: int | None) -> tuple[object, ...]:
    """Return an alert as a row under ``COLUMNS``, its id cut to so many digits."""
    what = (alert.source, alert.symbol, alert.kind, alert.severity, alert.state)
    return (alert.alert_id[:digits], alert.onset_bar, *what, ", ".join(_marks(alert)), alert.sentence)


def _marks(alert: ListedAlert) -> Iterator[str]:
    if not alert.confirmed:
        yield "provisional"
    if alert.acknowledged_by is not None:
        yield f"seen by {alert.acknowledged_by}"
    if alert.false_positive:
        yield "false positive"
    if alert.silenced:
        yield "silenced"
