"""``volwatch quarantine list|show|retry``: what was not taken, why, and what can be done about it."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

from psycopg2 import Error
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch import sending, topics
from volwatch.errors import BadInput, Transient
from volwatch.operations import aside, retry, shown
from volwatch.operations.login import login_name
from volwatch.operations.prospects import RULES, prospect
from volwatch.settings import KafkaSettings, WarehouseSettings, describe, load, load_one
from volwatch.times import time_of
from volwatch.warehouse import quarantine, writer
from volwatch.warehouse.connection import connect
from volwatch.warehouse.quarantine import SetAside, Wanted

APPLICATION_NAME = "volwatch-quarantine"
COLUMNS = ("id", "at", "source", "symbol", "reason", "retried", "record")
TOPIC_COLUMNS = ("place", "at", "symbol", "reason", "detail", "origin", "record")
_RECORD_CHARACTERS = 60
_TIME = "an ISO time with its zone, as 2026-01-05T15:00Z"

_DESCRIPTION = """\
Trades that were not taken stand in the table quarantine with their reason; records that were no trades stand on the
Kafka topic of that name. list shows them, show explains one, retry sends trades to the trades topic again.
"""
_LIST = """\
The newest first, and at the end how many there are of each reason (with CSV on standard error, so that the CSV is
nothing else). With --topic the records that were no trades: of each partition the last N, or all --since a time; then
the filters choose. origin is their partition/offset on the trades topic, where they came from there.
Reads the warehouse as any role (volwatch_readonly is enough); with --topic Kafka instead.
"""
_SHOW = """\
The whole record, its rule in words, the raw zone object that holds it, and what a retry could do now. Reads the
warehouse as any role.
"""
_RETRY = """\
Sends trades to the trades topic again, under the same key, and marks them (who, when); none twice without --force.
Each is judged beforehand by the engine's rules, and refused with its rule when it would be rejected again:

  BAD_PRICE BAD_SIZE ZERO_SIZE  the record itself breaks the rule: a retry helps only after the rule was changed
  TOO_OLD                       never: it only grows older
  FUTURE                        once the watermark has reached its event_time
  LATE                          never: what is final stays final. To have it counted, replay the hours of the raw zone
                                into a platform of its own (volwatch producer --source replay --raw-from … --raw-to …)
  CONDITION OUTLIER             after a change of the pipeline's settings
  UNKNOWN_SYMBOL                after a change of what is watched

All of that holds only while the trade's minute is not final: until 120 s after its end, by the watermark of its source.
An older one comes back as LATE whatever its first reason was, and is refused as such. So a retry is for the minutes
after a repair, or for a source that stood still since.

received_at becomes what the source's watermark has reached, not the time of day: a later one would make bars of other
symbols final before their time. A trade that is rejected again gets a new row under its new offset.

A trade is marked after Kafka has acknowledged it. After a crash in between it is not marked; sent once more, it is on
the topic twice, and the engine, which knows records by their offsets, counts both. Look before you repeat.

Needs Kafka, with the right to write the trades topic, and the warehouse as the role volwatch_pipeline, which alone may
mark. Without a terminal to ask on, --yes or --dry-run is needed.

exit code: 0 when all were sent, 1 when one was refused or not acknowledged, 2 when an argument is wrong
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = "Settings:\n" + describe(WarehouseSettings, KafkaSettings)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str, description: str) -> argparse.ArgumentParser:
        return actions.add_parser(
            name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    listed = action("list", "show what was not taken", _LIST)
    listed.add_argument("--reason", help=f"only this: {', '.join(RULES)}")
    listed.add_argument("--symbol", help="only this symbol")
    listed.add_argument("--since", metavar="TIME", help=f"only what was set aside from then on: {_TIME}")
    listed.add_argument("--limit", metavar="N", default="50", help="at most so many (%(default)s)")
    listed.add_argument("--topic", action="store_true", help="the records that were no trades, on Kafka")
    listed.add_argument("--format", metavar="F", help="table or csv; by default a table on a terminal, else CSV")
    action("show", "explain one", _SHOW).add_argument("ids", metavar="ID", nargs=1)
    again = action("retry", "send trades again", _RETRY)
    again.add_argument("ids", metavar="ID", nargs="*", help="what list shows as id; or --reason and --since")
    again.add_argument("--reason", help="all of this reason that were not sent again yet")
    again.add_argument("--since", metavar="TIME", help=f"and were set aside from then on: {_TIME}")
    again.add_argument("--dry-run", action="store_true", help="only tell what would be sent")
    again.add_argument("--force", action="store_true", help="send also what would be rejected, or was sent before")
    again.add_argument("--yes", action="store_true", help="do not ask")
    again.add_argument("--by", metavar="NAME", help="who is named in the mark (the user of this process)")


def run(args: argparse.Namespace) -> int:
    """Do one action; return its exit code."""
    actions = {"list": _list, "show": _show, "retry": _retry}
    try:
        return actions[args.action](args)
    except (Transient, Error) as error:
        sys.stderr.write(f"volwatch quarantine: {str(error).strip()}\n")
        return 1


def _list(args: argparse.Namespace) -> int:
    faults: list[str] = []
    since = time_of("--since", args.since, faults)
    limit = shown.number_of("--limit", args.limit, faults)
    form = shown.form_of(shown.format_of(args.format, faults), sys.stdout)
    shown.tell(faults)
    if args.topic:
        columns, rows, counts = TOPIC_COLUMNS, *_on_topic(args.reason, args.symbol, since, limit)
    else:
        columns, rows, counts = COLUMNS, *_in_table(Wanted(None, args.reason, args.symbol, since), limit)
    shown.write(columns, rows, form, sys.stdout)
    told = sys.stdout if form == "table" else sys.stderr
    told.writelines(f"{count:>10} {shown.escaped(reason)}\n" for reason, count in counts)
    return 0


def _on_topic(
    reason: str | None, symbol: str | None, since: datetime | None, limit: int
) -> tuple[list[tuple[object, ...]], list[tuple[str, int]]]:
    def wanted(record: aside.Aside) -> bool:
        return reason in (None, record.reason) and symbol in (None, record.symbol)

    found, counted = aside.newest(load_one(KafkaSettings), since, limit, wanted)
    rows: list[tuple[object, ...]] = [
        (
            f"{each.partition}/{each.offset}",
            each.at,
            each.symbol,
            each.reason,
            each.detail[:_RECORD_CHARACTERS],
            each.origin,
            (each.value or b"")[:_RECORD_CHARACTERS].decode(errors="backslashreplace"),
        )
        for each in found
    ]
    return rows, counted.most_common()


def _in_table(wanted: Wanted, limit: int) -> tuple[list[tuple[object, ...]], list[tuple[str, int]]]:
    with closing(_connected()) as connection, connection, connection.cursor() as cursor:
        found, counts = quarantine.rows(cursor, wanted, limit), quarantine.counts(cursor, wanted)
    rows: list[tuple[object, ...]] = [
        (
            each.quarantine_id,
            each.quarantined_at,
            each.source,
            each.symbol,
            each.reason,
            each.retried_at,
            each.record[:_RECORD_CHARACTERS],
        )
        for each in found
    ]
    return rows, counts


def _show(args: argparse.Namespace) -> int:
    wanted = _ids(args.ids)
    with closing(_connected()) as connection, connection, connection.cursor() as cursor:
        [row] = _found(quarantine.rows(cursor, Wanted(wanted), None), wanted)
        objects = writer.objects_with(cursor, row.partition, row.offset, row.offset)
    sys.stdout.write("\n".join(explained(row, objects)) + "\n")
    return 0


def explained(row: SetAside, objects: Sequence[str]) -> list[str]:
    """Return all that is known of a trade, a line each."""
    found = prospect(row)
    rule = RULES.get(row.reason, "no rule of this program")
    facts = {
        "id": str(row.quarantine_id),
        "set aside": row.quarantined_at.isoformat(timespec="seconds"),
        "reason": f"{row.reason}: {rule}",
        "kafka": f"partition {row.partition}, offset {row.offset}",
        "raw object": ", ".join(objects) or "none in the ledger",
        "watermark": "unknown" if row.watermark is None else row.watermark.isoformat(timespec="milliseconds"),
        "retry": f"{'possible' if found.would_help else 'refused'}: {found.because}",
    }
    return [*(f"{name:<11}{shown.escaped(told)}" for name, told in facts.items()), *_pretty(row.record)]


def _pretty(record: str) -> list[str]:
    try:
        text = json.dumps(json.loads(record), indent=2)
    except ValueError:
        text = record
    return [shown.escaped(line) for line in text.split("\n")]


def _retry(args: argparse.Namespace) -> int:
    wanted = _chosen(args)
    kafka, warehouse = load(KafkaSettings, WarehouseSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        with connection, connection.cursor() as cursor:
            rows = _found(quarantine.rows(cursor, wanted, None), wanted.ids or ())
        planned = retry.plan(rows, lambda line: sys.stdout.write(f"{line}\n"), force=args.force)
        told = f"{len(planned.sent)} to send, {len(planned.refused)} refused"
        if args.dry_run or not planned.sent:
            sys.stdout.write(f"{told}; nothing was sent\n")
            return 1 if planned.refused else 0
        if not args.yes and not _agreed(f"{told}. Send? [y/N] "):
            sys.stdout.write("nothing was sent\n")
            return 1
        return _sent(args, connection, kafka, planned)


def _sent(args: argparse.Namespace, connection: Connection, kafka: KafkaSettings, planned: retry.Plan) -> int:
    topics.check_topics(kafka)  # sending to a topic that is not there might make one that nobody configured
    publish = partial(sending.send, sending.connect(kafka, "volwatch-quarantine-retry"), kafka.topic)
    by = args.by or login_name()
    sent = retry.send(connection, planned.sent, publish, lambda: datetime.now(UTC), by=by, force=args.force)
    sys.stdout.write(f"{len(sent.acknowledged)} sent, {len(planned.refused)} refused\n")
    if sent.failure is not None:
        raise Transient(f"not all were acknowledged, and only those that were are marked: {sent.failure}")
    return 1 if planned.refused else 0


def _chosen(args: argparse.Namespace) -> Wanted:
    """Return which trades a retry is of."""
    faults: list[str] = []
    since = time_of("--since", args.since, faults)
    ids = tuple(dict.fromkeys(shown.number_of("ID", text, faults) for text in args.ids))
    if ids and (args.reason or args.since):
        faults.append("ID and --reason or --since: one or the other")
    if not ids and not (args.reason and args.since):
        faults.append("which trades: give an ID or more, or both --reason and --since")
    if not (args.yes or args.dry_run or sys.stdin.isatty()):
        faults.append("there is no terminal to ask on: give --yes or --dry-run")
    shown.tell(faults)
    return Wanted(ids) if ids else Wanted(None, args.reason, None, since, retried=args.force)


def _ids(texts: Sequence[str]) -> tuple[int, ...]:
    faults: list[str] = []
    ids = tuple(shown.number_of("ID", text, faults) for text in texts)
    shown.tell(faults)
    return ids


def _found(rows: list[SetAside], ids: Sequence[int]) -> list[SetAside]:
    missing = sorted({*ids} - {row.quarantine_id for row in rows})
    if missing:
        raise BadInput([f"ID: there is no {each} in quarantine" for each in missing])
    return rows


def _connected() -> Connection:
    return connect(load_one(WarehouseSettings), application_name=APPLICATION_NAME)


def _agreed(question: str) -> bool:
    sys.stdout.write(question)
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
