"""``volwatch producer``: trades to Kafka, from the simulator, a replay or Finnhub."""

import argparse
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import structlog

from volwatch import topics
from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.errors import Misconfigured
from volwatch.producer import arguments
from volwatch.producer.coarse import PRINTS_PER_DAY
from volwatch.producer.faults import Garbage, SwitchedSimulator, Switches
from volwatch.producer.loop import Loop, Patience, Progress
from volwatch.producer.ohlc import ohlc_trades
from volwatch.producer.publisher import Publisher, connect
from volwatch.producer.replay import REPLAY_PREFIX, Replay
from volwatch.producer.simulator import Simulator
from volwatch.producer.source import Rejected, Source
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import (
    FinnhubSettings,
    KafkaSettings,
    ProducerSettings,
    RawzoneSettings,
    ServiceSettings,
    load,
    load_one,
)
from volwatch.trade import Trade

_log = structlog.get_logger()

_FLUSH_SECONDS = 20.0
_MINUTE_MS = 60_000
# More than can be sent in a millisecond, so that no number comes twice, whenever the producer starts again.
_SEQ_PER_MS = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    arguments.declare(parser)


def run(args: argparse.Namespace) -> int:
    """Produce until the source ends or SIGTERM comes; return 0, or let the error through that ended it."""
    settings = load_one(ProducerSettings, **arguments.settings_options(args))
    kafka, service, finnhub = _groups(settings)
    faults = arguments.faults(args, settings, finnhub)
    if faults:
        raise Misconfigured(faults)
    configure_logging(service.log_level)
    stop, health = Stop.on_signals(), Health()
    settings = _without_stale_history(settings, kafka)
    now_ms = time.time_ns() // 1_000_000
    source = _finnhub(finnhub, stop, now_ms) if finnhub else _source(args, settings, now_ms)
    spoiled = Garbage(source, args.garbage, settings.seed)
    publisher = Publisher(
        partial(connect, kafka),
        kafka.topic,
        kafka.quarantine_topic,
        clock=time.time,
        on_wait=Patience(health, stop, time.monotonic).wait,
    )
    port = serve(health, service.host, service.port)
    _log.info("producer_started", source=settings.source, topic=kafka.topic, port=port)
    progress = Progress(_history_trades(args, settings))
    loop = Loop(spoiled, publisher, health, time.time, progress, args.labels)
    loop.run(stop)
    publisher.flush(_FLUSH_SECONDS)
    _log.info(
        "producer_stopped",
        trades=loop.trades,
        delivered=publisher.delivered,
        failed=publisher.failed,
        rejected=publisher.rejected,
        garbage=dict(spoiled.sent),
        backpressure=publisher.waits,
    )
    return 0


def _groups(settings: ProducerSettings) -> tuple[KafkaSettings, ServiceSettings, FinnhubSettings | None]:
    if settings.source == "finnhub":
        return load(KafkaSettings, ServiceSettings, FinnhubSettings)
    return *load(KafkaSettings, ServiceSettings), None


def _without_stale_history(settings: ProducerSettings, kafka: KafkaSettings) -> ProducerSettings:
    """Return the settings, without history where the topic has had records: whoever read those takes it for late."""
    if not settings.history_minutes or not any(end for _first, end in topics.offsets(kafka).values()):
        return settings
    _log.info("history_skipped", minutes=settings.history_minutes, reason="the topic has had records")
    return settings.model_copy(update={"history_minutes": 0})


def _source(args: argparse.Namespace, settings: ProducerSettings, now_ms: int) -> Source:
    if settings.source == "simulator":
        return _simulator(args, settings, now_ms)
    source = REPLAY_PREFIX + args.name
    if args.ohlc is not None:
        return Replay(_bars(args.ohlc, args.symbol, source), args.speed)
    return Replay(_recorded(args, source), args.speed)


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
    spike_symbol = args.spike_symbol or simulator.names[0]
    if spike_symbol not in simulator.names:
        raise Misconfigured(
            [f"--spike-symbol: no {spike_symbol!r}, there are {simulator.names[0]} … {simulator.names[-1]}"]
        )
    return SwitchedSimulator(simulator, Switches.on_signals(), spike_symbol)


def _finnhub(settings: FinnhubSettings, stop: Stop, now_ms: int) -> Source:
    # Imported here: a producer that listens to no feed starts without the client.
    from volwatch.producer.feed import Feed
    from volwatch.producer.finnhub_source import FinnhubSource
    from volwatch.producer.websocket import finnhub_connection, redacted

    symbols = arguments.subscriptions(settings)
    feed = Feed(
        partial(finnhub_connection, settings.url, settings.token),
        symbols,
        stop,
        clock=time.time,
        monotonic=time.monotonic,
        random=random.random,
    )
    feed.start()
    return FinnhubSource(
        feed,
        symbols,
        first_seq=now_ms * _SEQ_PER_MS,
        lateness_seconds=EngineConfig().lateness_seconds,
        redacted=partial(redacted, token=settings.token),
    )


def _history_trades(args: argparse.Namespace, settings: ProducerSettings) -> float:
    """Return about how many trades come before the live ones."""
    if settings.source != "simulator":
        return 0.0
    days = int(args.history_days)
    return days * PRINTS_PER_DAY * settings.symbols + settings.history_minutes * 60 * (
        settings.history_rate or settings.rate
    )


def _bars(path: Path, symbol: str, source: str) -> Iterator[Trade | Rejected]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from ohlc_trades(lines, symbol, source, calendar_named("XNYS"))


def _recorded(args: argparse.Namespace, source: str) -> Iterator[Trade]:
    # Imported here: a producer that reads no raw zone needs neither its client nor its reader.
    from volwatch.producer.recorded import rawzone_trades
    from volwatch.rawzone.store import Rawzone

    rawzone = Rawzone.connect(load_one(RawzoneSettings))
    return rawzone_trades(rawzone, args.raw_from, args.raw_to or args.raw_from, source)
