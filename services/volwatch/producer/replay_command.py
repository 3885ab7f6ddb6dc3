"""``volwatch replay``: recorded trades of a range of time to Kafka again, under a source of their own."""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from rich.console import Console
from rich.progress import Progress, TaskProgressColumn

from volwatch import times, topics
from volwatch.errors import BadInput, Transient
from volwatch.producer import loop
from volwatch.producer.loop import Loop, Patience
from volwatch.producer.publisher import Publisher, connect
from volwatch.producer.recorded import Wanted, rawzone_trades
from volwatch.producer.replay import REPLAY_PREFIX, Replay
from volwatch.rawzone.store import Rawzone
from volwatch.runtime import Health, Stop, configure_logging
from volwatch.settings import KafkaSettings, RawzoneSettings, ServiceSettings, describe, load, load_one
from volwatch.trade import SOURCE_PATTERN, Trade

_FLUSH_SECONDS = 20.0
_TOLD_EVERY = 2_000

_DESCRIPTION = """\
Sends the trades of the raw zone that the producer had in [--from, --to) to Kafka again, in the order of their arrival
over all partitions, under the source replay-NAME: nothing recorded is changed by it. (To correct what is recorded:
volwatch rebuild.) Times are those of the record, so the rows that come of it do not depend on the speed.

The range is one of arrival (received_at), not of trading: what came late comes late again, and the engine does with it
what it did. Objects are looked for under the hours of the range, one before and one after; a record that the broker had
much later than the producer, as history that was sent ahead, is not found by its own time: for whole hours of arrival
at the broker there is volwatch producer --source replay --raw-from … --raw-to ….

Give each replay a name of its own. A second one under the same name comes behind the first one's end, and its trades
are rejected as LATE. What earlier replays have left in the raw zone is passed over.

Of each partition one object is held at a time, so the memory it takes does not depend on the range.
"""
_EPILOG = """\
examples:
  volwatch replay --from 2026-11-23T14:30Z --to 2026-11-23T21:00Z --speed 60
      a session, a minute a second
  volwatch replay --from 2026-11-23T14:30Z --to 2026-11-23T15:00Z --symbols AAPL,MSFT --name opening
      the first half hour of two symbols, as fast as Kafka takes it, as replay-opening

exit code: 0 when all was delivered, 1 when there was nothing, it was stopped, or a server does not answer,
2 when an argument is wrong

settings:
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a replay was asked for; ``speed`` 0 is as fast as possible."""

    wanted: Wanted
    source: str
    speed: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(KafkaSettings, RawzoneSettings)
    parser.add_argument("--from", dest="first", metavar="TIME", required=True, help=f"begin: {times.FORM}")
    parser.add_argument("--to", dest="end", metavar="TIME", required=True, help="end, not included")
    parser.add_argument("--symbols", metavar="A,B", help="only these")
    parser.add_argument("--source", metavar="NAME", help="only what came from there, as finnhub")
    parser.add_argument("--speed", metavar="N", default="max", help="seconds of the record a second, or max (default)")
    parser.add_argument("--name", help="the source is called replay-NAME (default: the time of now)")


def run(args: argparse.Namespace) -> int:
    """Replay once; return the exit code."""
    wanted = asked(args, datetime.now(UTC))
    configure_logging(load_one(ServiceSettings).log_level)
    try:
        return _replay(wanted)
    except Transient as error:
        sys.stderr.write(f"volwatch replay: {error}\n")
        return 1


def asked(args: argparse.Namespace, now: datetime) -> Asked:
    """Return what the options ask for.

    Raises
    ------
    BadInput
        Something is wrong with them; all of it is told.
    """
    faults: list[str] = []
    first, end = times.time_of("--from", args.first, faults), times.time_of("--to", args.end, faults)
    if first is not None and end is not None and end <= first:
        faults.append("--to: after --from")
    source = f"{REPLAY_PREFIX}{args.name or now.strftime('%Y%m%dt%H%M%S')}"
    if not re.search(SOURCE_PATTERN, source):
        faults.append("--name: lower-case letters, digits, '.', '_', '-'")
    speed = _speed(args.speed, faults)
    symbols = None if args.symbols is None else frozenset(filter(None, map(str.strip, args.symbols.split(","))))
    if symbols is not None and not symbols:
        faults.append("--symbols: name at least one")
    if faults or first is None or end is None:
        raise BadInput(faults)
    return Asked(Wanted(_epoch_ms(first), _epoch_ms(end), symbols, args.source), source, speed)


def _epoch_ms(time: datetime) -> int:
    return round(time.timestamp() * 1_000)


def _speed(text: str, faults: list[str]) -> float:
    """Return the factor that an option names, 0 for the greatest."""
    if text == "max":
        return 0.0
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        faults.append(f"--speed: a number above 0, or max, not {text!r}")
    return factor


def _replay(one: Asked) -> int:
    kafka, rawzone = load(KafkaSettings, RawzoneSettings)
    topics.check_topics(kafka)  # sending to a topic that is not there might make one that nobody configured
    stop, health = Stop.on_signals(), Health()
    publisher = Publisher(
        partial(connect, kafka),
        kafka.topic,
        kafka.quarantine_topic,
        clock=time.time,
        on_wait=Patience(health, stop, time.monotonic).wait,
    )
    began = time.monotonic()
    recorded = rawzone_trades(Rawzone.connect(rawzone), *one.wanted.hours, one.source, one.wanted)
    with _progress(one.wanted) as tell:
        rows = Replay(watched(recorded, tell), one.speed)
        carried = Loop(rows, publisher, health, time.time, loop.Progress(0.0))
        carried.run(stop)
        publisher.flush(_FLUSH_SECONDS)
    seconds = time.monotonic() - began
    sys.stdout.write(f"{summary(one.source, publisher.delivered, seconds, stopped=stop.requested)}\n")
    return 1 if stop.requested or not publisher.delivered else 0


def summary(source: str, delivered: int, seconds: float, *, stopped: bool) -> str:
    """Return what a replay did, for a person. Records that are no trades but end it (marks) are counted, too."""
    if not delivered:
        return "there is no trade of that range in the raw zone"
    ended = "stopped after" if stopped else "in"
    return f"{delivered} records delivered as {source} {ended} {seconds:.1f} s"


def watched(trades: Iterable[Trade], tell: Callable[[int], None]) -> Iterator[Trade]:
    """Yield trades, and tell now and then of the arrival of one, epoch ms."""
    for place, trade in enumerate(trades):
        if place % _TOLD_EVERY == 0:
            tell(trade.received_at)
        yield trade


@contextmanager
def _progress(wanted: Wanted) -> Iterator[Callable[[int], None]]:
    """Give what to tell how far it is, in time of the record: a bar on a terminal; elsewhere the loop logs."""
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], TaskProgressColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("recorded time", total=wanted.end_ms - wanted.first_ms)
        yield lambda received_ms: bar.update(task, completed=received_ms - wanted.first_ms)
