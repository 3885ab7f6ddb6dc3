"""``volwatch consumer``: trades from Kafka to the raw zone."""

import argparse
import gc
import random
from concurrent.futures import ThreadPoolExecutor

import structlog

from volwatch.backoff import Backoff
from volwatch.consumer.batch import Limits
from volwatch.consumer.loop import Loop
from volwatch.consumer.quarantine import Quarantine
from volwatch.consumer.storing import Storing
from volwatch.rawzone.store import Rawzone
from volwatch.receiving import Subscription
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import ConsumerSettings, KafkaSettings, RawzoneSettings, ServiceSettings, describe, load

_log = structlog.get_logger()

# One object is being put and others are being filled; the rest evens out their pace.
_OBJECTS_HELD = 4

_DESCRIPTION = """\
Reads the trades topic and stores every record in the raw zone, as objects

  trades/date=YYYY-MM-DD/hour=HH/<partition>-<first offset>-<last offset>.csv.gz

An object is written when a partition has enough rows or its oldest row is old enough, whichever comes first, and when
the group takes the partition away or the consumer stops. Offsets are committed only when their object is stored.
Records that are no trades go to the quarantine topic with their reason. Start as many consumers as there are
partitions; they share the work. SIGTERM stores what is held, commits and ends with exit code 0.
"""
_EPILOG = """\
example:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 VOLWATCH_RAWZONE_ENDPOINT=localhost:9000 \\
  VOLWATCH_RAWZONE_ACCESS_KEY=… VOLWATCH_RAWZONE_SECRET_KEY=… volwatch consumer

environment:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: it has none, its settings are environment variables."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(KafkaSettings, RawzoneSettings, ConsumerSettings, ServiceSettings)


def run(_args: argparse.Namespace) -> int:
    """Consume until SIGTERM; return 0, or let the error through that ended it."""
    kafka, rawzone, settings, service = load(KafkaSettings, RawzoneSettings, ConsumerSettings, ServiceSettings)
    configure_logging(service.log_level)
    stop, health = Stop.on_signals(), Health()
    port = serve(health, service.host, service.port)
    _log.info("consumer_started", topic=kafka.topic, group=settings.group, bucket=rawzone.bucket, port=port)
    backoff = Backoff(settings.store_attempts, random.random)
    store = Rawzone.connect(rawzone)
    backoff.retry(store.ensure_bucket, stop.wait, lambda error: _log.warning("store_failed", error=str(error)))
    # What is there by now stays. Messages come by the thousand and set the collector off, which need not look at it.
    gc.freeze()
    with ThreadPoolExecutor(1, "put") as putter:
        Loop(
            Subscription.connect(kafka, settings.group, "consumer"),
            Storing(store, putter, backoff, stop.wait),
            Quarantine.connect(kafka),
            Limits(settings.flush_rows, settings.buffer_bytes // _OBJECTS_HELD, settings.flush_seconds),
            settings.buffer_bytes,
            backoff,
            health,
        ).run(stop)
    _log.info("consumer_stopped")
    return 0
