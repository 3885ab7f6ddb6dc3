"""``volwatch producer``: trades to Kafka, from the simulator, a replay or Finnhub, when it is this producer's turn."""

import argparse
import time
from dataclasses import dataclass
from functools import partial

import structlog

from volwatch import topics
from volwatch.errors import Misconfigured
from volwatch.producer import arguments
from volwatch.producer.candidacy import turn
from volwatch.producer.coarse import PRINTS_PER_DAY
from volwatch.producer.faults import Garbage, Switches
from volwatch.producer.leadership import Deposed, Turn
from volwatch.producer.loop import Loop, Patience, Progress
from volwatch.producer.publisher import Publisher, connect
from volwatch.producer.sources import open_source, spike_faults
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import (
    FinnhubSettings,
    KafkaSettings,
    LeaseSettings,
    ProducerSettings,
    ServiceSettings,
    load,
    load_one,
)

_log = structlog.get_logger()

_FLUSH_SECONDS = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    arguments.declare(parser)


def run(args: argparse.Namespace) -> int:
    """Stand by until it is our turn, then produce until the source ends or SIGTERM comes.

    Returns 0, or 1 when it is another's turn by now, or lets the error through that ended it.
    """
    orders = _orders(args)
    configure_logging(orders.service.log_level)
    stop, health = Stop.on_signals(), Health()
    if orders.producer.source == "simulator":
        Switches.on_signals()  # while standing by there is no market to disturb, and they would end the process
    our_turn = turn(orders.producer.source, orders.lease, orders.kafka)
    port = serve(health, orders.service.host, orders.service.port)
    _log.info("producer_started", source=orders.producer.source, topic=orders.kafka.topic, port=port)
    if our_turn.wait(stop, health):
        return _produce(orders, our_turn, stop, health)
    _log.info("producer_stopped", trades=0)
    return 0


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the producer was told."""

    args: argparse.Namespace
    producer: ProducerSettings
    kafka: KafkaSettings
    service: ServiceSettings
    lease: LeaseSettings
    finnhub: FinnhubSettings | None


def _orders(args: argparse.Namespace) -> _Orders:
    producer = load_one(ProducerSettings, **arguments.settings_options(args))
    finnhub: FinnhubSettings | None = None
    if producer.source == "finnhub":
        kafka, service, lease, finnhub = load(KafkaSettings, ServiceSettings, LeaseSettings, FinnhubSettings)
    else:
        kafka, service, lease = load(KafkaSettings, ServiceSettings, LeaseSettings)
    faults = arguments.faults(args, producer, finnhub) + spike_faults(args, producer)
    if faults:
        raise Misconfigured(faults)
    return _Orders(args, producer, kafka, service, lease, finnhub)


def _produce(orders: _Orders, our_turn: Turn, stop: Stop, health: Health) -> int:
    """Produce as long as it is our turn. A market begins, and a feed is listened to, only now; return the exit code."""
    args, kafka = orders.args, orders.kafka
    publisher = Publisher(
        partial(connect, kafka),
        kafka.topic,
        kafka.quarantine_topic,
        clock=time.time,
        on_wait=Patience(health, stop, time.monotonic).wait,
        check=our_turn.check,
    )
    our_turn.keep(publisher.halt)
    producer = _without_stale_history(orders.producer, kafka)
    opened = open_source(args, producer, orders.finnhub, stop, time.time_ns() // 1_000_000)
    spoiled = Garbage(opened.source, args.garbage, producer.seed)
    loop = Loop(spoiled, publisher, health, time.time, Progress(_history_trades(args, producer)), args.labels)
    in_turn = True
    try:
        loop.run(stop)
        stop.request()  # the source may have ended by itself
        opened.close()
        publisher.flush(_FLUSH_SECONDS)
        our_turn.give_back()
    except Deposed as deposed:
        in_turn = False
        stop.request()
        publisher.withdraw(deposed.answer_seconds)
    _log.info(
        "producer_stopped",
        trades=loop.trades,
        delivered=publisher.delivered,
        failed=publisher.failed,
        rejected=publisher.rejected,
        withdrawn=publisher.withdrawn,
        garbage=dict(spoiled.sent),
        backpressure=publisher.waits,
    )
    return 0 if in_turn else 1


def _without_stale_history(settings: ProducerSettings, kafka: KafkaSettings) -> ProducerSettings:
    """Return the settings, without history where the topic has had records: whoever read those takes it for late."""
    if not settings.history_minutes or not any(end for _first, end in topics.offsets(kafka).values()):
        return settings
    _log.info("history_skipped", minutes=settings.history_minutes, reason="the topic has had records")
    return settings.model_copy(update={"history_minutes": 0})


def _history_trades(args: argparse.Namespace, settings: ProducerSettings) -> float:
    """Return about how many trades come before the live ones."""
    if settings.source != "simulator":
        return 0.0
    days = int(args.history_days)
    return days * PRINTS_PER_DAY * settings.symbols + settings.history_minutes * 60 * (
        settings.history_rate or settings.rate
    )
