"""Alerts of markets as statements: what is written, in which order, and that nothing is written twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.alerts import alert_id
from volwatch.analytics import detector
from volwatch.warehouse.market_reader import Since
from volwatch.warehouse.market_writer import write_market_alerts

Rows = list[tuple[object, ...]]

OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
SINCE = Since(OPEN - timedelta(minutes=5), {})
SYMBOLS = tuple(f"S{number}" for number in range(6))
SEEN: Rows = [(symbol, OPEN - timedelta(hours=1)) for symbol in SYMBOLS]


def at(minute: int) -> datetime:
    return OPEN + timedelta(minutes=minute)


def market_alert(minute: int, source: str = "finnhub", calendar: str = "XNYS") -> str:
    return str(alert_id(source, calendar, "MARKET", int(at(minute).timestamp() * 1000)))


def symbols_alert(
    symbol: str, minute: int, *, link: str | None = None, closed: int | None = None, source: str = "finnhub"
) -> tuple[object, ...]:
    """Return a row of the alerts of symbols."""
    state, ended = ("OPEN", None) if closed is None else ("CLOSED", at(closed))
    name = f"{symbol}-{minute}"
    return source, link, name, symbol, at(minute), "LOW", state, True, at(minute) + timedelta(seconds=65), ended


def stored(
    minute: int, sentence: str = "", *, state: str = "OPEN", severity: str = "LOW", closed: int | None = None
) -> tuple[object, ...]:
    """Return a row of the alerts of markets."""
    ended = None if closed is None else at(closed)
    return market_alert(minute), "finnhub", "XNYS", at(minute), state, severity, True, ended, sentence


def written(*answers: Rows, since: Since = SINCE) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    """Return how many alerts were opened, and what was written where."""
    asked = ScriptedCursor(*answers)
    opened = write_market_alerts(asked.cursor, since, "abc", "pipeline")
    verbs = [(" ".join(statement.split()[:3]), told) for statement, told in asked.asked]
    return opened, [(verb, told) for verb, told in verbs if not verb.startswith(("SELECT", "WITH"))]


def audited(statements: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, datetime]]:
    return [(told["event"], told["bar_start"]) for verb, told in statements if verb == "INSERT INTO alert_events"]


SENTENCE = "XNYS 14:30Z: 3 of 6 symbols opened within 3 minutes (50 %, market-wide above 30 %)"
CROWD = [symbols_alert(symbol, 0) for symbol in SYMBOLS[:3]]
LINKED = [symbols_alert(symbol, 0, link=market_alert(0)) for symbol in SYMBOLS[:3]]
NO_WATCHLIST: Rows = []


def test_without_alerts_nothing_is_written() -> None:
    assert written([], []) == (0, [])


def test_a_crowd_is_one_alert_to_which_those_of_the_symbols_are_linked() -> None:
    opened, statements = written(CROWD, [], NO_WATCHLIST, SEEN)
    assert opened == 1
    (into, row), *events, link = statements
    assert into == "INSERT INTO stock_alerts"
    why = row.pop("why").adapted
    assert row == {
        "alert_id": market_alert(0),
        "source": "finnhub",
        "symbol": "XNYS",
        "kind": "MARKET",
        "detector": detector.NAME,
        "version": detector.VERSION,
        "onset_bar": OPEN,
        "state": "OPEN",
        "severity": "LOW",
        "confirmed": True,
        "statistic": 0.5,
        "threshold": 0.3,
        "sentence": SENTENCE,
        "config_hash": "abc",
        "detected_at": OPEN + timedelta(seconds=65),
        "closed_at": None,
    }
    assert list(why["members"]) == ["S0", "S1", "S2"]
    assert audited(events) == [("OPEN", OPEN), ("CONFIRMED", OPEN)]
    assert link == ("UPDATE stock_alerts SET", {"market": market_alert(0), "ids": ["S0-0", "S1-0", "S2-0"]})


def test_what_is_stored_as_it_is_to_be_is_not_written_again() -> None:
    assert written(LINKED, [stored(0, SENTENCE)], NO_WATCHLIST, SEEN) == (0, [])


def test_a_straggler_joins_the_alert_that_is_there() -> None:
    opened, statements = written([*LINKED, symbols_alert("S3", 2)], [stored(0, SENTENCE)], NO_WATCHLIST, SEEN)
    assert opened == 0
    (_, row), link = statements
    assert (row["alert_id"], row["statistic"]) == (market_alert(0), 4 / 6)
    assert link == ("UPDATE stock_alerts SET", {"market": market_alert(0), "ids": ["S3-2"]})


def test_markets_are_parted_by_source_and_by_calendar() -> None:
    """Of six symbols three opened, but one at another source and one of another calendar: no market has enough."""
    rows = [CROWD[0], CROWD[1], symbols_alert("S2", 0, source="replay-a")]
    assert written(rows, [], [("S1", "XLON")]) == (0, [])


def test_too_few_of_those_that_were_seen_are_no_crowd() -> None:
    seen: Rows = [*SEEN, *((f"T{number}", OPEN - timedelta(days=1)) for number in range(4))]
    assert written(CROWD, [], NO_WATCHLIST, seen) == (0, [])


def test_symbols_that_come_later_or_of_another_calendar_are_not_counted() -> None:
    seen: Rows = [*SEEN, ("T0", at(1)), *((f"BINANCE:T{number}", OPEN) for number in range(9))]
    assert written(CROWD, [], NO_WATCHLIST, seen)[0] == 1


def test_an_alert_that_follows_from_the_rows_no_more_is_retracted() -> None:
    opened, statements = written(LINKED[:1], [stored(0)], NO_WATCHLIST)
    assert opened == 0
    assert [verb for verb, _ in statements] == [
        "UPDATE stock_alerts SET", "UPDATE stock_alerts SET", "INSERT INTO alert_events",
    ]  # fmt: skip
    assert statements[0][1] == {
        "alert_id": market_alert(0), "state": "RETRACTED", "severity": "LOW", "closed_at": at(3),
    }  # fmt: skip
    assert statements[1][1] == {"market": market_alert(0)}
    assert audited(statements) == [("RETRACTED", OPEN)]


def test_one_that_was_retracted_stays_so_until_the_rows_say_otherwise() -> None:
    gone = stored(0, SENTENCE, state="RETRACTED", closed=3)
    assert written(LINKED[:1], [gone], NO_WATCHLIST) == (0, [])
    opened, statements = written(CROWD, [gone], NO_WATCHLIST, SEEN)
    assert opened == 0
    assert (statements[0][1]["state"], statements[0][1]["closed_at"]) == ("OPEN", None)
    assert audited(statements) == [("OPEN", OPEN)]


def test_it_closes_when_the_last_of_its_members_does() -> None:
    members = [
        symbols_alert(symbol, 0, link=market_alert(0), closed=4 + place) for place, symbol in enumerate(SYMBOLS[:3])
    ]
    _, statements = written(members, [stored(0, SENTENCE)], NO_WATCHLIST, SEEN)
    assert (statements[0][1]["state"], statements[0][1]["closed_at"]) == ("CLOSED", at(6))
    assert audited(statements) == [("CLOSED", at(5))]


def test_the_next_alert_of_a_market_closes_the_one_before_and_opens_after_it() -> None:
    """A member whose symbol has gone silent stays open; the market's alert does not wait for it."""
    second = [symbols_alert(symbol, 30) for symbol in SYMBOLS[:3]]
    opened, statements = written([*LINKED, *second], [stored(0, SENTENCE)], NO_WATCHLIST, SEEN)
    assert opened == 1
    rows = [(row["alert_id"], row["state"]) for verb, row in statements if verb == "INSERT INTO stock_alerts"]
    assert rows == [(market_alert(0), "CLOSED"), (market_alert(30), "OPEN")]
    assert audited(statements) == [("CLOSED", at(29)), ("OPEN", at(30)), ("CONFIRMED", at(30))]


def test_an_open_one_from_long_before_closes_with_its_members() -> None:
    """Its alerts are older than what is read: the links tell them."""
    late = Since(at(300), {})
    linked: Rows = [
        (market_alert(0), f"{symbol}-0", symbol, OPEN, "HIGH", "CLOSED", True, OPEN, at(310)) for symbol in SYMBOLS[:3]
    ]
    opened, statements = written([], [stored(0)], linked, since=late)
    assert opened == 0
    assert statements[0] == (
        "UPDATE stock_alerts SET",
        {"alert_id": market_alert(0), "state": "CLOSED", "severity": "HIGH", "closed_at": at(310)},
    )
    assert audited(statements) == [("ESCALATED", OPEN), ("CLOSED", at(309))]


def test_a_wave_at_the_edge_of_what_was_read_is_left_alone() -> None:
    """It may have started before: it is neither opened under another name nor retracted."""
    late = replace(SINCE, bars=at(60))
    linked: Rows = [
        (market_alert(0), f"{symbol}-0", symbol, OPEN, "LOW", "OPEN", True, OPEN, None) for symbol in SYMBOLS[:3]
    ]
    assert written(LINKED, [stored(0, SENTENCE)], NO_WATCHLIST, SEEN, linked, since=late) == (0, [])


@pytest.mark.parametrize("day", [1, 2])
def test_symbols_are_counted_once_a_day(day: int) -> None:
    """Bars of one day ask once; those of the next ask again, for its own days."""
    later = [
        (*row[:2], f"{row[2]}-{day}", row[3], row[4] + timedelta(days=day - 1, minutes=1), *row[5:])  # type: ignore[operator]
        for row in CROWD
    ]
    asked = ScriptedCursor([*CROWD, *later], [], NO_WATCHLIST, *[SEEN] * day)
    assert write_market_alerts(asked.cursor, SINCE, "abc", "pipeline") == day
    spans = [told for statement, told in asked.asked if statement.lstrip().startswith("WITH")]
    midnight = OPEN.replace(hour=0, minute=0)
    assert [(span["start"], span["end"]) for span in spans] == [
        (midnight + timedelta(days=number - 4), midnight + timedelta(days=number + 1)) for number in range(day)
    ]
