"""``volwatch local <action>``: the embedded stack on the command line."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from volwatch.errors import Transient

# Action -> (module, one line of help). Each module has add_arguments(parser) and run(args), as that of a command has.
ACTIONS = {
    "demo": ("volwatch.local.demo", "run the whole platform, inject a spike and await its alert"),
    "up": ("volwatch.local.up", "run the whole platform until Ctrl-C"),
    "fetch": ("volwatch.local.fetch_command", "download and build what the platform needs, once for each user"),
    "finnhub": ("volwatch.local.finnhub_market", "serve a simulated market as Finnhub does, by stream and by quotes"),
}


class _Action(argparse.ArgumentParser):
    """Imports an action when it is asked for, and no other: an image need not hold what all of them need."""

    module = ""

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]  # the base class has overloads
        if self.module:
            importlib.import_module(self.module).add_arguments(self)
        return super().parse_known_args(args, namespace)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions, each with its options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Action)
    for name, (module, summary) in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=f"volwatch local {name}: {summary}.")
        action.module = module


def run(args: argparse.Namespace) -> int:
    """Do the action; exit code 1 tells that a server or a download failed."""
    try:
        return int(importlib.import_module(ACTIONS[args.action][0]).run(args))
    except Transient as error:
        sys.stderr.write(f"{_red(str(error))}\n")
        return 1


def _red(text: str) -> str:
    return f"\x1b[31m{text}\x1b[0m" if sys.stderr.isatty() else text
