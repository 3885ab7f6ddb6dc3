"""Ten people look at once, for as long as you like: nothing fails, no connection too many, no memory that is not given
back."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil
import pytest
import structlog
from playwright.sync_api import Browser, Page, WebSocket, expect
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from tests.benchmarks.warehouse_market import SOURCE, fill
from tests.dashboard.conftest import PATIENCE_MS, Warehouse
from tests.dashboard.looking import faults_of
from tests.dashboard.serving import Dashboard, Start
from volwatch.local.postgres import Postgres
from volwatch.warehouse.provision import OWNER
from volwatch.warehouse.readings import Series

pytestmark = pytest.mark.browser

SYMBOLS, SESSIONS = 100, 2
PATHS = (
    "/",
    "/",
    "/symbol?symbol=S001&source=bench",
    "/symbol?symbol=S002&source=bench",
    "/symbol?symbol=S050&source=bench",
    "/alerts",
    "/alerts?symbol=S010",
    "/backtest",
    "/pipeline",
    "/pipeline",
)
MOST_CONNECTIONS = 10
LONG = "VOLWATCH_LONG_BROWSERS" in os.environ
WATCHED_SECONDS = 300.0 if LONG else 25.0
LOOK_MS = 250
# Streamlit and pandas go on taking some in the first minute.
SETTLED_SECONDS, MOST_GROWTH = 60.0, 1.15
FAULTY = "[data-testid=stException], [data-testid=stAlertContentError]:has-text('cannot be reached')"
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'volwatch-dashboard%%'"""

log = structlog.get_logger()


@dataclass
class Seen:
    """What was seen so far: connections and memory at each look, by the second, and the refreshes of all pages."""

    connections: list[int] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    refreshes: int = 0

    def refreshed(self, socket: WebSocket) -> None:
        """Count what a page asks for: it asks for each of its parts to be drawn again."""

        def count(_frame: str | bytes) -> None:
            self.refreshes += 1

        socket.on("framesent", count)

    def memory_between(self, start: float, end: float) -> int:
        """Return the most memory at the looks of this time."""
        return max(taken for at, taken in self.memory if start <= at <= end)


@pytest.fixture
def pages(browser: Browser) -> Iterator[Sequence[Page]]:
    with ExitStack() as opened:
        made = []
        for _ in PATHS:
            context = browser.new_context()
            opened.callback(context.close)
            context.set_default_timeout(2 * PATIENCE_MS)
            made.append(context.new_page())
        yield made


def connections_of(admin: Connection, database: str) -> int:
    with admin.cursor() as cursor:
        cursor.execute(_CONNECTIONS, (database,))
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def watch(pages: Sequence[Page], dashboard: Dashboard, admin: Connection, warehouse: Warehouse, seen: Seen) -> None:
    """Look at everything again and again while the market goes on."""
    process = psutil.Process(dashboard.pid)
    began = time.monotonic()
    looks = 0
    while (passed := time.monotonic() - began) < WATCHED_SECONDS:
        if looks % 20 == 0:
            warehouse.rows.alert(Series(SOURCE, f"S{looks // 20 % SYMBOLS + 1:03}"), state="CLOSED")
            warehouse.rows.run()
            dashboard.metrics()
        seen.connections.append(connections_of(admin, warehouse.settings.database))
        seen.memory.append((passed, process.memory_info().rss))
        page = pages[looks % len(pages)]
        assert page.locator(FAULTY).count() == 0, page.locator(FAULTY).all_inner_texts()
        page.wait_for_timeout(LOOK_MS)
        looks += 1


@pytest.mark.timeout(1_200)
def test_ten_browsers_see_no_error_and_share_ten_connections(
    pages: Sequence[Page], start_dashboard: Start, warehouse: Warehouse, postgres: Postgres
) -> None:
    database = warehouse.settings.database
    fill(postgres.settings(OWNER, database), lambda _line: None, symbols=SYMBOLS, sessions=SESSIONS)
    dashboard = start_dashboard()
    seen = Seen()
    faults = []
    for page, path in zip(pages, PATHS, strict=True):
        faults.append(faults_of(page))
        page.on("websocket", seen.refreshed)
        page.goto(f"{dashboard.url}{path}")
    for page in pages:
        expect(page.get_by_text("As of")).to_be_visible(timeout=2 * PATIENCE_MS)
    with postgres.admin() as admin:
        watch(pages, dashboard, admin, warehouse, seen)
    log.info(
        "browsers_watched",
        connections=max(seen.connections),
        refreshes=seen.refreshes,
        memory_mib=[round(taken / 2**20) for _, taken in seen.memory[:: 60_000 // LOOK_MS // 6]],
    )
    assert [fault for of_page in faults for fault in of_page] == []
    assert 1 <= max(seen.connections) <= MOST_CONNECTIONS
    assert seen.refreshes > len(PATHS) * WATCHED_SECONDS / 10
    if LONG:
        settled = seen.memory_between(SETTLED_SECONDS, 2 * SETTLED_SECONDS)
        assert seen.memory_between(WATCHED_SECONDS - SETTLED_SECONDS, WATCHED_SECONDS) < MOST_GROWTH * settled
