"""A real PostgreSQL with the schema and roles of production, the dashboard as a process, and a real browser."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.chromium import chromium
from tests.dashboard.rows import Rows
from tests.dashboard.serving import Open, Start, dashboards
from tests.databases import own_database
from volwatch.local.passwords import Passwords
from volwatch.local.ports import free_port
from volwatch.local.postgres import Postgres
from volwatch.local.process import Processes
from volwatch.settings import WarehouseSettings, inherited_environment
from volwatch.warehouse import provision
from volwatch.warehouse.connection import connect
from volwatch.warehouse.reader import Reader, open_reader

PATIENCE_MS = 30_000
"""For a busy machine; what must be quick says so where it is tested."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Warehouse:
    """A database of a test's own: how the dashboard reaches it, and the rows that a pipeline would write."""

    settings: WarehouseSettings
    rows: Rows


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="volwatch-"))
    processes = Processes(folder)
    passwords = Passwords(folder / "passwords.json")
    server = Postgres(processes, inherited_environment(), free_port(random.SystemRandom()), passwords, durable=False)
    try:
        server.start()
        with server.admin() as admin:
            provision.provision(admin, {role: server.password(role) for role in provision.ROLES})
        yield server
    finally:
        server.stop()
        processes.release()
        shutil.rmtree(folder)


@pytest.fixture
def warehouse(postgres: Postgres) -> Iterator[Warehouse]:
    with own_database(postgres) as database:
        writer = connect(postgres.settings("volwatch_pipeline", database), application_name="test")
        writer.autocommit = True
        yield Warehouse(postgres.settings("volwatch_dashboard", database), Rows(writer))
        writer.close()


@pytest.fixture
def reader(warehouse: Warehouse) -> Iterator[Reader]:
    opened = open_reader(warehouse.settings, connections=2, application_name="test")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def start_dashboard(warehouse: Warehouse, tmp_path: Path) -> Iterator[Start]:
    """Start the dashboard on the test's warehouse, with more variables if given."""
    with dashboards(warehouse.settings, tmp_path / "dashboard") as start:
        yield start


@pytest.fixture
def dashboard(start_dashboard: Start) -> Open:
    """As ``start_dashboard``, reading again twice a second; return its address."""
    return lambda **more: start_dashboard(VOLWATCH_DASHBOARD_REFRESH_SECONDS="0.5", **more).url
