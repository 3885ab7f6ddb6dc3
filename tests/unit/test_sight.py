"""When the platform says that it cannot see."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from volwatch.sight import BEHIND, DETECTOR_BEHIND, FEED_SILENT, OURSELVES, PIPELINE_BEHIND, SILENT, Blind, Feed, silent

NOON = datetime(2026, 1, 5, 17, tzinfo=UTC)  # a Monday, 12:00 in New York
OPENING = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def feed(newest: datetime, *calendars: str, source: str = "finnhub") -> Feed:
    return Feed(source, newest, calendars or ("XNYS",))


def test_a_feed_that_sends_nothing_in_market_hours_is_silent_after_five_minutes() -> None:
    last = NOON - SILENT
    assert silent([feed(last)], NOON) == []
    now = NOON + timedelta(seconds=1)
    assert silent([feed(last)], now) == [Blind("finnhub", FEED_SILENT, last, SILENT)]


@pytest.mark.parametrize(
    "closed", [NOON + timedelta(hours=12), NOON - timedelta(days=1), datetime(2026, 1, 1, 17, tzinfo=UTC)]
)
def test_no_feed_is_silent_while_its_market_is_closed(closed: datetime) -> None:
    assert silent([feed(closed - timedelta(hours=3))], closed) == []


def test_a_market_that_has_just_opened_may_still_be_quiet() -> None:
    overnight = OPENING - timedelta(hours=17)
    assert silent([feed(overnight)], OPENING + timedelta(minutes=4)) == []
    assert len(silent([feed(overnight)], OPENING + timedelta(minutes=5))) == 1


def test_one_open_market_among_its_symbols_is_enough_and_an_unknown_one_says_nothing() -> None:
    night = NOON + timedelta(hours=12)
    assert len(silent([feed(NOON, "XNYS", "24/7")], night)) == 1
    assert silent([feed(NOON, "NOWHERE")], night) == []


def test_a_replay_that_is_over_is_no_silent_feed() -> None:
    assert silent([feed(NOON - timedelta(hours=1), source="replay-crash")], NOON) == []


def test_an_alert_has_one_id_whoever_finds_it_and_another_when_it_comes_again() -> None:
    blind = Blind("finnhub", FEED_SILENT, NOON, SILENT)
    elsewhere = timedelta(hours=-5)
    same = Blind("finnhub", FEED_SILENT, NOON.astimezone(timezone(elsewhere)), SILENT)
    assert blind.alert_id == same.alert_id
    assert blind.alert_id != Blind("finnhub", FEED_SILENT, NOON + timedelta(seconds=1), SILENT).alert_id
    assert blind.alert_id != Blind("simulator", FEED_SILENT, NOON, SILENT).alert_id


@pytest.mark.parametrize(
    ("blind", "told"),
    [
        (Blind("finnhub", FEED_SILENT, NOON, SILENT), "Nothing has come from finnhub for 7 min"),
        (Blind(OURSELVES, PIPELINE_BEHIND, NOON, BEHIND), "The minute path has taken in nothing for 7 min"),
        (Blind(OURSELVES, DETECTOR_BEHIND, NOON, BEHIND), "The detector has been behind the minute path for 7 min"),
    ],
)
def test_the_sentence_says_what_is_the_matter_and_for_how_long(blind: Blind, told: str) -> None:
    assert blind.sentence(NOON + timedelta(minutes=7)).startswith(told)
