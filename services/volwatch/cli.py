"""``volwatch <command>``: the one entry point of every stage and tool.

A command is imported only when it is asked for, so that an image needs no more than its own extra.
"""

import argparse
import importlib
import sys
from typing import Protocol, cast

from volwatch import __version__
from volwatch.errors import Misconfigured

# Command -> (module, one line of help). Each module has add_arguments(parser) and run(args) -> exit code.
COMMANDS = {
    "producer": ("volwatch.producer.main", "send trades to Kafka, from the simulator or a replay"),
    "consumer": ("volwatch.consumer.main", "store trades from Kafka in the raw zone"),
    "pipeline": ("volwatch.pipeline.command", "run the minute path or its maintenance once, as Airflow does"),
    "migrate": ("volwatch.warehouse.migrate_command", "bring the PostgreSQL schema up to date"),
    "provision": (
        "volwatch.operations.provision",
        "make what a server must hold: topics, buckets, users, roles, databases",
    ),
    "wait": ("volwatch.operations.wait", "return when servers can be used"),
    "trace": ("volwatch.operations.trace", "follow one record through every hop"),
    "dashboard": ("dashboard.command", "serve the dashboard"),
    "local": ("volwatch.local.command", "run the whole platform on this machine, or its demo"),
}


class CommandModule(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the command; return the exit code."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code (2 when the configuration is wrong)."""
    arguments = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="volwatch",
        description="Watches stock prices in real time, measures volatility properly, alerts that explain themselves.",
        epilog="'volwatch COMMAND --help' teaches each command. Servers are named by VOLWATCH_* variables.",
    )
    parser.add_argument("--version", action="version", version=f"volwatch {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"volwatch {name}: {summary}.")
        if name == chosen:
            _load(module).add_arguments(command)
    args = parser.parse_args(arguments)
    try:
        return _load(COMMANDS[args.command][0]).run(args)
    except Misconfigured as error:
        sys.stderr.write(f"volwatch {args.command}: {len(error.faults)} fault(s) in the configuration\n")
        sys.stderr.writelines(f"  - {fault}\n" for fault in error.faults)
        return 2


def _load(module: str) -> CommandModule:
    return cast("CommandModule", importlib.import_module(module))


if __name__ == "__main__":
    sys.exit(main())
