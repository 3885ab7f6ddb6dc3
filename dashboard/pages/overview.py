"""The first page: every series at a glance, and the newest alerts in their own words."""

import pandas as pd
import streamlit as st

from dashboard import wording
from dashboard.display import Columns, Display, header, live, picked_row
from dashboard.pages.alerts import ALERT_COLUMNS, alert_table
from dashboard.reading import DashboardReader
from volwatch.warehouse.readings import AlertFilter, Series

SPARKLINE_BARS = 60
RECENT_ALERTS = 8

_ORDER = (wording.ESCALATED, wording.ALERT)
_COLOURS = {
    wording.ESCALATED: "background-color: #d1495b; color: white",
    wording.ALERT: "background-color: #e07a3f; color: white",
    wording.STALE: "background-color: #8d99a6; color: white",
    wording.CALM: "color: #2a9d8f",
}

_COLUMNS: Columns = {
    "state": st.column_config.TextColumn("State", help="What matters most about the series now"),
    "symbol": st.column_config.TextColumn("Symbol"),
    "source": st.column_config.TextColumn("Source"),
    "close": st.column_config.NumberColumn("Last price", format="%.2f"),
    "change_last_bar": st.column_config.NumberColumn("1 bar", format="percent", help="Change over the newest bar"),
    "change_all_bars": st.column_config.NumberColumn(
        f"{SPARKLINE_BARS} bars", format="percent", help="Change over the bars of the small chart"
    ),
    "closes": st.column_config.LineChartColumn(f"Last {SPARKLINE_BARS} bars", width=140),
    "cc": st.column_config.NumberColumn("Vol cc", format="percent", help="Close-to-close volatility, annualised"),
    "ewma": st.column_config.NumberColumn("Vol EWMA", format="percent", help="EWMA volatility, annualised"),
    "annualisation": st.column_config.TextColumn("Annualised by", help="Bars that make a year, by the calendar"),
    "statistic": st.column_config.NumberColumn("S", format="%.2f", help="The detector's statistic"),
    "threshold": st.column_config.NumberColumn("Opens at", format="%.2f", help="S at which an alert opens"),
    "reason": st.column_config.TextColumn("Missing because"),
    "newest_trade": st.column_config.DatetimeColumn("Trade at (UTC)", format="HH:mm:ss", timezone="UTC"),
}


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page."""
    header(reader, display, "Overview")
    live(display, lambda: _series(reader, display))
    st.subheader("Recent alerts")
    live(display, lambda: _recent_alerts(reader, display))


def overview_table(overview: pd.DataFrame, stale_seconds: float) -> pd.DataFrame:
    """Return the overview with a state and a reason per series, what alerts first, then by statistic."""
    table = overview.assign(
        state=[
            wording.series_state(*known, stale_seconds)
            for known in zip(
                overview["alert_state"], overview["statistic_null_reason"], overview["age_seconds"], strict=True
            )
        ],
        reason=overview["cc_null_reason"].combine_first(overview["statistic_null_reason"]),
    )
    rank = table["state"].map({state: place for place, state in enumerate(_ORDER)}).fillna(len(_ORDER))
    ranked = table.assign(rank=rank).sort_values(["rank", "statistic"], ascending=[True, False], na_position="last")
    return ranked[list(_COLUMNS)].reset_index(drop=True)


def _series(reader: DashboardReader, display: Display) -> None:
    overview = reader.overview(SPARKLINE_BARS)
    if overview.empty:
        return
    table = overview_table(overview, display.stale_seconds)
    _figures(table)
    coloured = table.style.map(lambda state: _COLOURS.get(state, "color: #8d99a6"), subset=["state"])
    # A selection is a row number: another order of rows is another table.
    key = f"series-{hash(tuple(zip(table['source'], table['symbol'], strict=True)))}"
    row = picked_row(coloured, key, len(table), _COLUMNS)
    st.caption("Click a row to open the series. Volatility is annualised, from one-minute bars; S opens an alert.")
    if row is not None:
        display.open_symbol(Series(table["source"][row], table["symbol"][row]))


def _figures(table: pd.DataFrame) -> None:
    alerting = table["state"].isin(_ORDER).sum()
    highest = table["statistic"].max()
    silent = (~table["state"].isin([*_ORDER, wording.CALM])).sum()
    for column, label, value in zip(
        st.columns(4),
        ("Series", "Alerting now", "Highest S", "Stale or not judged"),
        (
            f"{len(table)}",
            f"{alerting}",
            "–" if pd.isna(highest) else f"{highest:.2f}",
            f"{silent}",
        ),
        strict=True,
    ):
        column.metric(label, value, border=True)


def _recent_alerts(reader: DashboardReader, display: Display) -> None:
    alerts = reader.alerts(AlertFilter(), RECENT_ALERTS)
    if alerts.empty:
        st.text("No alert so far. One appears here by itself when a volatility spikes.")
        return
    key = f"recent-{hash(tuple(alerts['alert_id']))}"
    row = picked_row(alert_table(alerts), key, len(alerts), ALERT_COLUMNS)
    if row is not None:
        display.open_alert(alerts["alert_id"][row])
