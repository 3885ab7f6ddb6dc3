"""``volwatch rebuild``, and the three steps of the DAG of that name."""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from psycopg2 import Error
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from volwatch import times
from volwatch.configuration import engine_config
from volwatch.errors import BadInput, Transient
from volwatch.pipeline import rebuild
from volwatch.pipeline.rebuild import Piece, Told
from volwatch.pipeline.rebuild_hour import Tools
from volwatch.pipeline.rebuild_report import Report, from_counts
from volwatch.rawzone.store import Rawzone
from volwatch.runtime import configure_logging
from volwatch.settings import (
    PipelineSettings,
    RawzoneSettings,
    ServiceSettings,
    WarehouseSettings,
    describe,
    load,
    load_one,
)
from volwatch.warehouse import writer
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-rebuild"
STATEMENT_TIMEOUT_SECONDS = 900.0
_HOUR = timedelta(hours=1)

_DESCRIPTION = """\
Computes bars, volatility, signals and alerts of a range of hours from the raw zone again, and corrects the tables where
they say otherwise. What is right is not touched: a second rebuild of a range changes nothing.

Use it after an object of the raw zone was repaired or came late, after a change of the pipeline's settings, when rows
were lost or changed by hand, and when a saved engine state is damaged or of another version.

  hours       are those of arrival, as in the names of the objects: a bar is rebuilt with the hour in which it became
              final, about three minutes after its start. Times are taken down, and the end up, to full hours of UTC.
  begins      at the nearest state of the engine that was kept before the range, else with the first trade of the raw
              zone (a log line says which). What is wrong before the range is not looked for: begin early enough.
  ends        with what is loaded, without --to; then the running state of the engine is replaced, too, if it differs.
              With --to, what comes after stays as it was computed; an alert that was found and is open at the end of
              the range is closed there.
  a bar       that differs gets the next revision; one that the raw zone does not bear out goes. Both stay in
              superseded_rows as they were. The nightly measures of a changed day are made again in the next night.
  an alert    that is not borne out is RETRACTED, one that was missed is opened, one that differs is corrected, each
              with a line in alert_events. Nothing is deleted, and what a person has said of it stays.
  a trade     in quarantine that is taken after all is marked (lifted_at).
  an object   that could not be read and now can is entered into the ledger with its rows.

Each hour is a transaction under the lock of the minute path, which is taken when its rows are ready: a minute run that
finds it taken leaves, and the next one does its work. Killed at any moment and started again, it comes to the same end.
Whoever has less in the raw zone than was loaded once (objects expired, or broken since) would lose rows: it stops there
and names them, unless --allow-loss says that they may go.
"""
_EPILOG = """\
exit code: 0 when it is done, 1 when a server does not answer, 2 when an argument or the raw zone is not what it must be

settings:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(RawzoneSettings, WarehouseSettings, PipelineSettings)
    parser.add_argument("--from", dest="first", metavar="TIME", required=True, help=f"first hour: {times.FORM}")
    parser.add_argument("--to", dest="end", metavar="TIME", help="end, not included (default: what is loaded)")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would change")
    parser.add_argument("--allow-loss", action="store_true", help="go on where the raw zone has lost what was loaded")


def run(args: argparse.Namespace) -> int:
    """Rebuild once; return 0, or 1 when a server does not answer."""
    first, end = hours_of(args.first, args.end)
    configure_logging(load_one(ServiceSettings).log_level)
    try:
        with _tools(dry_run=args.dry_run, allow_loss=args.allow_loss) as tools, _progress() as tell:
            report = rebuild.run(tools, first, end, tell)
    except (Transient, Error) as error:
        sys.stderr.write(f"volwatch rebuild: {str(error).strip()}; start it again, it does what is left\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in told(report, dry_run=args.dry_run))
    return 0


def hours_of(first: str, end: str | None) -> tuple[datetime, datetime | None]:
    """Return the full hours of UTC that hold a range.

    Raises
    ------
    BadInput
        One is no time, or they are not in order.
    """
    faults: list[str] = []
    begin, until = times.time_of("--from", first, faults), times.time_of("--to", end or None, faults)
    if begin is not None and until is not None and until <= begin:
        faults.append("--to: after --from")
    if faults or begin is None:
        raise BadInput(faults)
    floor = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if until is None:
        return floor, None
    last = until.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return floor, last if last == until else last + _HOUR


def told(report: Report, *, dry_run: bool) -> list[str]:
    """Return a report for a person, a line each."""
    lines = [f"{report.hours} hours, {report.rows_read} rows read"]
    would = "would change" if dry_run else "changed"
    if not report.changes:
        return [*lines, f"nothing {would}"]
    return [*lines, f"{would}:", *(f"{count:>10} {name}" for name, count in report.changes.items())]


def plan_rebuild(first: str, end: str | None, most_pieces: int) -> list[dict[str, object]]:
    """Plan a rebuild of the servers that the environment names; return its pieces, at least one, as tasks tell them."""
    begin, until = hours_of(first, end)
    with _tools() as tools:
        number, pieces = rebuild.plan(tools, begin, until, most_pieces)
    return [{"rebuild": number, **one.as_told()} for one in pieces or [Piece(())]]


def rebuild_piece(told_piece: Mapping[str, object]) -> dict[str, int]:
    """Do one piece; return what it changed."""
    with _tools() as tools:
        return asdict(rebuild.piece(tools, Piece.from_told(told_piece)))


def finish_rebuild(number: int, done: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Do what is left behind all pieces; return what all has changed."""
    report = Report()
    for counts in done:
        report = report.plus(from_counts(counts))
    with _tools() as tools:
        return asdict(rebuild.finish_pieces(tools, number, report))


@contextmanager
def _tools(*, dry_run: bool = False, allow_loss: bool = False) -> Iterator[Tools]:
    rawzone, warehouse, pipeline = load(RawzoneSettings, WarehouseSettings, PipelineSettings)
    with closing(
        connect(warehouse, application_name=APPLICATION_NAME, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)
    ) as connection:
        with connection, connection.cursor() as cursor:
            config = engine_config(pipeline, writer.watchlist(cursor))
        store = Rawzone.connect(rawzone)
        yield Tools(connection, store, pipeline, config, lambda: datetime.now(UTC), time.sleep, dry_run, allow_loss)


@contextmanager
def _progress() -> Iterator[Told]:
    """Give what to tell how far it is: a bar on a terminal; elsewhere the log has a line for each hour."""
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("hours", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
