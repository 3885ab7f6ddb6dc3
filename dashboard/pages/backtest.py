"""Other settings of the detector: the alerts on bars of the warehouse, and what they are worth on known events."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from dashboard.backtest_labelled import labelled
from dashboard.backtesting import Backtest, backtest
from dashboard.display import Columns, Display, answer, header
from dashboard.levels import LEVEL_COLUMN, levels_box
from dashboard.reading import DashboardReader
from volwatch.errors import Transient
from volwatch.warehouse.readings import Series

MOST_SERIES = 20
MOST_BARS = 150_000
"""Of all series together; reading and judging them takes some seconds."""
MOST_LISTED = 1_000
RANGES = {"1 day": 1, "3 days": 3, "5 days": 5, "10 days": 10, "20 days": 20}
DEFAULT_RANGE = "5 days"

_MINUTE_SECONDS = 60
_FOUND = "backtest-found"
_SUMMARY_COLUMNS: Columns = {
    "level": LEVEL_COLUMN,
    "alerts": st.column_config.NumberColumn("Alerts", format="localized"),
    "per_symbol_day": st.column_config.NumberColumn("A symbol-day", format="%.3f"),
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
}
_ALERT_COLUMNS: Columns = {
    "level": LEVEL_COLUMN,
    "onset_bar": st.column_config.DatetimeColumn("Began (UTC)", format="MMM D, HH:mm", timezone="UTC"),
    "symbol": "Symbol",
    "kind": "Kind",
    "severity": st.column_config.TextColumn("Severity", help="The highest that it rose to"),
    "statistic": st.column_config.NumberColumn("S", format="%.2f", help="On the bar that opened it"),
    "lasted_minutes": st.column_config.NumberColumn("Minutes", help="Empty: still open at the end"),
    "sentence": st.column_config.TextColumn("Why", width=600),
    "source": "Source",
}


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page. Nothing runs until it is asked for, and it never refreshes itself."""
    header(reader, display, "Back-test")
    stored, simulated = st.tabs(["On stored bars", "On labelled scenarios"])
    with simulated:  # it comes first, for it needs no warehouse
        labelled()
    with stored:
        _stored(reader, display)


def _stored(reader: DashboardReader, display: Display) -> None:
    st.text(
        "The detector on bars that are stored, from an empty state: what would another level have raised? "
        "Nothing is written. The first 60 bars of a series are not judged."
    )
    known = answer(display, reader.series)
    if not known:
        st.info("There is no series yet. It appears when its first bar is loaded.", icon=":material/history:")
        return
    asked = _form(known)
    if asked is not None:
        _run(reader, *asked)
    found = st.session_state.get(_FOUND)
    if found is not None:
        _show(found)


def _form(known: list[Series]) -> tuple[list[Series], int, list[float]] | None:
    """Draw the form; return series, days and levels when it was sent with all three."""
    with st.form("backtest", border=True):
        which, how_long, how, button = st.columns([4, 1, 3, 1], vertical_alignment="bottom")
        series = which.multiselect(
            "Series",
            known,
            default=known[:5],
            max_selections=MOST_SERIES,
            format_func=lambda one: f"{one.symbol} · {one.source}",
            key="backtest-series",
        )
        length = how_long.selectbox(
            "Range", list(RANGES), index=list(RANGES).index(DEFAULT_RANGE), key="backtest-range"
        )
        levels = levels_box(how, "backtest-levels")
        sent = button.form_submit_button("Run", type="primary", width="stretch")
    if not sent:
        return None
    if not series or not levels:
        st.warning("Choose at least one series and one level.", icon=":material/checklist:")
        return None
    return series, RANGES[length], levels


def _run(reader: DashboardReader, chosen: Sequence[Series], days: int, levels: Sequence[float]) -> None:
    try:
        end = reader.freshness().now
        bars = {}
        left = MOST_BARS
        for series in chosen:
            bars[series] = reader.bars(series, *_range(reader, series, end, days), _MINUTE_SECONDS).tail(left)
            left = max(0, left - len(bars[series]))
    except Transient:
        st.error("The warehouse cannot be reached. Run it again in a moment.", icon=":material/cloud_off:")
        return
    if not left:
        st.warning(
            f"Only {MOST_BARS:,} bars are judged at once: the range of some series is cut. Choose fewer or less.",
            icon=":material/content_cut:",
        )
    st.session_state[_FOUND] = backtest(bars, levels)


def _range(reader: DashboardReader, series: Series, now: datetime, days: int) -> tuple[datetime, datetime]:
    """Return the last days before a series' newest bar."""
    newest = reader.newest_bar(series, _MINUTE_SECONDS) or now
    return newest - timedelta(days=days), newest + timedelta(seconds=_MINUTE_SECONDS)


def _show(found: Backtest) -> None:
    st.caption(f"{found.bars:,} bars of {found.symbol_days:,} symbol-days")
    if not found.symbol_days:
        st.info("There is no bar of regular hours in this range. Choose a longer one.", icon=":material/event_busy:")
        return
    st.dataframe(
        found.summary,
        key="backtest-summary",
        hide_index=True,
        height="content",
        width="content",
        column_config=_SUMMARY_COLUMNS,
    )
    if found.alerts.empty:
        st.text("No alert at any of these levels.")
        return
    listed = found.alerts.head(MOST_LISTED)
    st.dataframe(
        listed[list(_ALERT_COLUMNS)],
        key="backtest-alerts",
        hide_index=True,
        placeholder="–",
        column_config=_ALERT_COLUMNS,
    )
    if len(found.alerts) > MOST_LISTED:
        st.caption(f"The newest {MOST_LISTED:,} of {len(found.alerts):,} are listed.")
