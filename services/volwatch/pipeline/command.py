"""``volwatch pipeline run|maintain|nightly|quotes``: what the Airflow DAGs do, once, by hand or by a CronJob."""

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

from urllib3 import PoolManager

from volwatch import sending, topics
from volwatch.errors import Misconfigured
from volwatch.pipeline import maintenance, minute, nightly, quotes
from volwatch.pipeline.call_budget import CallBudget
from volwatch.pipeline.finnhub_rest import FinnhubRest
from volwatch.rawzone.store import Rawzone
from volwatch.runtime import configure_logging
from volwatch.settings import (
    FinnhubSettings,
    KafkaSettings,
    PipelineSettings,
    RawzoneSettings,
    ServiceSettings,
    WarehouseSettings,
    describe,
    is_given,
    load,
    load_one,
)
from volwatch.warehouse import sight
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-pipeline"
_QUOTES_SECONDS = 45.0
"""How long quotes are asked for: a run is over before the next minute."""


class NoAccount(Misconfigured):
    """There is no key of an account at Finnhub, so there is nobody to ask."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "Settings:\n" + describe(
        RawzoneSettings, WarehouseSettings, PipelineSettings, KafkaSettings, FinnhubSettings
    )
    parser.add_argument(
        "task",
        choices=("run", "maintain", "nightly", "quotes"),
        help="run: load what the raw zone has that the warehouse has not, compute, alert (every minute). "
        "maintain: partitions, retention, reconcile (every day; also needs Kafka). "
        "nightly: measures of finished sessions, GARCH (every day; needs the warehouse alone). "
        "quotes: ask Finnhub for the prices of the watch-list, send what is new to Kafka (every minute; needs the "
        "warehouse, Kafka and VOLWATCH_FINNHUB_TOKEN; within VOLWATCH_FINNHUB_QUOTES_PER_MINUTE, whoever asks)",
    )


def run(args: argparse.Namespace) -> int:
    """Do one task; return 0."""
    configure_logging(load_one(ServiceSettings).log_level)
    if args.task == "run":
        run_minute()
    elif args.task == "maintain":
        run_maintenance()
    elif args.task == "quotes":
        run_quotes()
    else:
        run_nightly()
    return 0


def run_minute() -> minute.Report:
    """Run the minute path once, with the servers that the environment names."""
    rawzone, warehouse, pipeline = load(RawzoneSettings, WarehouseSettings, PipelineSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        report = minute.run(connection, Rawzone.connect(rawzone), pipeline, _now)
        if not report.busy:
            with connection, connection.cursor() as cursor:
                sight.watch(cursor, "pipeline")
        return report


def run_maintenance() -> maintenance.Report:
    """Run the daily maintenance once, with the servers that the environment names."""
    rawzone, warehouse, pipeline, kafka = load(RawzoneSettings, WarehouseSettings, PipelineSettings, KafkaSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        offsets = topics.offsets(kafka)
        return maintenance.run(connection, Rawzone.connect(rawzone), pipeline, offsets, _now())


def run_nightly() -> nightly.Report:
    """Measure the sessions that are finished, with the warehouse that the environment names."""
    warehouse, pipeline = load(WarehouseSettings, PipelineSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        return nightly.run(connection, pipeline, _now())


def run_quotes() -> quotes.Report:
    """Fetch quotes once and publish what is new, with the account and the servers that the environment names.

    Raises
    ------
    NoAccount
        It names no account.
    """
    if not is_given(FinnhubSettings, "token"):
        raise NoAccount(["VOLWATCH_FINNHUB_TOKEN is not set: without the key of an account no quotes are fetched"])
    finnhub, kafka, warehouse = load(FinnhubSettings, KafkaSettings, WarehouseSettings)
    topics.check_topics(kafka)  # before anything is asked or claimed
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        return quotes.run(
            connection,
            partial(_finnhub, finnhub),
            partial(quotes.publish, sending.connect(kafka, "volwatch-quotes"), kafka.topic),
            finnhub.watched,
            finnhub.quotes_per_minute,
            _now,
        )


def _finnhub(settings: FinnhubSettings, spent: Sequence[float]) -> FinnhubRest:
    budget = CallBudget(settings.quotes_per_minute, _QUOTES_SECONDS, time.monotonic, time.sleep, spent)
    return FinnhubRest(settings.rest_url, settings.token, PoolManager(), budget)


def _now() -> datetime:
    return datetime.now(UTC)
