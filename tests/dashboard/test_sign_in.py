"""Signing in as people do: the real process, a real browser, a real PostgreSQL, and a provider of the test's own."""

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Warehouse
from tests.dashboard.looking import cell
from tests.dashboard.provider import CLIENT_ID, CLIENT_SECRET, provider
from tests.dashboard.serving import Open
from volwatch.local.ports import LOOPBACK
from volwatch.warehouse.reader import Reader
from volwatch.warehouse.readings import Series

pytestmark = pytest.mark.browser

AAPL = Series("simulator", "AAPL")
ADA = {"sub": "1815", "name": "Ada", "email": "ada@example.org", "email_verified": True}


def asks_to_sign_in(page: Page) -> None:
    """Wait until a page asks who is there, and see that nothing else stands on it."""
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_test_id("stMain")).to_have_text(re.compile("^volwatch.*Sign in$", re.DOTALL))
    for drawn in ("stDataFrame", "stPlotlyChart", "stMetric", "stForm"):
        expect(page.get_by_test_id(drawn)).to_have_count(0)
    expect(page.get_by_role("link", name="Alerts")).to_have_count(0)


def test_who_signs_in_acts_under_that_name_and_who_does_not_sees_nothing(
    page: Page, dashboard: Open, warehouse: Warehouse, reader: Reader, tmp_path: Path
) -> None:
    warehouse.rows.market(AAPL)
    alert_id = warehouse.rows.alert(AAPL)
    cookie_secret = secrets.token_urlsafe(32)
    with provider(ADA) as known:
        address = dashboard(
            VOLWATCH_DASHBOARD_OIDC_METADATA_URL=known.metadata_url,
            VOLWATCH_DASHBOARD_OIDC_CLIENT_ID=CLIENT_ID,
            VOLWATCH_DASHBOARD_OIDC_CLIENT_SECRET=CLIENT_SECRET,
            VOLWATCH_DASHBOARD_OIDC_REDIRECT_URI="{address}/oauth2callback",
            VOLWATCH_DASHBOARD_COOKIE_SECRET=cookie_secret,
            NO_PROXY=LOOPBACK,
        )
        page.goto(f"{address}/alerts?alert={alert_id}")
        asks_to_sign_in(page)

        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("ada@example.org")).to_be_visible()
        cell(page, AAPL.symbol)
        page.wait_for_load_state("networkidle")  # a page that is left while it loads may spoil the next one

        page.goto(f"{address}/alerts?alert={alert_id}")
        expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
        expect(page.get_by_label("Your name")).to_have_count(0)
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("Acknowledged by ada@example.org")).to_be_visible()
        alert = reader.alert(alert_id)
        assert alert is not None
        assert alert.acknowledged_by == "ada@example.org"

        page.get_by_role("button", name="Sign out").click()
        asks_to_sign_in(page)
        page.goto(f"{address}/alerts?alert={alert_id}")
        asks_to_sign_in(page)
        assert known.refused == []
    written = "".join(path.read_text("utf-8") for path in tmp_path.rglob("*.log"))
    assert "dashboard_started" in written
    assert [secret for secret in (CLIENT_SECRET, cookie_secret) if secret in written] == []
