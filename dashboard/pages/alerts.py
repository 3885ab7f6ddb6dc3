"""The alerts: a list that can be narrowed down; of one of them the WHY, its history and what people may do; how good
they are."""

from collections.abc import Callable, Mapping
from uuid import UUID

import pandas as pd
import streamlit as st

from dashboard import alert_forms, alert_why, wording
from dashboard.alert_export import MOST_EXPORTED, alerts_csv
from dashboard.display import Columns, Display, answer, header, live, picked_row, table, time_text
from dashboard.reading import DashboardReader
from volwatch.warehouse.readings import AlertFilter, AlertOrder

STATES = ("OPEN", "ESCALATED", "CLOSED", "RETRACTED", "SUPPRESSED")
SEVERITIES = ("HIGH", "MEDIUM", "LOW")
LISTED_ALERTS = 200
ORDERS: Mapping[str, AlertOrder] = {
    "Newest": "newest",
    "Severity": "severity",
    "Strongest": "strongest",
    "Longest": "longest",
    "Symbol": "symbol",
}

ALERT_COLUMNS: Columns = {
    "onset_bar": st.column_config.DatetimeColumn("Began (UTC)", format="MMM D, HH:mm", timezone="UTC"),
    "symbol": st.column_config.TextColumn("Symbol", width=100),
    "kind": st.column_config.TextColumn("Kind", width=95),
    "severity": "Severity",
    "state": st.column_config.TextColumn("State", width=105),
    "marks": st.column_config.TextColumn("Marks", width=90),
    "sentence": st.column_config.TextColumn("Why", width=655),
    "acknowledged_by": "Seen by",
    "source": "Source",
}

_EVENT_COLUMNS: Columns = {
    "happened_at": st.column_config.DatetimeColumn("When (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
    "event": "Event",
    "severity": "Severity",
    "bar_start": st.column_config.DatetimeColumn("Bar (UTC)", format="HH:mm", timezone="UTC"),
    "actor": "By",
    "detail": "Note",
}

_QUALITY_COLUMNS: Columns = {
    "source": "Source",
    "symbol": "Symbol",
    "kind": "Kind",
    "detector": "Detector",
    "detector_version": "Version",
    "alerts": "Alerts",
    "retracted": "Retracted",
    "acknowledged": "Acknowledged",
    "false_positives": "False positives",
    "judged": "Judged",
    "false_positive_rate": st.column_config.NumberColumn("False positive rate", format="percent"),
    "median_acknowledge_seconds": st.column_config.NumberColumn("Median s to acknowledge", format="%.0f"),
    "p90_acknowledge_seconds": st.column_config.NumberColumn("90th percentile s", format="%.0f"),
}


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page. The alert in the address (``?alert=``) is shown in full."""
    header(reader, display, "Alerts")
    asked, order = _asked()
    live(display, lambda: _list(reader, asked, order))
    _export(lambda: alerts_csv(reader.alerts(asked, MOST_EXPORTED, order)))
    alert_id = st.query_params.get("alert")
    if alert_id is not None:
        st.divider()
        _one(reader, display, alert_id)
    st.divider()
    alert_forms.silences(reader, display)
    with st.expander("How good the alerts of the last 90 days were"):
        live(display, lambda: _quality(reader, asked))


def alert_table(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of alerts that a list shows."""
    marks = [
        wording.marks_text(silenced=bool(silenced), false_positive=false_positive)
        for silenced, false_positive in zip(alerts["silenced"], alerts["false_positive"], strict=True)
    ]
    return alerts.assign(marks=marks)[list(ALERT_COLUMNS)]


def _asked() -> tuple[AlertFilter, AlertOrder]:
    state, severity, symbol, source, order = st.columns([3, 2, 1, 1, 1])
    asked = AlertFilter(
        states=tuple(state.multiselect("State", STATES, key="alert-states", placeholder="any")),
        severities=tuple(severity.multiselect("Severity", SEVERITIES, key="alert-severities", placeholder="any")),
        symbol=symbol.text_input("Symbol", key="alert-symbol", placeholder="any").strip() or None,
        source=source.text_input("Source", key="alert-source", placeholder="any").strip() or None,
    )
    return asked, ORDERS[order.selectbox("Sorted by", list(ORDERS), key="alert-order")]


def _export(write: Callable[[], bytes]) -> None:
    # Written when it is asked for, and not on every refresh.
    st.download_button(
        "Export as CSV",
        write,
        file_name="alerts.csv",
        mime="text/csv",
        key="alert-export",
        on_click="ignore",
        icon=":material/download:",
        help=f"The alerts that pass the filter, at most {MOST_EXPORTED:,}, in the order chosen",
    )


def _list(reader: DashboardReader, asked: AlertFilter, order: AlertOrder) -> None:
    alerts = reader.alerts(asked, LISTED_ALERTS, order)
    if alerts.empty:
        words = "No alert so far." if asked == AlertFilter() else "No alert passes the filter. Widen it to see more."
        st.info(words, icon=":material/notifications_off:")
        return
    # A selection is a row number: a list with another alert in it is another table.
    key = f"alerts-{hash(tuple(alerts['alert_id']))}"
    row = picked_row(alert_table(alerts), key, len(alerts), ALERT_COLUMNS)
    if len(alerts) == LISTED_ALERTS:
        st.caption(f"The first {LISTED_ALERTS} in this order are listed. Narrow the filter, or export them all.")
    if row is not None:
        st.query_params["alert"] = alerts["alert_id"][row]
        st.rerun()


def _one(reader: DashboardReader, display: Display, alert_id: str) -> None:
    alert = answer(display, lambda: reader.alert(alert_id)) if _is_uuid(alert_id) else None
    if alert is None:
        st.warning("There is no alert of the id in the address.", icon=":material/search_off:")
        return
    live(display, lambda: _headline(reader, alert_id))
    live(display, lambda: _picture(reader, alert_id))
    # The forms stand outside the live parts: a refresh must not touch what a person is typing.
    alert_forms.acts(reader, display, alert)
    live(display, lambda: _details(reader, display, alert_id))


def _headline(reader: DashboardReader, alert_id: str) -> None:
    alert = reader.alert(alert_id)
    if alert is None:
        return
    with st.container(horizontal=True):
        st.badge(alert.state, color="red" if alert.state in ("OPEN", "ESCALATED") else "gray")
        st.badge(alert.severity, color="orange")
        st.badge("confirmed" if alert.confirmed else "provisional", color="blue" if alert.confirmed else "gray")
        if alert.acknowledged_at is not None:
            st.badge("acknowledged", color="green")
        if alert.false_positive:
            st.badge("false positive", color="violet")
        if alert.silenced:
            st.badge("silenced", color="gray")
    st.text(f"{alert.kind} · {alert.symbol} · {alert.source}")
    st.text(alert.sentence)
    if alert.acknowledged_at is not None:
        st.text(f"Acknowledged by {alert.acknowledged_by}, {time_text(alert.acknowledged_at)}")
    if alert.false_positive and alert.false_positive_at is not None:
        marked = f"{alert.false_positive_by}, {time_text(alert.false_positive_at)}"
        st.text(f"Marked as false positive by {marked}")
    if alert.note:
        st.text(f"Note: {alert.note}")


def _picture(reader: DashboardReader, alert_id: str) -> None:
    alert = reader.alert(alert_id)
    if alert is not None:
        alert_why.picture(reader, alert)


def _details(reader: DashboardReader, display: Display, alert_id: str) -> None:
    alert = reader.alert(alert_id)
    if alert is None:
        return
    why, history = st.columns(2)
    with why:
        alert_why.facts(alert.why)
    with history:
        st.markdown("**What happened**")
        events = reader.alert_events(alert_id)
        table(events, "alert-events", _EVENT_COLUMNS)
        alert_why.raw_objects(alert, display.rawzone_browser)


def _quality(reader: DashboardReader, asked: AlertFilter) -> None:
    rows = reader.alert_quality(asked.source, asked.symbol)
    if rows.empty:
        st.caption("No alert of the last 90 days is of this symbol and source.")
        return
    table(rows, "alert-quality", _QUALITY_COLUMNS)
    st.caption(
        "Judged are those that somebody acknowledged or marked. The filter of symbol and source holds here, too."
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
