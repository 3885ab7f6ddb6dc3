"""``volwatch quarantine retry``: sends quarantined trades to the trades topic again, each once.

A trade is marked when the broker has acknowledged it, in the transaction that holds its row. A crash in between leaves
it unmarked: the next retry sends it a second time, and the engine judges both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.operations.prospects import Prospect, prospect
from volwatch.operations.shown import escaped
from volwatch.sending import Sent
from volwatch.trade import Trade
from volwatch.warehouse import quarantine
from volwatch.warehouse.quarantine import SetAside

ROWS_PER_TRANSACTION = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """Which trades would be sent, and which not and why; each with its row's id."""

    sent: dict[int, Trade]
    refused: dict[int, str]


def plan(rows: Sequence[SetAside], tell: Callable[[str], object], *, force: bool) -> Plan:
    """Judge trades, telling of each; with force only what is no record is refused."""
    sent: dict[int, Trade] = {}
    refused: dict[int, str] = {}
    for row in sorted(rows, key=lambda each: each.quarantine_id):
        found = prospect(row)
        if found.trade is not None and (found.would_help or force):
            sent[row.quarantine_id] = found.trade
        else:
            refused[row.quarantine_id] = found.because
        tell(_line(row, found, accepted=row.quarantine_id in sent))
    return Plan(sent, refused)


def send(
    connection: Connection,
    trades: Mapping[int, Trade],
    publish: Callable[[Mapping[int, Trade]], Sent],
    clock: Callable[[], datetime],
    *,
    by: str,
    force: bool,
) -> Sent:
    """Send trades and mark those that arrived; stop at the first that did not.

    Parameters
    ----------
    trades : mapping of int to Trade
        By the ids of their rows. One that somebody else has sent in the meantime is left out, unless with force.
    by : str
        Who is named in the mark.
    """
    arrived: set[int] = set()
    ids = list(trades)
    for start in range(0, len(ids), ROWS_PER_TRANSACTION):
        with connection, connection.cursor() as cursor:
            part = ids[start : start + ROWS_PER_TRANSACTION]
            held = quarantine.lock(cursor, part, retried=force)
            sent = publish({each: trades[each] for each in part if each in held})
            quarantine.mark_retried(cursor, sorted(sent.acknowledged), clock(), by)
        arrived |= sent.acknowledged
        if sent.failure is not None:
            return Sent(frozenset(arrived), sent.failure)
    return Sent(frozenset(arrived), None)


def _line(row: SetAside, found: Prospect, *, accepted: bool) -> str:
    series = escaped(f"{row.source} {row.symbol} {row.reason}")
    return f"{row.quarantine_id:<8}{'send' if accepted else 'refuse':<8}{series}: {escaped(found.because)}"
