"""``volwatch detector``: alerts from the trades as they come."""

import argparse
import gc
import random
from functools import partial

import structlog

from volwatch.backoff import Backoff
from volwatch.detector.ledger import Ledger
from volwatch.detector.loop import Loop
from volwatch.receiving import Subscription
from volwatch.runtime import Health, Stop, configure_logging, serve
from volwatch.settings import (
    DetectorSettings,
    KafkaSettings,
    PipelineSettings,
    ServiceSettings,
    WarehouseSettings,
    describe,
    load,
)
from volwatch.warehouse.connection import connect
from volwatch.warehouse.pool import Pool

APPLICATION_NAME = "volwatch-detector"

_log = structlog.get_logger()

# A statement of ours takes milliseconds; it may have to wait for the end of a run of the minute path, or of a rebuild.
_STATEMENT_SECONDS = 60.0
# With the longest wait between tries this stays below what Kafka lets a member be silent for.
_ATTEMPTS = 18

_DESCRIPTION = """\
Reads the trades topic and runs the engine of the minute path on it, record by record, so that an alert is in the
warehouse while its bar is still open. The minute path finds the same alerts, under the same ids, some minutes later:
it confirms them, or takes them back. The engines' states are saved every few seconds; after a crash they go on from
there, and nothing is told twice. Start as many detectors as there are partitions; they share the work. SIGTERM saves
the states and ends with exit code 0.
"""
_EPILOG = """\
example:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 VOLWATCH_WAREHOUSE_HOST=localhost \\
  VOLWATCH_WAREHOUSE_USER=volwatch_detector VOLWATCH_WAREHOUSE_PASSWORD=… volwatch detector

The settings of the minute path must be those of the minute path: both paths run one engine.

environment:
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: it has none, its settings are environment variables."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG + describe(
        KafkaSettings, WarehouseSettings, PipelineSettings, DetectorSettings, ServiceSettings
    )


def run(_args: argparse.Namespace) -> int:
    """Detect until SIGTERM; return 0, or let the error through that ended it."""
    kafka, warehouse, pipeline, settings, service = load(
        KafkaSettings, WarehouseSettings, PipelineSettings, DetectorSettings, ServiceSettings
    )
    configure_logging(service.log_level)
    stop, health = Stop.on_signals(), Health()
    port = serve(health, service.host, service.port)
    _log.info("detector_started", topic=kafka.topic, group=settings.group, port=port)
    pool = Pool(
        partial(connect, warehouse, application_name=APPLICATION_NAME, statement_timeout_seconds=_STATEMENT_SECONDS),
        size=1,
    )
    # What is there by now stays: the collector need not look at it.
    gc.freeze()
    try:
        Loop(
            Subscription.connect(kafka, settings.group, "detector"),
            Ledger(pool, pipeline),
            settings.snapshot_seconds,
            Backoff(_ATTEMPTS, random.random),
            health,
            stop,
        ).run()
    finally:
        pool.close()
    _log.info("detector_stopped")
    return 0
