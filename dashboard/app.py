"""The Streamlit script: it wires the reader and the settings to the pages. ``volwatch dashboard`` runs it."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.display import Display
from dashboard.pages import alerts, backtest, overview, pipeline, symbol
from volwatch.settings import DashboardSettings, WarehouseSettings, load_one
from volwatch.warehouse.reader import Reader, open_reader
from volwatch.warehouse.readings import Series

CONNECTIONS = 8
_DESTINATION = "destination"
# Streamlit leaves a hand's breadth above the title and has no setting for it.
STYLE = "<style>.stMainBlockContainer { padding-top: 4.2rem; padding-bottom: 3rem; }</style>"


@st.cache_resource(show_spinner=False)
def shared_reader() -> Reader:
    """Return the one reader that all sessions share."""
    return open_reader(load_one(WarehouseSettings), connections=CONNECTIONS, application_name="volwatch-dashboard")


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="volwatch", page_icon="📈", layout="wide")
    st.html(STYLE)
    settings = load_one(DashboardSettings)
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

    display = Display(settings.refresh_seconds, settings.stale_seconds, open_symbol, open_alert)
    overview_page = st.Page(
        lambda: overview.render(reader, display), title="Overview", icon=":material/grid_view:", default=True
    )
    symbol_page = st.Page(
        lambda: symbol.render(reader, display), title="Symbol", icon=":material/candlestick_chart:", url_path="symbol"
    )
    alerts_page = st.Page(
        lambda: alerts.render(reader, display), title="Alerts", icon=":material/notifications:", url_path="alerts"
    )
    backtest_page = st.Page(
        lambda: backtest.render(reader, display), title="Back-test", icon=":material/history:", url_path="backtest"
    )
    pipeline_page = st.Page(
        lambda: pipeline.render(reader, display),
        title="Pipeline",
        icon=":material/conversion_path:",
        url_path="pipeline",
    )
    pages = [overview_page, symbol_page, alerts_page, backtest_page, pipeline_page]
    chosen = st.navigation(pages, position="top")
    destination = st.session_state.pop(_DESTINATION, None)
    if destination is not None:
        path, asked = destination
        st.switch_page(next(page for page in pages if page.url_path == path), query_params=asked)
    chosen.run()


main()
