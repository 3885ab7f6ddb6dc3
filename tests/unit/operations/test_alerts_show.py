"""What is told of one alert, and how alerts and silences stand in a list."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from volwatch.operations import alerts_list, alerts_silence
from volwatch.operations.alerts_show import Known, lines
from volwatch.warehouse.alert_reader import Event
from volwatch.warehouse.readings import Alert, ListedAlert, Silence

AT = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
ALERT_ID = "8a6e0804-2bd0-5672-b79d-d97027f9071a"
ALERT = Alert(
    alert_id=ALERT_ID,
    source="simulator",
    symbol="AAPL",
    kind="VOLATILITY",
    state="OPEN",
    severity="HIGH",
    confirmed=False,
    onset_bar=AT,
    closed_at=None,
    statistic=6.2,
    threshold=3.7,
    sentence="AAPL moved",
    why={"statistic": 6.2, "bar": {"high": 102.4}, "flags": [], "detector": "lre 1"},
    acknowledged_by=None,
    acknowledged_at=None,
    note=None,
)
LISTED = ListedAlert(
    alert_id=ALERT_ID,
    onset_bar=AT,
    source="simulator",
    symbol="AAPL",
    kind="VOLATILITY",
    state="OPEN",
    severity="HIGH",
    confirmed=True,
    statistic=6.2,
    threshold=3.7,
    sentence="AAPL moved",
    closed_at=None,
    acknowledged_by=None,
    acknowledged_at=None,
    note=None,
    market_alert_id=None,
    false_positive=None,
    silenced=False,
)
SILENCE = Silence(7, None, "AAPL", "REOPEN", False, AT, AT + timedelta(hours=2), "why", "ada", AT, None, None, True)


def test_an_alert_is_told_with_its_why_its_history_its_links_and_its_silences() -> None:
    events = [
        Event(AT, "OPEN", "HIGH", AT, "detector", None),
        Event(AT, "ACKNOWLEDGED", None, None, "ada", "earnings"),
    ]
    told = list(lines(Known(ALERT, events, [LISTED._replace(kind="MARKET")], [SILENCE])))
    assert told[:4] == ["AAPL moved", f"alert id       {ALERT_ID}", "source         simulator", "symbol         AAPL"]
    assert "onset bar      2026-01-05T15:00:00+00:00" in told
    assert not any(line.startswith(("note", "closed at", "sentence")) for line in told)
    assert told[told.index("why") :] == [
        "why",
        "  statistic    6.2",
        "  bar.high     102.4",
        "  flags        []",
        "  detector     lre 1",
        "",
        "what happened",
        "  2026-01-05T15:00:00+00:00 OPEN HIGH bar 2026-01-05T15:00:00+00:00 by detector",
        "  2026-01-05T15:00:00+00:00 ACKNOWLEDGED by ada: earnings",
        "",
        "linked",
        "  8a6e0804 MARKET OPEN AAPL moved",
        "",
        "silenced by",
        "  7 symbol AAPL, kind REOPEN until 2026-01-05T17:00:00+00:00: why (ada)",
    ]


def test_what_does_not_belong_to_an_alert_has_no_heading() -> None:
    told = list(lines(Known(replace(ALERT, why={}), [], [], [])))
    assert [line for line in told if line in ("linked", "silenced by")] == []


def test_a_row_of_a_list_has_the_marks_that_hold() -> None:
    place = alerts_list.COLUMNS.index("marks")
    assert alerts_list.row_of(LISTED, 8)[:2] == ("8a6e0804", AT)
    assert alerts_list.row_of(LISTED, None)[0] == ALERT_ID
    assert alerts_list.row_of(LISTED, None)[place] == ""
    marked = LISTED._replace(confirmed=False, acknowledged_by="ada", false_positive=True, silenced=True)
    assert alerts_list.row_of(marked, None)[place] == "provisional, seen by ada, false positive, silenced"


def test_a_silence_says_of_what_it_is_and_whether_it_is_in_force() -> None:
    until = AT + timedelta(hours=2)
    assert alerts_silence.row_of(SILENCE) == (
        *(7, "symbol AAPL, kind REOPEN", "in force", AT, until, "why", "ada", None),
    )
    ended = SILENCE._replace(symbol=None, kind=None, everything=True, ended_by="bob", ended_at=AT, in_force=False)
    assert alerts_silence.row_of(ended)[1:5] == ("everything", "ended", AT, AT)
    assert alerts_silence.row_of(SILENCE._replace(in_force=False))[2] == "not in force"


def test_every_fact_of_an_alert_is_told() -> None:
    told = "\n".join(lines(Known(replace(ALERT, note="n", market_alert_id="m"), [], [], [])))
    assert {"note           n", "market alert id m"} <= set(told.split("\n"))
