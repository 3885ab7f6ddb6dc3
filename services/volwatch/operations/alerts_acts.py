"""``volwatch alerts ack|note|false-positive``: what a person says of one alert, written with who and when."""

import argparse
import sys

from volwatch.operations.alerts_held import ID_HELP, NothingDone, digits_of, named, warehouse
from volwatch.operations.login import login_name
from volwatch.warehouse import alert_acts
from volwatch.warehouse.readings import Alert

BY_HELP = "on whose behalf (the user of this process)"


def add_acknowledge_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``ack``."""
    _add_id(parser)
    parser.add_argument("--note", metavar="TEXT", help="what there is to say")


def acknowledge(args: argparse.Namespace) -> int:
    """Record that somebody has seen an alert; return the exit code."""
    digits_of(args.id)
    with warehouse() as cursor:
        alert = named(cursor, args.id)
        person = args.by or login_name()
        if not alert_acts.acknowledge(cursor, alert.alert_id, person, args.note):
            raise NothingDone(f"{alert.alert_id} is acknowledged already{_seen(alert)}")
    sys.stdout.write(f"acknowledged {alert.alert_id}\n")
    return 0


def add_note_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``note``."""
    _add_id(parser)
    parser.add_argument("text", metavar="TEXT", help="the note; earlier ones stay in the history")


def note(args: argparse.Namespace) -> int:
    """Write a note to an alert; return the exit code."""
    digits_of(args.id)
    with warehouse() as cursor:
        alert = named(cursor, args.id)
        alert_acts.annotate(cursor, alert.alert_id, args.by or login_name(), args.text)
    sys.stdout.write(f"noted {alert.alert_id}\n")
    return 0


def add_mark_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``false-positive``."""
    _add_id(parser)
    parser.add_argument("--withdraw", action="store_true", help="it was an alert after all")
    parser.add_argument("--note", metavar="TEXT", help="why")


def mark(args: argparse.Namespace) -> int:
    """Record, or withdraw, that an alert was none; return the exit code."""
    digits_of(args.id)
    with warehouse() as cursor:
        alert = named(cursor, args.id)
        person = args.by or login_name()
        if not alert_acts.mark_false_positive(cursor, alert.alert_id, person, args.note, is_false=not args.withdraw):
            raise NothingDone(f"{alert.alert_id} is {'not marked' if args.withdraw else 'marked already'}")
    sys.stdout.write(f"{'withdrawn' if args.withdraw else 'marked as false positive'}: {alert.alert_id}\n")
    return 0


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help=ID_HELP)
    parser.add_argument("--by", metavar="WHO", help=BY_HELP)


def _seen(alert: Alert) -> str:
    """Return by whom and when; nothing where that came to be only just now."""
    if alert.acknowledged_at is None:
        return ""
    return f" by {alert.acknowledged_by}, {alert.acknowledged_at.isoformat(timespec='seconds')}"
