"""``volwatch reconcile``: the rows of every hop counted against each other, now."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from psycopg2 import Error

from volwatch import topics
from volwatch.errors import Transient
from volwatch.operations import shown
from volwatch.rawzone.store import Rawzone
from volwatch.reconcile import Reconciliation
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, describe, load
from volwatch.times import time_of
from volwatch.warehouse import reconciliation, upkeep
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-reconcile"
COLUMNS = (
    "checked_at", "partition", "kafka_first", "kafka_end", "raw_rows", "loaded_rows", "rejected_rows", "missing_raw",
    "unloaded", "difference", "since",
)  # fmt: skip

_DESCRIPTION = """\
Counts the rows of every Kafka partition hop by hop, as the daily maintenance does: what Kafka holds (first and end
offset), what the raw zone holds, what the warehouse has loaded, and what of that it rejected.

  missing_raw  offsets that the loader has passed and that no object has: lost between Kafka and the raw zone
  unloaded     offsets that the loader has passed, that an object has and the ledger has not
  difference   their sum; 0 is the aim. What is stored and comes with the next run is no difference.

With --since only what came in from the hour of TIME on is counted, and no object of an earlier hour is listed: quick
where the whole raw zone is large, and exact for those hours. raw_rows, loaded_rows and rejected_rows are of those hours
then. --history shows the counts that were stored from a time on before the new one, the oldest first.

The counts are stored, and exported by the dashboard: volwatch_reconcile_difference_rows is the most that the newest
whole count, or one since, has found, so what a whole count has found stands until another whole one does not find it.
To store needs the warehouse as the role volwatch_pipeline; with --no-store volwatch_readonly is enough.

  volwatch reconcile                                  # everything, as at night
  volwatch reconcile --since 2026-01-05T15:00Z        # what came in from 15:00 on
"""
_EPILOG = """\
exit code: 0 when nothing differs now, 1 when something does or a server does not answer, 2 when an argument is wrong

settings:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(KafkaSettings, RawzoneSettings, WarehouseSettings)
    parser.add_argument("--since", metavar="TIME", help="count from the hour of TIME on: 2026-01-05T15:00Z")
    parser.add_argument("--history", metavar="TIME", help="show stored counts from then on, too")
    parser.add_argument("--store", action=argparse.BooleanOptionalAction, default=True, help="keep the new count")
    parser.add_argument("--format", metavar="F", help="table or csv; by default a table on a terminal, else CSV")


def run(args: argparse.Namespace) -> int:
    """Count once and show it; return 0, or 1 when something differs."""
    faults: list[str] = []
    since = time_of("--since", args.since, faults)
    history = time_of("--history", args.history, faults)
    form = shown.form_of(shown.format_of(args.format, faults), sys.stdout)
    shown.tell(faults)
    try:
        before, counted = _count(since, history, store=args.store)
    except (Transient, Error) as error:
        sys.stderr.write(f"volwatch reconcile: {str(error).strip()}\n")
        return 1
    shown.write(COLUMNS, rows_of([*before, *counted]), form, sys.stdout)
    return exit_code(counted)


def rows_of(counted: Sequence[Reconciliation]) -> list[tuple[object, ...]]:
    """Return what is shown of each count."""
    return [tuple(getattr(each, column) for column in COLUMNS) for each in counted]


def exit_code(counted: Sequence[Reconciliation]) -> int:
    """Return 1 when something differs, and 0 when nothing does."""
    return 1 if any(each.difference for each in counted) else 0


def _count(
    since: datetime | None, history: datetime | None, *, store: bool
) -> tuple[list[Reconciliation], list[Reconciliation]]:
    """Return what was stored from a time on, and the count of now."""
    kafka, rawzone, warehouse = load(KafkaSettings, RawzoneSettings, WarehouseSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        offsets = topics.offsets(kafka)
        counted = reconciliation.count(connection, Rawzone.connect(rawzone), offsets, datetime.now(UTC), since)
        with connection, connection.cursor() as cursor:
            before = [] if history is None else reconciliation.counted_since(cursor, history)
            if store:
                upkeep.write_reconciliations(cursor, counted)
    return before, counted
