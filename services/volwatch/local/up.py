"""``volwatch local up``: the whole platform on this machine, until Ctrl-C."""

import argparse
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from volwatch.local.interrupts import interruptible
from volwatch.local.service import Service
from volwatch.local.stack import Stack

SERVICES = ("consumer", "detector", "notifier", "producer", "dashboard")
_LOOK_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's options."""
    parser.add_argument("--folder", type=Path, default=Path(".volwatch"), help="data, logs, passwords (%(default)s)")
    parser.add_argument("--no-airflow", action="store_true", help="leave Airflow out: nothing runs the minute path")


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C (exit code 0) or until a part of the platform ends (exit code 1)."""
    console = Console()
    try:
        with interruptible(), Stack(args.folder, console=console) as stack:
            _start(stack, console, airflow=not args.no_airflow)
            return _watch(stack, console)
    except KeyboardInterrupt:
        console.print("stopped; the data stay in", str(args.folder), highlight=False)
        return 0


def _start(stack: Stack, console: Console, *, airflow: bool) -> None:
    if airflow:
        stack.start_airflow()
    stack.start_servers()
    services = [stack.start_service(stage, env=stack.own_lease) for stage in SERVICES]
    for service in services:
        service.wait_ready()
    with console.status("starting Airflow"):
        stack.wait_airflow()
    console.print(_addresses(stack, services, airflow=airflow))
    console.print("everything runs; Ctrl-C stops it")


def _addresses(stack: Stack, services: list[Service], *, airflow: bool) -> Table:
    table = Table()
    table.add_column("part")
    table.add_column("address")
    warehouse = stack.warehouse_settings("dashboard")
    rows = {service.name: service.url for service in reversed(services)}
    rows |= {"airflow": stack.airflow_url} if airflow else {}
    rows |= {
        "kafka": stack.kafka_settings.bootstrap,
        "minio": stack.rawzone_settings.endpoint,
        "postgresql": f"{warehouse.host}:{warehouse.port}, database {warehouse.database}",
    }
    for part, address in rows.items():
        table.add_row(part, address)
    return table


def _watch(stack: Stack, console: Console) -> int:
    while not (failed := stack.failed()):
        time.sleep(_LOOK_SECONDS)  # of many processes the first to end is asked for
    for ended in failed:
        console.print(f"{ended.name} ended with exit code {ended.exit_code}; see {ended.log}", style="red")
    return 1
