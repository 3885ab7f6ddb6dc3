"""The sources by name: what the options and settings of a producer make of them."""

import argparse
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.producer.faults import SwitchedSimulator, Switches
from volwatch.producer.ohlc import ohlc_trades
from volwatch.producer.replay import REPLAY_PREFIX, Replay
from volwatch.producer.simulator import Simulator, symbol_names
from volwatch.producer.source import Rejected, Source
from volwatch.runtime import Stop
from volwatch.settings import FinnhubSettings, ProducerSettings, RawzoneSettings, load_one
from volwatch.trade import Trade

_MINUTE_MS = 60_000
# More than can be sent in a millisecond, so that no number comes twice, whenever the producer starts again.
_SEQ_PER_MS = 1_000
# Longer than a feed that was told to stop takes to read its last message and to close its connection.
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that has begun.

    Attributes
    ----------
    source : Source
        To be read.
    close : callable
        Returns when nothing is connected any more, after the stop that the source was opened with.
    """

    source: Source
    close: Callable[[], object] = lambda: None


def open_source(
    args: argparse.Namespace, settings: ProducerSettings, finnhub: FinnhubSettings | None, stop: Stop, now_ms: int
) -> Opened:
    """Begin a source: a simulated market starts at ``now_ms``, a feed connects."""
    if finnhub is not None:
        return _finnhub(finnhub, stop, now_ms)
    if settings.source == "simulator":
        return Opened(_simulator(args, settings, now_ms))
    source = REPLAY_PREFIX + args.name
    if args.ohlc is not None:
        return Opened(Replay(_bars(args.ohlc, args.symbol, source), args.speed))
    return Opened(Replay(_recorded(args, source), args.speed))


def spike_faults(args: argparse.Namespace, settings: ProducerSettings) -> list[str]:
    """Return what is wrong with the symbol of a burst."""
    names = symbol_names(settings.symbols)
    if settings.source != "simulator" or args.spike_symbol in (None, *names):
        return []
    return [f"--spike-symbol: no {args.spike_symbol!r}, there are {names[0]} … {names[-1]}"]


def _simulator(args: argparse.Namespace, settings: ProducerSettings, now_ms: int) -> SwitchedSimulator:
    history_start_ms = (now_ms - settings.history_minutes * _MINUTE_MS) // _MINUTE_MS * _MINUTE_MS
    simulator = Simulator(
        settings.scenario,
        settings.seed,
        settings.symbols,
        settings.rate,
        start_ms=history_start_ms if settings.history_minutes else now_ms,
        history_days=args.history_days,
        first_seq=now_ms * _SEQ_PER_MS,
        history_seconds=settings.history_minutes * 60,
        history_rate=settings.history_rate,
    )
    return SwitchedSimulator(simulator, Switches.on_signals(), args.spike_symbol or simulator.names[0])


def _finnhub(settings: FinnhubSettings, stop: Stop, now_ms: int) -> Opened:
    # Imported here: a producer that listens to no feed starts without the client.
    from volwatch.producer.feed import Feed
    from volwatch.producer.finnhub_source import FinnhubSource
    from volwatch.producer.websocket import finnhub_connection, redacted

    symbols = settings.watched
    feed = Feed(
        partial(finnhub_connection, settings.url, settings.token),
        symbols,
        stop,
        clock=time.time,
        monotonic=time.monotonic,
        random=random.random,
    )
    source = FinnhubSource(
        feed,
        symbols,
        first_seq=now_ms * _SEQ_PER_MS,
        lateness_seconds=EngineConfig().lateness_seconds,
        redacted=partial(redacted, token=settings.token),
    )
    return Opened(source, partial(feed.start().join, _CLOSE_SECONDS))


def _bars(path: Path, symbol: str, source: str) -> Iterator[Trade | Rejected]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from ohlc_trades(lines, symbol, source, calendar_named("XNYS"))


def _recorded(args: argparse.Namespace, source: str) -> Iterator[Trade]:
    # Imported here: a producer that reads no raw zone needs neither its client nor its reader.
    from volwatch.producer.recorded import rawzone_trades
    from volwatch.rawzone.store import Rawzone

    rawzone = Rawzone.connect(load_one(RawzoneSettings))
    return rawzone_trades(rawzone, args.raw_from, args.raw_to or args.raw_from, source)
