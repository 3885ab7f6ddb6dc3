"""``volwatch local <action>``: the embedded stack on the command line."""

import argparse
import importlib

from rich.console import Console

from volwatch.errors import Transient

# Action -> (module, one line of help). Each module has add_arguments(parser) and run(args), as that of a command has.
ACTIONS = {
    "demo": ("volwatch.local.demo", "run the whole platform, inject a spike and await its alert"),
    "up": ("volwatch.local.up", "run the whole platform until Ctrl-C"),
    "fetch": ("volwatch.local.fetch_command", "download and build what the platform needs, once for each user"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions, each with its options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (module, summary) in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=f"volwatch local {name}: {summary}.")
        importlib.import_module(module).add_arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do the action; exit code 1 tells that a server or a download failed."""
    try:
        return int(importlib.import_module(ACTIONS[args.action][0]).run(args))
    except Transient as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False)
        return 1
