"""``volwatch notifier``: people and programs are told of alerts."""

import argparse
import random
import sys
import time
import uuid
from datetime import UTC, datetime

import structlog

from volwatch.alert_transition import AlertTransition, Delivery
from volwatch.errors import BadInput, Transient
from volwatch.notifier.message import Message
from volwatch.notifier.receiver import Receiver, Refused
from volwatch.notifier.receivers import connect_all, read_channels
from volwatch.notifier.service import Notifier
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import (
    KafkaSettings,
    NotifierSettings,
    ServiceSettings,
    WarehouseSettings,
    describe,
    load,
    load_one,
)

_log = structlog.get_logger()

_DESCRIPTION = """\
Tells of alerts through channels: Apprise (chats), mail, web-hooks, Alertmanager, the topic of alerts. Every event of an
alert is put into the outbox in its own transaction; the notifier takes it from there, addresses it to the channels that
want it, and tries each channel until it took it. Every step of an alert has a key and is told once by it; an attempt
that was cut short is made again under the same key. Several notifiers may run: one works, the others stand by. SIGTERM
finishes the message that is being sent and ends with exit code 0. A new channel tells of what happens from then on.
"""
_EPILOG = """\
examples:
  VOLWATCH_NOTIFIER_CHANNELS_FILE=channels.yaml volwatch notifier --check
  VOLWATCH_NOTIFIER_CHANNELS_FILE=channels.yaml volwatch notifier --test desk

exit code: 0, 1 when a test message was not taken, 2 when the configuration is wrong

environment; that of Kafka only for a channel of kind kafka, as there is one without a file:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(NotifierSettings, WarehouseSettings, KafkaSettings, ServiceSettings)
    once = parser.add_mutually_exclusive_group()
    once.add_argument("--check", action="store_true", help="read the channels, say what is wrong with them, and end")
    once.add_argument("--test", metavar="CHANNEL", help="send one message through a channel, and end")


def run(args: argparse.Namespace) -> int:
    """Notify until SIGTERM; return 0, or let the error through that ended it."""
    channels = read_channels(load_one(NotifierSettings).channels_file)
    receivers = connect_all(channels, time.time)
    if args.check:
        sys.stdout.writelines(f"{channel.name}: {channel.kind}\n" for channel in channels)
        return 0
    if args.test is not None:
        return _test(args.test, receivers.get(args.test), time.time())
    warehouse, service = load(WarehouseSettings, ServiceSettings)
    configure_logging(service.log_level)
    stop, health = Stop.on_signals(), Health()
    port = serve(health, service.host, service.port)
    _log.info("notifier_started", channels=[channel.name for channel in channels], port=port)
    Notifier(warehouse, channels, receivers, health, random.random).run(stop)
    _log.info("notifier_stopped")
    return 0


def _test(name: str, receiver: Receiver | None, now: float) -> int:
    """Send one message that says that it is a test; return the exit code."""
    if receiver is None:
        raise BadInput([f"--test: there is no channel {name}"])
    try:
        receiver.send(test_message(now))
    except (Transient, Refused) as error:
        sys.stderr.write(f"volwatch notifier: channel {name} did not take it: {error}\n")
        return 1
    sys.stdout.write(f"channel {name} took it\n")
    return 0


def test_message(now: float) -> Message:
    """Return a message that says that it is a test."""
    now_ms = int(now * 1000)
    alert_id = str(uuid.UUID(int=now_ms))
    step = AlertTransition(
        key=f"{alert_id}:OPEN",
        event_id=0,
        alert_id=alert_id,
        event="OPEN",
        severity="LOW",
        happened_at=now_ms,
        actor="test",
        detail=None,
        source="test",
        symbol="TEST",
        kind="TEST",
        detector="test",
        onset_bar=now_ms,
        statistic=0.0,
        threshold=0.0,
        volatility=None,
        expected_volatility=None,
        ratio=None,
        sentence="This is a test of the channel; nothing happened.",
        market_alert_id=None,
    )
    return Message((Delivery(step, "", datetime.fromtimestamp(now, UTC)),))
