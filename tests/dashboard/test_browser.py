"""The dashboard as people have it: the real process, a real PostgreSQL, a real browser."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.dashboard.conftest import Warehouse
from tests.dashboard.looking import cell, click_row, faults_of
from tests.dashboard.serving import Open
from volwatch.warehouse.reader import Reader
from volwatch.warehouse.readings import AlertFilter, Series

pytestmark = pytest.mark.browser

AAPL = Series("simulator", "AAPL")
HOSTILE = Series("simulator", "<script>alert(1)</script>")


def test_every_page_loads_with_data_and_without_an_error_in_the_console(
    page: Page, dashboard: Open, warehouse: Warehouse
) -> None:
    for series in (AAPL, HOSTILE):
        warehouse.rows.market(series)
        warehouse.rows.alert(series, minutes_ago=2)
    faults = faults_of(page)
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
    expect(page.locator(".js-plotly-plot")).to_have_count(7)
    expect(page.get_by_label("Series")).to_have_value("AAPL · simulator")


def test_a_new_alert_appears_without_reload(page: Page, dashboard: Open, warehouse: Warehouse) -> None:
    warehouse.rows.market(AAPL)
    page.goto(dashboard())
    expect(page.get_by_text("No alert so far.")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the page is open, with all that draws its charts
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
    expect(page.get_by_label("Series")).to_have_value(f"{HOSTILE.symbol} · simulator")
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
