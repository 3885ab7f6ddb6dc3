"""``volwatch provision``: a server holds what the stages find on it before its first use."""

import argparse
import sys
import time
from collections.abc import Callable

import structlog

from volwatch.errors import Transient
from volwatch.operations.patience import Patience, add_option, growing
from volwatch.runtime import Stop, configure_logging
from volwatch.settings import (
    KafkaSettings,
    RawzoneProvisionSettings,
    RawzoneSettings,
    ServiceSettings,
    WarehouseProvisionSettings,
    WarehouseSettings,
    describe,
    load,
)

_log = structlog.get_logger()

PATIENCE_SECONDS = 600.0

_DESCRIPTION = """\
Makes what the stages find on a server, as its administrator. Running it again changes nothing, and it waits for a
server that is not up yet.

  kafka      the topics of trades and of quarantined records, dated by the broker
  rawzone    the bucket, one for Airflow's logs, the rules by which objects expire; on MinIO, users with least rights
  warehouse  the roles and the databases; then run volwatch migrate as volwatch_owner
"""
_EPILOG = """\
examples:
  VOLWATCH_KAFKA_BOOTSTRAP=localhost:9092 volwatch provision kafka

  VOLWATCH_WAREHOUSE_HOST=localhost VOLWATCH_WAREHOUSE_DATABASE=postgres VOLWATCH_WAREHOUSE_USER=postgres \\
  VOLWATCH_WAREHOUSE_PASSWORD=… VOLWATCH_WAREHOUSE_PROVISION_OWNER_PASSWORD=… volwatch provision warehouse

exit code: 0 when all is there, 1 when patience ended before, 2 when the configuration is wrong

environment of kafka:
{kafka}

environment of rawzone, with the keys of its administrator:
{rawzone}

environment of warehouse, with the password of its administrator and a database that exists, such as postgres:
{warehouse}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG.format(
        kafka=describe(KafkaSettings),
        rawzone=describe(RawzoneSettings, RawzoneProvisionSettings),
        warehouse=describe(WarehouseSettings, WarehouseProvisionSettings),
    )
    parser.add_argument("server", choices=sorted(_PLANS), help="the server to provision")
    add_option(parser, PATIENCE_SECONDS)


def run(args: argparse.Namespace) -> int:
    """Provision one server; return 0, or 1 when it did not do its part in time."""
    service, work = _PLANS[args.server]()
    configure_logging(service.log_level)
    stop = Stop.on_signals()
    return persist(args.server, work, Patience(args.patience, time.monotonic, stop.wait))


def persist(server: str, work: Callable[[], None], patience: Patience) -> int:
    """Do the work, again and again where the server is not ready for it; return the exit code."""
    try:
        patience.retry(work, growing(), lambda error: _log.warning("provision_failed", server=server, error=str(error)))
    except Transient as error:
        sys.stderr.write(f"volwatch provision {server}: gave up after {patience.spent_seconds:.0f} s: {error}\n")
        return 1
    _log.info("provisioned", server=server)
    return 0


Plan = tuple[ServiceSettings, Callable[[], None]]
"""How to log, and what to do."""


def _kafka() -> Plan:
    from volwatch import topics

    kafka, service = load(KafkaSettings, ServiceSettings)

    def work() -> None:
        for name in topics.create_topics(kafka):
            _log.warning(
                "topic_dated_by_producers", topic=name, set=f"{topics.TIMESTAMP_TYPE}={topics.LOG_APPEND_TIME}"
            )

    return service, work


def _rawzone() -> Plan:
    from volwatch.rawzone import provision

    rawzone, wanted, service = load(RawzoneSettings, RawzoneProvisionSettings, ServiceSettings)
    return service, lambda: provision.provision(rawzone, wanted)


def _warehouse() -> Plan:
    from volwatch.warehouse import provision

    warehouse, wanted, service = load(WarehouseSettings, WarehouseProvisionSettings, ServiceSettings)

    def work() -> None:
        for role in provision.provision_server(warehouse, wanted):
            _log.warning("role_without_login", role=role, reason="no password is given")

    return service, work


_PLANS: dict[str, Callable[[], Plan]] = {"kafka": _kafka, "rawzone": _rawzone, "warehouse": _warehouse}
