"""The dashboard as people have it: the real process, a real PostgreSQL, a real browser."""

import csv
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.dashboard.chromium import chromium
from tests.dashboard.conftest import Warehouse
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.local.process import Processes
from volwatch.local.service import Service
from volwatch.settings import as_environment, inherited_environment
from volwatch.warehouse.reader import Reader
from volwatch.warehouse.readings import AlertFilter, Series

pytestmark = pytest.mark.browser

AAPL = Series("simulator", "AAPL")
HOSTILE = Series("simulator", "<script>alert(1)</script>")
RANDOMNESS = random.SystemRandom()
METRICS_PORT = free_port(RANDOMNESS)

# Patience for a busy machine; what must be quick says so where it is tested.
expect.set_options(timeout=30_000)

Open = Callable[..., str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def dashboard(warehouse: Warehouse, tmp_path: Path) -> Iterator[Open]:
    """Start the dashboard on the test's warehouse, with more variables if given; return its address."""
    processes = Processes(tmp_path)
    own = {"VOLWATCH_DASHBOARD_REFRESH_SECONDS": "0.5"}
    with ExitStack() as started:
        started.callback(processes.release)

        def start(**more: str) -> str:
            environment = {**inherited_environment(), **as_environment(warehouse.settings), **own, **more}
            service = Service(processes, "dashboard", ["dashboard"], environment, (METRICS_PORT, free_port(RANDOMNESS)))
            started.callback(service.stop)
            service.launch()
            wait_until_ready()
            return service.url

        yield start


def wait_until_ready() -> None:
    """Wait until the dashboard itself says that it is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{METRICS_PORT}/readyz"):
                return
        except urllib.error.URLError:
            time.sleep(0.1)
    pytest.fail("the dashboard did not become ready")


def cell(page: Page, text: str) -> None:
    """Wait until a table has a cell of this text: tables are drawn on a canvas, which holds them as cells too."""
    page.locator("canvas td").filter(has_text=text).first.wait_for(state="attached")


def click_row(page: Page, row: int) -> None:
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 36 * (row + 1) + 18)


def test_every_page_loads_with_data_and_without_an_error_in_the_console(
    page: Page, dashboard: Open, warehouse: Warehouse
) -> None:
    for series in (AAPL, HOSTILE):
        warehouse.rows.market(series)
        warehouse.rows.alert(series, minutes_ago=2)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    address = dashboard()
    asked: list[str] = []

    def remember(request: Request) -> None:
        asked.append(request.url)

    page.on("request", remember)
    page.goto(address)
    cell(page, HOSTILE.symbol)
    contents = {
        "Symbol": "Detector",
        "Alerts": "Severity",
        "Back-test": "Opens at S",
        "Pipeline": "Kafka partitions",
    }
    for name, content in contents.items():
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.get_by_text(content).first).to_be_visible()
        expect(page.get_by_text("As of")).to_be_visible()
    assert faults == []
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}


def test_a_page_named_by_the_first_address_asked_of_the_process_is_shown(
    page: Page, dashboard: Open, warehouse: Warehouse
) -> None:
    warehouse.rows.market(AAPL)
    warehouse.rows.market(HOSTILE)
    page.goto(f"{dashboard()}/symbol?symbol=AAPL&source=simulator")
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(page.get_by_test_id("stSelectbox").locator("input")).to_have_value("AAPL · simulator")


def test_a_new_alert_appears_without_reload(page: Page, dashboard: Open, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    page.goto(dashboard())
    expect(page.get_by_text("No alert so far.")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    warehouse.rows.alert(AAPL)
    page.locator("canvas td").filter(has_text="4.1× the usual").first.wait_for(state="attached", timeout=3_000)
    assert page.evaluate("window.loadedOnce") is True


def test_data_that_grows_old_is_called_stale(page: Page, dashboard: Open, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    page.goto(dashboard(VOLWATCH_DASHBOARD_STALE_SECONDS="15"))
    expect(page.get_by_text("As of")).to_be_visible()
    expect(page.get_by_text("STALE: the newest trade is")).to_be_visible()
    warehouse.rows.run()
    expect(page.get_by_text("STALE: the newest trade is")).not_to_be_visible()


def test_a_click_on_a_row_opens_the_series_and_its_name_is_text(
    page: Page, dashboard: Open, warehouse: Warehouse
) -> None:
    warehouse.rows.market(HOSTILE)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto(dashboard())
    cell(page, HOSTILE.symbol)
    click_row(page, 0)
    expect(page.get_by_test_id("stSelectbox").locator("input")).to_have_value(f"{HOSTILE.symbol} · simulator")
    assert page.url.endswith("/symbol?symbol=%3Cscript%3Ealert%281%29%3C%2Fscript%3E&source=simulator")
    assert dialogs == []


def test_acknowledging_writes_who_and_when_and_a_refresh_leaves_alone_what_is_typed(
    page: Page, dashboard: Open, warehouse: Warehouse, reader: Reader
) -> None:
    warehouse.rows.market(AAPL)
    alert_id = warehouse.rows.alert(AAPL)
    page.goto(f"{dashboard()}/alerts")
    cell(page, "4.1× the usual")
    click_row(page, 0)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Note (optional)").type("earn")
    warehouse.rows.alert(Series("simulator", "NVDA"))
    cell(page, "NVDA")
    page.get_by_label("Note (optional)").type("ings")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged by Ada")).to_be_visible()
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    alert = reader.alert(alert_id)
    assert alert is not None
    assert alert.acknowledged_at is not None
    assert (alert.acknowledged_by, alert.note) == ("Ada", "earnings")
    assert reader.freshness().now - alert.acknowledged_at < timedelta(minutes=1)
    others = reader.alerts(AlertFilter(symbol="NVDA"), 10)
    assert others["acknowledged_by"].tolist() == [None]


def test_an_alert_is_noted_judged_and_silenced_and_the_silence_ended(
    page: Page, dashboard: Open, warehouse: Warehouse, reader: Reader
) -> None:
    warehouse.rows.market(AAPL)
    alert_id = warehouse.rows.alert(AAPL)
    page.goto(f"{dashboard()}/alerts?alert={alert_id}")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_text("Note, false positive, silence").click()
    page.get_by_label("New note").fill("<b>earnings</b>")
    page.get_by_role("button", name="Write note").click()
    expect(page.get_by_text("Note: <b>earnings</b>")).to_be_visible()
    page.get_by_role("button", name="Mark as false positive").click()
    expect(page.get_by_text("Marked as false positive by Ada")).to_be_visible()
    page.get_by_label("Reason").fill("a known event")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_test_id("stMain").get_by_text("silenced", exact=True)).to_be_visible()
    [silence] = reader.silences()
    assert (silence.made_by, silence.reason) == ("Ada", "a known event")
    assert (silence.source, silence.symbol, silence.kind) == ("simulator", "AAPL", "VOLATILITY")
    page.get_by_text("End a silence").click()
    page.get_by_label("Who ends it").fill("Bob")
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.get_by_text("Nothing is silenced.")).to_be_visible()
    events = reader.alert_events(alert_id)
    assert events["event"].tolist() == ["FALSE_POSITIVE", "NOTE", "OPEN"]
    assert events["actor"].tolist() == ["Ada", "Ada", "pipeline"]


def test_an_alert_has_a_picture_and_its_list_can_be_exported(
    page: Page, dashboard: Open, warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.rows.market(HOSTILE)
    alert_id = warehouse.rows.alert(HOSTILE, minutes_ago=5)
    warehouse.rows.alert(AAPL, severity="LOW")
    page.goto(f"{dashboard()}/alerts?alert={alert_id}")
    expect(page.locator(".js-plotly-plot")).to_have_count(1)
    page.get_by_label("Symbol").fill(HOSTILE.symbol)
    page.get_by_label("Symbol").press("Enter")
    page.wait_for_timeout(1_500)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    download.value.save_as(tmp_path / "alerts.csv")
    with (tmp_path / "alerts.csv").open(newline="") as lines:
        assert [(row["alert_id"], row["symbol"]) for row in csv.DictReader(lines)] == [(alert_id, HOSTILE.symbol)]


def test_the_pipeline_page_says_what_is_wrong_while_it_is(page: Page, dashboard: Open, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    warehouse.rows.position(0, 600)
    page.goto(f"{dashboard()}/pipeline")
    expect(page.get_by_text("No detector has judged a trade yet: alerts come with the minute path")).to_be_visible()
    warehouse.rows.raw_object("a", 0, 0, 99, fault="not gzip")
    expect(page.get_by_text("1 object of the raw zone could not be read.")).to_be_visible()


def test_it_is_served_under_a_sub_path(page: Page, dashboard: Open, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    address = dashboard(VOLWATCH_DASHBOARD_BASE_PATH="/vol/watch")
    page.goto(f"{address}/vol/watch/")
    cell(page, AAPL.symbol)
    with urllib.request.urlopen(f"http://{LOOPBACK}:{METRICS_PORT}/metrics") as answer:
        assert b'volwatch_pipeline_rows_total{outcome="loaded"} 600.0\n' in answer.read()
