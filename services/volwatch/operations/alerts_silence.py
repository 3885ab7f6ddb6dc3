"""``volwatch alerts silence|silences|unsilence``: alerts that are not told for a while."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from volwatch import times
from volwatch.operations import shown
from volwatch.operations.alerts_acts import BY_HELP
from volwatch.operations.alerts_held import NothingDone, warehouse
from volwatch.operations.login import login_name
from volwatch.warehouse import alert_acts, alert_reader
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.readings import Silence

COLUMNS = ("id", "of", "state", "from", "until", "reason", "by", "ended_by")
MOST_TOLD = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``silence``."""
    parser.add_argument("--source", help="alerts of this source")
    parser.add_argument("--symbol", help="alerts of this symbol")
    parser.add_argument("--kind", help="alerts of this kind; with others: that agree in all of them")
    parser.add_argument("--everything", action="store_true", help="instead: every alert")
    parser.add_argument("--for", metavar="DURATION", dest="duration", help=f"how long: {times.DURATION_FORM}")
    parser.add_argument("--until", metavar="TIME", help=f"or until when, at most 90 days ahead: {times.FORM}")
    parser.add_argument("--from", metavar="TIME", dest="start", help="from when on (now)")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why")
    parser.add_argument("--by", metavar="WHO", help=BY_HELP)


def run(args: argparse.Namespace, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
    """Silence alerts; return the exit code."""
    faults: list[str] = []
    duration = times.duration_of("--for", args.duration, faults)
    until = times.time_of("--until", args.until, faults)
    start = times.time_of("--from", args.start, faults)
    if (args.duration is None) == (args.until is None):
        faults.append("how long: give --for or --until")
    scope = Scope(args.source, args.symbol, args.kind and args.kind.upper(), args.everything)
    if scope.everything == any((scope.source, scope.symbol, scope.kind)):
        faults.append("which alerts: give --source, --symbol or --kind, or else --everything")
    shown.tell(faults)
    ends_at = until if duration is None else (start or now()) + duration
    assert ends_at is not None  # noqa: S101 - one of them is given
    with warehouse() as cursor:
        number = alert_acts.silence(cursor, args.by or login_name(), args.reason, scope, ends_at, start)
    sys.stdout.write(f"silence {number} until {ends_at.astimezone(UTC).isoformat(timespec='seconds')}\n")
    return 0


def add_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``silences``."""
    parser.add_argument("--all", action="store_true", help="those that are over, too")
    parser.add_argument("--format", metavar="F", help="table or csv; by default a table on a terminal, else CSV")
    parser.add_argument("--json", action="store_true", help="JSON")


def list_silences(args: argparse.Namespace) -> int:
    """Show the silences, the newest first; return the exit code."""
    faults: list[str] = []
    form = shown.form_of(shown.format_of(args.format, faults), sys.stdout)
    shown.tell(faults)
    with warehouse() as cursor:
        found = alert_reader.silences(cursor, MOST_TOLD, over=args.all)
    if args.json:
        sys.stdout.write(json.dumps([each._asdict() for each in found], default=shown.json_value, indent=2) + "\n")
    else:
        shown.write(COLUMNS, [row_of(each) for each in found], form, sys.stdout)
    return 0


def row_of(silence: Silence) -> tuple[object, ...]:
    """Return a silence as a row under ``COLUMNS``."""
    times_told = (silence.starts_at, silence.ended_at or silence.ends_at)
    state = "in force" if silence.in_force else "ended" if silence.ended_at else "not in force"
    return (silence.silence_id, silence.scope, state, *times_told, silence.reason, silence.made_by, silence.ended_by)


def add_end_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``unsilence``."""
    parser.add_argument("id", metavar="ID", help="the silence's number, as silences shows it")
    parser.add_argument("--by", metavar="WHO", help=BY_HELP)


def end(args: argparse.Namespace) -> int:
    """End a silence before its time; return the exit code."""
    faults: list[str] = []
    number = shown.number_of("ID", args.id, faults)
    shown.tell(faults)
    with warehouse() as cursor:
        if not alert_acts.end_silence(cursor, number, args.by or login_name()):
            raise NothingDone(f"there is no silence {number} that is not over")
    sys.stdout.write(f"ended silence {number}\n")
    return 0
