"""The Streamlit script: it wires the reader and the settings to the pages. ``volwatch dashboard`` runs it."""

import time

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import signing_in, zones
from dashboard.display import Display
from dashboard.pages import alerts, backtest, overview, pipeline, symbol
from dashboard.reading import DashboardReader
from dashboard.sharing import shared
from dashboard.zoom import watch_zooms
from volwatch.analytics.calendars import calendar_for
from volwatch.errors import Transient
from volwatch.settings import DashboardSettings, WarehouseSettings, load_one
from volwatch.warehouse.reader import open_reader
from volwatch.warehouse.readings import Series

CONNECTIONS = 8
ADDRESSES = OVERVIEW, SYMBOL, ALERTS, BACKTEST, PIPELINE = "", "symbol", "alerts", "backtest", "pipeline"
_DESTINATION = "destination"
# Streamlit leaves a hand's breadth above the title and has no setting for it.
STYLE = "<style>.stMainBlockContainer { padding-top: 4.2rem; padding-bottom: 3rem; }</style>"


@st.cache_resource(show_spinner=False)
def shared_reader() -> DashboardReader:
    """Return the one reader that all sessions share."""
    reader = open_reader(load_one(WarehouseSettings), connections=CONNECTIONS, application_name="volwatch-dashboard")
    return shared(reader, load_one(DashboardSettings).refresh_seconds)


def who() -> str | None:
    """Return who is signed in."""
    return signing_in.person(st.user.to_dict(), time.time())


def zones_of(reader: DashboardReader, default: str) -> tuple[str, ...]:
    """Return the time zones to choose from: while the warehouse is away, without those of the exchanges."""
    try:
        calendars = {calendar_for(*series) for series in reader.series()}
    except Transient:
        calendars = set()
    return zones.offered(default, st.context.timezone, calendars)


def main() -> None:
    """Draw the page that the address names, or ask who is there: nothing is read for who does not say so."""
    st.set_page_config(page_title="volwatch", page_icon="📈", layout="wide")
    st.html(STYLE)
    settings = load_one(DashboardSettings)
    person = who() if settings.signs_in else None
    if settings.signs_in and person is None:
        signing_in.ask(ADDRESSES)
        return
    draw(settings, person)


def draw(settings: DashboardSettings, person: str | None) -> None:
    """Draw the page that the address names, for whoever is signed in."""
    reader = shared_reader()

    def go(page: StreamlitPage, **asked: str) -> None:
        # Clicks come from fragments. Switching there lets a delta of the old page meet the new one, which blanks the
        # browser; a rerun of the whole page, which then switches before it draws, does not.
        st.session_state[_DESTINATION] = (page.url_path, asked)
        st.rerun()

    def open_symbol(series: Series) -> None:
        go(symbol_page, symbol=series.symbol, source=series.source)

    def open_alert(alert_id: str) -> None:
        go(alerts_page, alert=alert_id)

    display = Display(
        settings.refresh_seconds,
        settings.stale_seconds,
        open_symbol,
        open_alert,
        person=person,
        may_act=not settings.read_only,
        zones=zones_of(reader, settings.time_zone),
        rawzone_browser=settings.rawzone_browser,
    )
    overview_page = st.Page(
        lambda: overview.render(reader, display), title="Overview", icon=":material/grid_view:", default=True
    )
    symbol_page = st.Page(
        lambda: symbol.render(reader, display), title="Symbol", icon=":material/candlestick_chart:", url_path=SYMBOL
    )
    alerts_page = st.Page(
        lambda: alerts.render(reader, display), title="Alerts", icon=":material/notifications:", url_path=ALERTS
    )
    backtest_page = st.Page(
        lambda: backtest.render(reader, display), title="Back-test", icon=":material/history:", url_path=BACKTEST
    )
    pipeline_page = st.Page(
        lambda: pipeline.render(reader, display),
        title="Pipeline",
        icon=":material/conversion_path:",
        url_path=PIPELINE,
    )
    pages = [overview_page, symbol_page, alerts_page, backtest_page, pipeline_page]
    chosen = st.navigation(pages, position="top")
    destination = st.session_state.pop(_DESTINATION, None)
    if destination is not None:
        path, asked = destination
        st.switch_page(next(page for page in pages if page.url_path == path), query_params=asked)
    if person is not None:
        signing_in.signed_in(person, who)
    chosen.run()
    watch_zooms()


main()
