"""The alerts: a list that can be narrowed down, and for one of them the WHY, its history and its acknowledgement."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pandas as pd
import streamlit as st

from dashboard import wording
from dashboard.display import Columns, Display, answer, header, live, picked_row
from dashboard.reading import DashboardReader
from volwatch.errors import Transient
from volwatch.warehouse.readings import Alert, AlertFilter

STATES = ("OPEN", "ESCALATED", "CLOSED", "RETRACTED", "SUPPRESSED")
SEVERITIES = ("HIGH", "MEDIUM", "LOW")
LISTED_ALERTS = 200
LONGEST_NAME, LONGEST_NOTE = 80, 500

ALERT_COLUMNS: Columns = {
    "onset_bar": st.column_config.DatetimeColumn("Began (UTC)", format="MMM D, HH:mm", timezone="UTC"),
    "symbol": st.column_config.TextColumn("Symbol", width=100),
    "severity": "Severity",
    "state": st.column_config.TextColumn("State", width=105),
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


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page. The alert in the address (``?alert=``) is shown in full."""
    header(reader, display, "Alerts")
    asked = _asked()
    live(display, lambda: _list(reader, asked))
    alert_id = st.query_params.get("alert")
    if alert_id is not None:
        st.divider()
        _one(reader, display, alert_id)


def alert_table(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of alerts that a list shows."""
    return alerts[list(ALERT_COLUMNS)]


def why_table(why: Mapping[str, Any]) -> pd.DataFrame:
    """Return an alert's WHY as rows of fact and value; a fact inside another is named by its path."""
    rows = list(_facts("", why))
    return pd.DataFrame(rows, columns=["Fact", "Value"])


def _facts(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _facts(f"{path} › {name}" if path else str(name), inner)
    elif isinstance(value, str):
        yield path, value
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _asked() -> AlertFilter:
    state, severity, symbol, source = st.columns([3, 2, 1, 1])
    return AlertFilter(
        states=tuple(state.multiselect("State", STATES, key="alert-states", placeholder="any")),
        severities=tuple(severity.multiselect("Severity", SEVERITIES, key="alert-severities", placeholder="any")),
        symbol=symbol.text_input("Symbol", key="alert-symbol", placeholder="any").strip() or None,
        source=source.text_input("Source", key="alert-source", placeholder="any").strip() or None,
    )


def _list(reader: DashboardReader, asked: AlertFilter) -> None:
    alerts = reader.alerts(asked, LISTED_ALERTS)
    if alerts.empty:
        words = "No alert so far." if asked == AlertFilter() else "No alert passes the filter. Widen it to see more."
        st.info(words, icon=":material/notifications_off:")
        return
    # A selection is a row number: a list with another alert in it is another table.
    key = f"alerts-{hash(tuple(alerts['alert_id']))}"
    row = picked_row(alert_table(alerts), key, len(alerts), ALERT_COLUMNS)
    if len(alerts) == LISTED_ALERTS:
        st.caption(f"The newest {LISTED_ALERTS} are listed.")
    if row is not None:
        st.query_params["alert"] = alerts["alert_id"][row]
        st.rerun()


def _one(reader: DashboardReader, display: Display, alert_id: str) -> None:
    alert = answer(display, lambda: reader.alert(alert_id)) if _is_uuid(alert_id) else None
    if alert is None:
        st.warning("There is no alert of the id in the address.", icon=":material/search_off:")
        return
    live(display, lambda: _headline(reader, alert_id))
    # The form stands outside the live parts: a refresh must not touch what a person is typing.
    if alert.acknowledged_at is None:
        _acknowledge_form(reader, alert)
    live(display, lambda: _details(reader, alert_id))


def _headline(reader: DashboardReader, alert_id: str) -> None:
    alert = reader.alert(alert_id)
    if alert is None:
        return
    with st.container(horizontal=True):
        st.badge(alert.state, color="red" if alert.state in ("OPEN", "ESCALATED") else "gray")
        st.badge(alert.severity, color="orange")
        st.badge("confirmed" if alert.confirmed else "provisional", color="blue" if alert.confirmed else "gray")
    st.text(alert.sentence)
    if alert.acknowledged_at is not None:
        note = f": {alert.note}" if alert.note else ""
        st.text(f"Acknowledged by {alert.acknowledged_by}, {wording.time_text(alert.acknowledged_at)}{note}")


def _details(reader: DashboardReader, alert_id: str) -> None:
    alert = reader.alert(alert_id)
    if alert is None:
        return
    why, history = st.columns(2)
    with why:
        st.markdown("**Why**")
        st.dataframe(why_table(alert.why), key="alert-why", hide_index=True, height="content")
    with history:
        st.markdown("**What happened**")
        events = reader.alert_events(alert_id)
        st.dataframe(events, key="alert-events", hide_index=True, column_config=_EVENT_COLUMNS, placeholder="–")


def _acknowledge_form(reader: DashboardReader, alert: Alert) -> None:
    with st.form(f"acknowledge-{alert.alert_id}", border=True):
        name, note, button = st.columns([1, 3, 1], vertical_alignment="bottom")
        person = name.text_input("Your name", max_chars=LONGEST_NAME, key=f"person-{alert.alert_id}")
        remark = note.text_input("Note (optional)", max_chars=LONGEST_NOTE, key=f"remark-{alert.alert_id}")
        sent = button.form_submit_button("Acknowledge", type="primary", width="stretch")
    if sent:
        _acknowledge(reader, alert.alert_id, _printable(person), _printable(remark))


def _acknowledge(reader: DashboardReader, alert_id: str, person: str, remark: str) -> None:
    if not person:
        st.warning("Say who acknowledges it: the name is written to the alert's history.")
        return
    try:
        first = reader.acknowledge(alert_id, person, remark or None)
    except Transient:
        st.error("The warehouse cannot be reached: nothing was written. Try again in a moment.")
        return
    st.toast("Acknowledged." if first else "Somebody had acknowledged it before you.")
    st.rerun()


def _printable(text: str) -> str:
    """Return the text without characters that cannot be seen, which PostgreSQL refuses (NUL) or a log cannot show."""
    return "".join(character for character in text if character.isprintable()).strip()


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
