"""``volwatch alerts show``: everything that is known of one alert."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from volwatch.operations import shown
from volwatch.operations.alerts_held import ID_HELP, SHORT_ID_DIGITS, digits_of, named, warehouse
from volwatch.warehouse import alert_reader
from volwatch.warehouse.alert_reader import Event
from volwatch.warehouse.readings import Alert, ListedAlert, Silence

MOST_TOLD = 200
_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Known:
    """An alert with what belongs to it: what happened, the alerts linked to it, the silences that hold it now."""

    alert: Alert
    events: Sequence[Event]
    linked: Sequence[ListedAlert]
    silences: Sequence[Silence]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.add_argument("id", metavar="ID", help=ID_HELP)
    parser.add_argument("--json", action="store_true", help="JSON")


def run(args: argparse.Namespace) -> int:
    """Tell all of one alert; return the exit code."""
    digits_of(args.id)
    with warehouse() as cursor:
        alert = named(cursor, args.id)
        known = Known(
            alert,
            alert_reader.events(cursor, alert.alert_id, MOST_TOLD),
            alert_reader.linked(cursor, alert.alert_id, MOST_TOLD),
            alert_reader.silences(cursor, MOST_TOLD, of_alert=alert.alert_id),
        )
    if args.json:
        told = {
            **asdict(alert),
            "events": [asdict(each) for each in known.events],
            "linked": [each._asdict() for each in known.linked],
            "silences": [each._asdict() for each in known.silences],
        }
        sys.stdout.write(json.dumps(told, default=shown.json_value, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{shown.escaped(line)}\n" for line in lines(known))
    return 0


def lines(known: Known) -> Iterator[str]:
    """Return all that is known of an alert, a line each; what came from outside is not yet escaped."""
    alert = known.alert
    yield alert.sentence
    # The sentence stands above, the rest below.
    told = [each.name for each in fields(Alert) if each.name not in ("sentence", "why")]
    facts = {name: getattr(alert, name) for name in told}
    yield from (_line(name.replace("_", " "), value) for name, value in facts.items() if value is not None)
    yield from ("", "why")
    yield from (_line(f"  {name}", value) for name, value in _facts("", alert.why))
    yield from ("", "what happened")
    yield from (f"  {_event(each)}" for each in known.events)
    if known.linked:
        yield from ("", "linked")
        yield from (
            f"  {each.alert_id[:SHORT_ID_DIGITS]} {each.kind} {each.state} {each.sentence}" for each in known.linked
        )
    if known.silences:
        yield from ("", "silenced by")
        yield from (
            f"  {each.silence_id} {each.scope} until {_told(each.ends_at)}: {each.reason} ({each.made_by})"
            for each in known.silences
        )


def _event(event: Event) -> str:
    bar = None if event.bar_start is None else f"bar {_told(event.bar_start)}"
    words = (_told(event.happened_at), event.event, event.severity, bar, f"by {event.actor}")
    detail = f": {event.detail}" if event.detail else ""
    return " ".join(word for word in words if word) + detail


def _facts(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _facts(f"{path}.{name}" if path else str(name), inner)
    else:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(name: str, value: object) -> str:
    return f"{name:<{_WIDTH}} {_told(value)}"


def _told(value: object) -> str:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)
