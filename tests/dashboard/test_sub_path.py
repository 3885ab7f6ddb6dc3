"""The dashboard under a sub-path: as it serves there itself, and behind the reverse proxy of the documentation."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.chromium import chromium
from tests.dashboard.conftest import Warehouse
from tests.dashboard.looking import cell, click_row, faults_of
from tests.dashboard.proxy import Nginx, nginx
from tests.dashboard.serving import Start
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.warehouse.readings import Series

pytestmark = pytest.mark.browser

AAPL = Series("simulator", "AAPL")
SUB_PATH = "/vol/watch"
# Streamlit takes a websocket of a page at 127.0.0.1 whatever the header Host is; of a name of one's own it does not.
HOST = "watch.example"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {HOST} {LOOPBACK}") as started:
        yield started


@pytest.fixture
def proxy(start_dashboard: Start, tmp_path: Path) -> Iterator[Nginx]:
    own = {"VOLWATCH_DASHBOARD_BASE_PATH": SUB_PATH, "VOLWATCH_DASHBOARD_REFRESH_SECONDS": "0.5"}
    with nginx(tmp_path / "proxy", free_port(random.SystemRandom()), start_dashboard(**own).url) as started:
        yield started


def test_it_is_served_under_a_sub_path(page: Page, start_dashboard: Start, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    dashboard = start_dashboard(VOLWATCH_DASHBOARD_BASE_PATH=SUB_PATH)
    page.goto(f"{dashboard.url}{SUB_PATH}/")
    cell(page, AAPL.symbol)
    assert b'volwatch_pipeline_rows_total{outcome="loaded"} 600.0\n' in dashboard.metrics()


def test_behind_a_proxy_every_page_works_and_asks_for_nothing_outside_of_the_sub_path(
    page: Page, proxy: Nginx, warehouse: Warehouse
) -> None:
    warehouse.rows.market(AAPL)
    faults = faults_of(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    address = f"{HOST}:{proxy.port}{SUB_PATH}"
    page.goto(f"http://{address}")
    cell(page, AAPL.symbol)
    assert page.url == f"http://{address}/"
    for name in ("Symbol", "Alerts", "Back-test", "Pipeline", "Overview"):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.get_by_text("As of")).to_be_visible()
    cell(page, AAPL.symbol)
    click_row(page, 0)
    expect(page.get_by_label("Series")).to_have_value("AAPL · simulator")
    assert page.url == f"http://{address}/symbol?symbol=AAPL&source=simulator"
    assert faults == []
    outside = [url for url in asked if not url.startswith((f"http://{address}", f"ws://{address}/", "data:", "blob:"))]
    assert outside == []
    answers = proxy.asked()
    assert (301, SUB_PATH) in answers
    assert [path for _, path in answers if path != SUB_PATH and not path.startswith(f"{SUB_PATH}/")] == []
    assert [(status, path) for status, path in answers if status >= 400] == []


def test_behind_a_proxy_an_address_of_a_symbol_opens_it(page: Page, proxy: Nginx, warehouse: Warehouse) -> None:
    warehouse.rows.market(Series("simulator", "NVDA"))
    warehouse.rows.market(AAPL)
    page.goto(f"http://{HOST}:{proxy.port}{SUB_PATH}/symbol?symbol=NVDA&source=simulator")
    expect(page.get_by_label("Series")).to_have_value("NVDA · simulator")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def test_behind_a_proxy_a_new_alert_appears_without_reload(page: Page, proxy: Nginx, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    page.goto(f"http://{HOST}:{proxy.port}{SUB_PATH}/")
    expect(page.get_by_text("No alert so far.")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    warehouse.rows.alert(AAPL)
    cell(page, "4.1× the usual")
    assert page.evaluate("window.loadedOnce") is True
