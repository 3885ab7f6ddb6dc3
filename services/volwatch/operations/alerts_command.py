"""``volwatch alerts ACTION``: what alerts there are, why, and what people do about them."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

from psycopg2 import Error

from volwatch.errors import Transient
from volwatch.operations import alerts_acts, alerts_explain, alerts_list, alerts_rules, alerts_show, alerts_silence
from volwatch.operations.alerts_held import NothingDone
from volwatch.settings import WarehouseSettings, describe

_DESCRIPTION = """\
list and show read the warehouse as any role; what changes something needs the role volwatch_dashboard, whose functions
write who did it and when. An id may be cut: six of its digits or more, as long as no other begins so.
"""
_EXIT_CODES = "exit code: 0; 1 when there is no such thing, or it is as asked already; 2 when an argument is wrong"


@dataclass(frozen=True, slots=True)
class Action:
    """One word after ``volwatch alerts``: its line of help, its options, what it does (returns the exit code)."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


ACTIONS = {
    "list": Action("show alerts, the newest first", alerts_list.add_arguments, alerts_list.run),
    "show": Action("tell everything about one", alerts_show.add_arguments, alerts_show.run),
    "explain": Action("compute one again, step by step", alerts_explain.add_arguments, alerts_explain.run),
    "ack": Action("say that somebody has seen one", alerts_acts.add_acknowledge_arguments, alerts_acts.acknowledge),
    "note": Action("write a note to one", alerts_acts.add_note_arguments, alerts_acts.note),
    "false-positive": Action("say that one was none", alerts_acts.add_mark_arguments, alerts_acts.mark),
    "silence": Action("let some not be told for a while", alerts_silence.add_arguments, alerts_silence.run),
    "silences": Action("show silences", alerts_silence.add_list_arguments, alerts_silence.list_silences),
    "unsilence": Action("end a silence before its time", alerts_silence.add_end_arguments, alerts_silence.end),
    "rules": Action("show what users' rules watch, or check a file", alerts_rules.add_arguments, alerts_rules.run),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = f"{_EXIT_CODES}\n\nSettings:\n{describe(WarehouseSettings)}"
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, action in ACTIONS.items():
        own = actions.add_parser(
            name,
            help=action.summary,
            description=f"volwatch alerts {name}: {action.summary}.",
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_arguments(own)


def run(args: argparse.Namespace) -> int:
    """Do one action; return its exit code."""
    try:
        return ACTIONS[args.action].run(args)
    except (NothingDone, Transient, Error) as error:
        sys.stderr.write(f"volwatch alerts: {str(error).strip()}\n")
        return 1
