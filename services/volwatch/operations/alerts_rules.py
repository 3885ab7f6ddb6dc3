"""``volwatch alerts rules list|check``: what users' rules watch beside the default detector.

``check`` says what a file of rules would watch, or lists all of its faults and ends with exit code 2; ``list`` does so
of the file that the pipeline is given by ``VOLWATCH_PIPELINE_RULES_FILE``.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.errors import BadInput, Misconfigured
from volwatch.operations import shown
from volwatch.settings import PipelineSettings, load_one
from volwatch.settings.rule_file import RuleBook, read_rules

COLUMNS = ("name", "version", "watches", "ends_below", "severity", "symbols", "sources", "min_trades")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    acts = parser.add_subparsers(dest="act", metavar="ACT", required=True)
    check = acts.add_parser("check", help="validate a file of rules, and show what it would watch")
    check.add_argument("file", type=Path, metavar="FILE", help="the file (YAML)")
    listed = acts.add_parser("list", help="show what the pipeline's own file watches")
    for parser_ in (check, listed):
        parser_.add_argument("--format", metavar="FORMAT", help="table or csv; by default a table on a terminal")


def run(args: argparse.Namespace) -> int:
    """Show the rules; return the exit code."""
    faults: list[str] = []
    asked = shown.format_of(args.format, faults)
    if faults:
        raise BadInput(faults)
    shown.write(COLUMNS, [*rows(_book(args))], shown.form_of(asked, sys.stdout), sys.stdout)
    return 0


def _book(args: argparse.Namespace) -> RuleBook:
    if args.act == "check":
        try:
            return read_rules(args.file)
        except Misconfigured as error:
            raise BadInput(error.faults) from error
    name = load_one(PipelineSettings).rules_file
    return read_rules(Path(name)) if name else RuleBook()


def rows(book: RuleBook) -> Iterator[tuple[object, ...]]:
    """Yield a row for each rule and for each override, in their order."""
    for rule in book.rules:
        patterns = (", ".join(rule.symbols), ", ".join(rule.sources))
        below = f"{rule.leave * 100:g} %"
        yield rule.name, rule.version, _watched(rule), below, rule.severity, *patterns, rule.min_trades
    for override in book.overrides:
        yield "default detector", None, _opens(override), None, None, override.symbol, override.source, None


def _watched(rule: Rule) -> str:
    if isinstance(rule, Move):
        return f"a move of {rule.percent:g} % or more within {rule.minutes} min"
    assert isinstance(rule, VolatilityAbove)  # noqa: S101 - there is no third kind
    return f"volatility of {rule.threshold * 100:g} % a year or more ({rule.estimator})"


def _opens(override: Override) -> str:
    return "opens nothing" if override.off else f"opens at {override.enter:g}"
