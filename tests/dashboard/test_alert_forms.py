"""What people do about alerts on the alerts page, drawn by Streamlit itself from a reader in memory."""

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import alerts
from tests.dashboard.drawing import draw, texts
from tests.dashboard.fakes import ALERT_ID, EMPTY_QUALITY, NOW, FakeReader, display, market, some_alert
from volwatch.warehouse.readings import Silence

NAME_NEEDED = "Say who you are: the name is written to the history."


def page(reader: FakeReader, person: str = "Ada") -> AppTest:
    """Draw the page of the alert, with a name typed in."""
    app = draw(alerts.render, reader, alert=ALERT_ID)
    app.text_input(key="person").input(person)
    return app


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_acknowledging_writes_who_and_what() -> None:
    reader = market()
    app = page(reader, "  Ada\x00 ")
    app.text_input(key=f"remark-{ALERT_ID}").input("earnings")
    press(app, "Acknowledge")
    written = reader.alert_rows[ALERT_ID]
    assert (written.acknowledged_by, written.note) == ("Ada", "earnings")
    assert {"Acknowledged by Ada, 2026-01-05 15:00:30 UTC", "Note: earnings"} <= {*texts(app.text)}
    assert "Acknowledge" not in labels(app)


@pytest.mark.parametrize("label", ["Acknowledge", "Write note", "Mark as false positive", "Silence"])
def test_every_act_needs_a_name(label: str) -> None:
    reader = market()
    app = page(reader, " ")
    press(app, label)
    assert texts(app.warning) == [NAME_NEEDED]
    assert reader.alert_rows[ALERT_ID] == some_alert()
    assert reader.silenced == []


@pytest.mark.parametrize(
    ("label", "act"),
    [
        ("Acknowledge", "acknowledge"),
        ("Write note", "annotate"),
        ("Mark as false positive", "mark_false_positive"),
        ("Silence", "silence"),
    ],
)
def test_an_act_that_cannot_be_written_is_said(label: str, act: str) -> None:
    reader = market()
    app = page(reader)
    setattr(reader, act, getattr(FakeReader(away=True), act))
    press(app, label)
    assert texts(app.error) == ["The warehouse cannot be reached: nothing was written. Try again in a moment."]


def test_what_the_warehouse_does_not_take_is_said() -> None:
    app = page(market())
    press(app, "Write note")
    assert texts(app.warning) == ["Nothing was written: a note is needed."]


def test_a_note_may_follow_an_acknowledgement() -> None:
    reader = market()
    reader.alert_rows[ALERT_ID] = replace(some_alert(), acknowledged_by="Bob", acknowledged_at=NOW)
    app = page(reader)
    app.text_input(key=f"note-text-{ALERT_ID}").input("a split")
    press(app, "Write note")
    assert "Note: a split (Ada)" in texts(app.text)


def test_a_false_positive_is_marked_and_withdrawn() -> None:
    reader = market()
    app = page(reader)
    press(app, "Mark as false positive")
    assert reader.alert_rows[ALERT_ID].false_positive is True
    assert "Marked as false positive by Ada, 2026-01-05 15:00:30 UTC" in texts(app.text)
    assert [text for text in texts(app.markdown) if "false positive]" in text] == [":violet-badge[false positive]"]
    press(app, "Withdraw false positive")
    assert reader.alert_rows[ALERT_ID].false_positive is False
    assert [text for text in texts(app.markdown) if "false positive]" in text] == []


@pytest.mark.parametrize(
    ("scope", "of"),
    [
        ("this symbol and kind", ("simulator", "AAPL", "VOLATILITY")),
        ("this symbol", ("simulator", "AAPL", None)),
        ("this kind", (None, None, "VOLATILITY")),
        ("this source", ("simulator", None, None)),
    ],
)
def test_a_silence_has_the_scope_the_length_and_the_reason_that_were_chosen(
    scope: str, of: tuple[str | None, ...]
) -> None:
    reader = market()
    app = page(reader)
    app.selectbox(key=f"silence-scope-{ALERT_ID}").select(scope)
    app.selectbox(key=f"silence-for-{ALERT_ID}").select("8 hours")
    app.text_input(key=f"silence-reason-{ALERT_ID}").input("a known event")
    press(app, "Silence")
    [silence] = reader.silenced
    assert (silence.source, silence.symbol, silence.kind, silence.everything) == (*of, False)
    assert (silence.made_by, silence.reason) == ("Ada", "a known event")
    assert silence.ends_at - silence.starts_at == timedelta(hours=8)


def test_a_silence_is_listed_and_ended_by_whoever_says_so() -> None:
    reader = market()
    until = NOW + timedelta(hours=1)
    of = (None, "<b>", None, False)
    reader.silenced = [
        Silence(number, *of, NOW, until, "why", "Bob", NOW, None, None, in_force=True) for number in (2, 1)
    ]
    app = draw(alerts.render, reader)
    app.selectbox(key="end-silence-which").select("1: symbol <b>, until 2026-01-05 16:00:30 UTC")
    press(app, "End")
    assert texts(app.warning) == [NAME_NEEDED]
    app.text_input(key="end-silence-person").input("Ada")
    press(app, "End")
    assert [each.silence_id for each in reader.silenced] == [2]


def silenced(reader: FakeReader) -> FakeReader:
    """Return the reader with a silence in force."""
    until = NOW + timedelta(hours=1)
    reader.silenced = [Silence(1, None, "NVDA", None, False, NOW, until, "why", "Bob", NOW, None, None, in_force=True)]
    return reader


def test_who_is_signed_in_acts_under_that_name_and_types_none() -> None:
    reader = silenced(market())
    app = draw(alerts.render, reader, replace(display(), person="ada@example.org"), alert=ALERT_ID)
    assert {"Your name", "Who ends it"} & {field.label for field in app.text_input} == set()
    press(app, "Acknowledge")
    press(app, "Mark as false positive")
    app.text_input(key=f"silence-reason-{ALERT_ID}").input("a known event")
    press(app, "Silence")
    press(app, "End")
    written = reader.alert_rows[ALERT_ID]
    assert (written.acknowledged_by, written.false_positive_by) == ("ada@example.org", "ada@example.org")
    assert [silence.made_by for silence in reader.silenced] == ["ada@example.org"]


@pytest.mark.parametrize("person", [None, "ada@example.org"])
def test_where_nobody_may_act_there_is_nothing_to_do_it_with(person: str | None) -> None:
    reader = silenced(market())
    app = draw(alerts.render, reader, replace(display(), person=person, may_act=False), alert=ALERT_ID)
    assert not app.exception
    assert labels(app) == []
    assert [field.label for field in app.text_input] == ["Symbol", "Source"]
    assert [label for label in (one.label for one in app.expander) if "silence" in label.lower()] == []
    assert "Acknowledged" not in " ".join(texts(app.text))


def test_a_silenced_alert_says_so_in_the_list_and_on_its_page() -> None:
    reader = market()
    reader.alert_rows[ALERT_ID] = replace(some_alert(), silenced=True, false_positive=True)
    app = draw(alerts.render, reader, alert=ALERT_ID)
    assert app.dataframe[0].value["marks"].tolist() == ["silenced, false positive"]
    assert [text for text in texts(app.markdown) if "silenced]" in text] != []


def test_an_alert_of_a_kind_that_is_not_known_is_shown_plainly() -> None:
    reader = market()
    changed = {"kind": "**BLIND**", "source": "*", "symbol": "[x](http://x)", "why": {}}
    reader.alert_rows[ALERT_ID] = replace(some_alert(), **changed)  # type: ignore[arg-type]
    app = draw(alerts.render, reader, alert=ALERT_ID)
    assert not app.exception
    assert "**BLIND** · [x](http://x) · *" in texts(app.text)
    assert [text for text in texts(app.markdown) if "BLIND" in text] == []


def test_the_quality_of_alerts_is_that_of_the_symbol_asked_for() -> None:
    reader = market()
    rates = ["LRE", "1", 4, 1, 2, 1, 2, 0.5, 30.0, 90.0]
    reader.quality_rows = pd.DataFrame(
        [["simulator", symbol, "VOLATILITY", *rates] for symbol in ("AAPL", "NVDA")], columns=EMPTY_QUALITY.columns
    )
    app = draw(alerts.render, reader)
    assert app.dataframe[-1].value["symbol"].tolist() == ["AAPL", "NVDA"]
    app.text_input(key="alert-symbol").input("NVDA").run()
    assert app.dataframe[-1].value["symbol"].tolist() == ["NVDA"]
