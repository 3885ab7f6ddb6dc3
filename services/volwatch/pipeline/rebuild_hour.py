"""One hour of a rebuild: computed from the states at its beginning, and written in one transaction.

The run lock of the minute path is taken when the rows are computed and copied beside the tables: minute runs that find
it taken leave at once, and it is not held for long.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.errors import BadInput, Transient
from volwatch.pipeline.rebuild_engine import Recomputed, recompute
from volwatch.pipeline.rebuild_plan import Hour, Listing, Span
from volwatch.pipeline.rebuild_report import Report, of_rows
from volwatch.rawzone.store import Rawzone
from volwatch.settings import PipelineSettings
from volwatch.warehouse import rebuild_ledger, rebuild_rows, writer
from volwatch.warehouse.staging import KEYS, copy_of

LOCK_TRIES = 600
LOCK_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Tools:
    """What a rebuild works with.

    Attributes
    ----------
    clock, pause : give the time, and wait for some seconds.
    dry_run : all is done, and taken back.
    allow_loss : go on where the raw zone has lost what was loaded once; what follows from it goes, too.
    """

    connection: Connection
    rawzone: Rawzone
    settings: PipelineSettings
    config: EngineConfig
    clock: Callable[[], datetime]
    pause: Callable[[float], None]
    dry_run: bool = False
    allow_loss: bool = False

    def end_transaction(self) -> None:
        """Let what was written stay, or take it back."""
        if self.dry_run:
            self.connection.rollback()
        else:
            self.connection.commit()


def compute(
    tools: Tools,
    cursor: Cursor,
    engines: Mapping[int, Engine],
    spans: Sequence[Span],
    listing: Listing,
    *,
    rows_wanted: bool = True,
) -> list[Recomputed]:
    """Take the engines (in place) through spans, each partition's its own."""
    rows_at_once = tools.settings.rows_per_transaction
    return [
        recompute(
            cursor,
            tools.rawzone,
            engines[span.partition],
            span,
            listing.within(span),
            rows_at_once,
            rows_wanted=rows_wanted,
        )
        for span in spans
    ]


def write(tools: Tools, cursor: Cursor, made: Sequence[Recomputed]) -> Report:
    """Make the tables say what was computed; waits for the run lock, which is held until the transaction ends.

    Raises
    ------
    BadInput
        The raw zone has lost what was loaded once, and that is not allowed.
    """
    copies = {table: copy_of(table, [part for one in made for part in one.rows[table]], is_new=False) for table in KEYS}
    rebuild_rows.stage(cursor, copies)
    wait_lock(tools, cursor)
    positions = writer.positions(cursor)
    held = {one.span: rebuild_ledger.entries(cursor, one.span.partition, one.span.first, one.span.end) for one in made}
    gone = [key for one in made for key in rebuild_ledger.lost(held[one.span], one.found)]
    if gone and not tools.allow_loss:
        raise BadInput([f"the raw zone has lost what was loaded once: {key}" for key in gone])
    changes = rebuild_rows.merge(cursor, copies, [scope for one in made for scope in one.scopes])
    mended, set_aside, lifted = 0, 0, 0
    for one in made:
        reached = positions[one.span.partition].next_offset
        mended += rebuild_ledger.mend_ledger(cursor, held[one.span], one.found, reached)
        counts = rebuild_ledger.mend_quarantine(cursor, one.decided, tools.clock())
        set_aside, lifted = set_aside + counts[0], lifted + counts[1]
    return of_rows(sum(one.count for one in made), changes, mended, (set_aside, lifted))


def wait_lock(tools: Tools, cursor: Cursor) -> None:
    """Return when this transaction alone may write; minute runs get their turn in the pauses.

    Raises
    ------
    Transient
        Another run did not end.
    """
    for _try in range(LOCK_TRIES):
        if writer.try_lock(cursor):
            return
        tools.pause(LOCK_PAUSE_SECONDS)
    raise Transient(f"another run has held the lock for {LOCK_TRIES * LOCK_PAUSE_SECONDS:g} s")


def rebuild_hour(
    tools: Tools, engines: Mapping[int, Engine], hour: Hour, listing: Listing
) -> tuple[Report, list[Recomputed]]:
    """Compute and write an hour, in a transaction of its own."""
    with tools.connection.cursor() as cursor:
        try:
            made = compute(tools, cursor, engines, hour.spans, listing)
            report = write(tools, cursor, made)
        except BaseException:
            tools.connection.rollback()
            raise
        tools.end_transaction()
    return report.plus(Report(hours=1)), made
