"""What people may do about alerts on the alerts page: acknowledge, note, judge, silence; always with who."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pandas as pd
import streamlit as st

from dashboard.display import Columns, Display, answer, live, table, time_text
from dashboard.reading import DashboardReader
from volwatch.errors import BadInput, Transient
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.readings import Alert, Silence

LONGEST_NAME, LONGEST_TEXT = 80, 500
PERSON = "person"
DURATIONS: Mapping[str, timedelta] = {
    "30 minutes": timedelta(minutes=30),
    "2 hours": timedelta(hours=2),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
}
_SCOPES: Mapping[str, Callable[[Alert], Scope]] = {
    "this symbol and kind": lambda alert: Scope(source=alert.source, symbol=alert.symbol, kind=alert.kind),
    "this symbol": lambda alert: Scope(source=alert.source, symbol=alert.symbol),
    "this kind": lambda alert: Scope(kind=alert.kind),
    "this source": lambda alert: Scope(source=alert.source),
}
_SILENCE_COLUMNS: Columns = {
    "of": st.column_config.TextColumn("Of", width=250),
    "until": st.column_config.DatetimeColumn("Until (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC"),
    "state": "State",
    "reason": st.column_config.TextColumn("Reason", width=400),
    "by": "By",
}
_NAME_NEEDED = "Say who you are: the name is written to the history."


def acts(reader: DashboardReader, display: Display, alert: Alert) -> None:
    """Draw the forms of one alert, if anybody may act. Who is not signed in types a name, once for all of them."""
    if not display.may_act:
        return
    person = display.person or st.text_input("Your name", max_chars=LONGEST_NAME, key=PERSON)
    if alert.acknowledged_at is None:
        _acknowledge_form(reader, alert, person)
    with st.expander("Note, false positive, silence"):
        _note_form(reader, alert, person)
        _judge_form(reader, alert, person)
        _silence_form(reader, alert, person)


def silences(reader: DashboardReader, display: Display) -> None:
    """Draw the silences that are not over and, if anybody may act, the form that ends one."""
    st.markdown("**Silences**")
    live(display, lambda: _silence_table(reader))
    if not display.may_act:
        return
    found = {_silence_text(silence): silence for silence in answer(display, reader.silences)}
    if not found:
        return
    with st.expander("End a silence"), st.form("end-silence", border=False):
        *name, which, button = st.columns([1, 3, 1] if display.person is None else [4, 1], vertical_alignment="bottom")
        person = display.person or name[0].text_input("Who ends it", max_chars=LONGEST_NAME, key="end-silence-person")
        chosen = which.selectbox("Silence", list(found), key="end-silence-which")
        sent = button.form_submit_button("End", width="stretch")
    if sent and chosen is not None:
        number = found[chosen].silence_id
        _do(person, lambda who: reader.end_silence(number, who), "Ended.", "It was over already.")


def _acknowledge_form(reader: DashboardReader, alert: Alert, person: str) -> None:
    with st.form(f"acknowledge-{alert.alert_id}", border=True):
        note, button = st.columns([4, 1], vertical_alignment="bottom")
        remark = note.text_input("Note (optional)", max_chars=LONGEST_TEXT, key=f"remark-{alert.alert_id}")
        sent = button.form_submit_button("Acknowledge", type="primary", width="stretch")
    if sent:
        text = _printable(remark) or None
        _do(
            person,
            lambda who: reader.acknowledge(alert.alert_id, who, text),
            "Acknowledged.",
            "Somebody had acknowledged it before you.",
        )


def _note_form(reader: DashboardReader, alert: Alert, person: str) -> None:
    with st.form(f"note-{alert.alert_id}", border=False):
        field, button = st.columns([4, 1], vertical_alignment="bottom")
        text = field.text_input("New note", max_chars=LONGEST_TEXT, key=f"note-text-{alert.alert_id}")
        sent = button.form_submit_button("Write note", width="stretch")
    if sent:
        note = _printable(text)
        _do(
            person,
            lambda who: reader.annotate(alert.alert_id, who, note),
            "Written.",
            "There is no such alert.",
        )


def _judge_form(reader: DashboardReader, alert: Alert, person: str) -> None:
    is_false = not alert.false_positive
    label = "Mark as false positive" if is_false else "Withdraw false positive"
    with st.form(f"judge-{alert.alert_id}", border=False):
        field, button = st.columns([4, 1], vertical_alignment="bottom")
        text = field.text_input("Why (optional)", max_chars=LONGEST_TEXT, key=f"judge-text-{alert.alert_id}")
        sent = button.form_submit_button(label, width="stretch")
    if sent:
        remark = _printable(text) or None
        _do(
            person,
            lambda who: reader.mark_false_positive(alert.alert_id, who, remark, is_false=is_false),
            "Written.",
            "Somebody had said so before you.",
        )


def _silence_form(reader: DashboardReader, alert: Alert, person: str) -> None:
    with st.form(f"silence-{alert.alert_id}", border=False):
        what, how_long, why, button = st.columns([1, 1, 2, 1], vertical_alignment="bottom")
        scope = what.selectbox("Silence alerts of", list(_SCOPES), key=f"silence-scope-{alert.alert_id}")
        duration = how_long.selectbox("For", list(DURATIONS), key=f"silence-for-{alert.alert_id}")
        reason = why.text_input("Reason", max_chars=LONGEST_TEXT, key=f"silence-reason-{alert.alert_id}")
        sent = button.form_submit_button("Silence", width="stretch")
    if sent:
        told = _printable(reason)
        _do(
            person,
            lambda who: reader.silence(who, told, _SCOPES[scope](alert), DURATIONS[duration]) > 0,
            "Silenced: such alerts are shown, and not told.",
            "",
        )


def _silence_table(reader: DashboardReader) -> None:
    found = reader.silences()
    if not found:
        st.caption("Nothing is silenced.")
        return
    rows = [
        {
            "of": silence.scope,
            "until": silence.ends_at,
            "state": "in force" if silence.in_force else "to come",
            "reason": silence.reason,
            "by": silence.made_by,
        }
        for silence in found
    ]
    table(pd.DataFrame(rows), "silences", _SILENCE_COLUMNS)


def _silence_text(silence: Silence) -> str:
    return f"{silence.silence_id}: {silence.scope}, until {time_text(silence.ends_at)}"


def _do(person: str, act: Callable[[str], bool], done: str, in_vain: str) -> None:
    """Do what a form asks for in a person's name, say what became of it, and draw the page anew."""
    who = _printable(person)
    if not who:
        st.warning(_NAME_NEEDED)
        return
    try:
        was_done = act(who)
    except BadInput as error:
        st.warning(f"Nothing was written: {'; '.join(error.faults)}.")
        return
    except Transient:
        st.error("The warehouse cannot be reached: nothing was written. Try again in a moment.")
        return
    st.toast(done if was_done else in_vain)
    st.rerun()


def _printable(text: str) -> str:
    """Return the text without characters that cannot be seen, which PostgreSQL refuses (NUL) or a log cannot show."""
    return "".join(character for character in text if character.isprintable()).strip()
