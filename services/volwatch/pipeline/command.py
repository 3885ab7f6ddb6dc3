"""``volwatch pipeline run|maintain|nightly``: what the Airflow DAGs do, once, by hand or by a CronJob."""

import argparse
from contextlib import closing
from datetime import UTC, datetime

from volwatch import topics
from volwatch.pipeline import maintenance, minute, nightly
from volwatch.rawzone.store import Rawzone
from volwatch.runtime import configure_logging
from volwatch.settings import (
    KafkaSettings,
    PipelineSettings,
    RawzoneSettings,
    ServiceSettings,
    WarehouseSettings,
    describe,
    load,
    load_one,
)
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-pipeline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "Settings:\n" + describe(RawzoneSettings, WarehouseSettings, PipelineSettings, KafkaSettings)
    parser.add_argument(
        "task",
        choices=("run", "maintain", "nightly"),
        help="run: load what the raw zone has that the warehouse has not, compute, alert (every minute). "
        "maintain: partitions, retention, reconcile (every day; also needs Kafka). "
        "nightly: measures of finished sessions, GARCH (every day; needs the warehouse alone)",
    )


def run(args: argparse.Namespace) -> int:
    """Do one task; return 0."""
    configure_logging(load_one(ServiceSettings).log_level)
    if args.task == "run":
        run_minute()
    elif args.task == "maintain":
        run_maintenance()
    else:
        run_nightly()
    return 0


def run_minute() -> minute.Report:
    """Run the minute path once, with the servers that the environment names."""
    rawzone, warehouse, pipeline = load(RawzoneSettings, WarehouseSettings, PipelineSettings)
    with closing(connect(warehouse, application_name=APPLICATION_NAME)) as connection:
        return minute.run(connection, Rawzone.connect(rawzone), pipeline, _now)


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


def _now() -> datetime:
    return datetime.now(UTC)
