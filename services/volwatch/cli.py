"""``volwatch <command>``: the one entry point of every stage and tool.

A command is imported only when it is asked for, so that an image needs no more than its own extra.
"""

import argparse
import importlib
import sys
from typing import Protocol, cast

from volwatch import __version__
from volwatch.errors import BadInput, Misconfigured

# Command -> (module, one line of help). Each module has add_arguments(parser) and run(args) -> exit code.
COMMANDS = {
    "producer": ("volwatch.producer.main", "send trades to Kafka, from the simulator, a replay or Finnhub"),
    "replay": ("volwatch.producer.replay_command", "send recorded trades again, under a source of their own"),
    "consumer": ("volwatch.consumer.main", "store trades from Kafka in the raw zone"),
    "detector": ("volwatch.detector.main", "raise alerts from the trades as they come"),
    "pipeline": ("volwatch.pipeline.command", "run the minute path or its maintenance once, as Airflow does"),
    "rebuild": ("volwatch.pipeline.rebuild_command", "compute a range of hours from the raw zone again"),
    "migrate": ("volwatch.warehouse.migrate_command", "bring the PostgreSQL schema up to date"),
    "provision": (
        "volwatch.operations.provision",
        "make what a server must hold: topics, buckets, users, roles, databases",
    ),
    "wait": ("volwatch.operations.wait", "return when servers can be used"),
    "trace": ("volwatch.operations.trace", "follow one record through every hop"),
    "alerts": ("volwatch.operations.alerts_command", "look at alerts, acknowledge, judge and silence them"),
    "quarantine": ("volwatch.operations.quarantine", "look at records that were not taken, and send them again"),
    "reconcile": ("volwatch.operations.reconcile", "count the rows of every hop against each other"),
    "notifier": ("volwatch.notifier.main", "tell people and programs of alerts"),
    "dashboard": ("dashboard.command", "serve the dashboard"),
    "bars": ("volwatch.research.bars", "make one-minute bars of recorded trades"),
    "estimate": ("volwatch.research.estimate", "rolling volatility of the bars in a file"),
    "risk": ("volwatch.research.risk", "rolling risk measures of the prices in a file"),
    "realised": ("volwatch.research.realised", "realised variance and jumps, day by day, of the returns in a file"),
    "scenario": ("volwatch.research.scenario", "make a market with labelled events, as files"),
    "backtest": ("volwatch.research.backtest", "the alerts that bars in a file, or the raw zone, would have raised"),
    "score": ("volwatch.research.score", "score alerts in a file against labelled events"),
    "local": ("volwatch.local.command", "run the whole platform on this machine, or its demo"),
}


class CommandModule(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, args: argparse.Namespace) -> int:
        """Do the command; return the exit code."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit code (2 when the configuration or an input is wrong)."""
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
        return _refused(args.command, "the configuration", error.faults)
    except BadInput as error:
        return _refused(args.command, "what it was given", error.faults)


def _refused(command: str, where: str, faults: list[str]) -> int:
    sys.stderr.write(f"volwatch {command}: {len(faults)} fault(s) in {where}\n")
    sys.stderr.writelines(f"  - {fault}\n" for fault in faults)
    return 2


def _load(module: str) -> CommandModule:
    return cast("CommandModule", importlib.import_module(module))


if __name__ == "__main__":
    sys.exit(main())
