from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from dashboard.markets import Market, markets, open_calendars
from volwatch.warehouse.readings import LiveSeries, Series

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BAR = MONDAY.replace(hour=15)


def live(source: str, symbol: str, minutes_ago: int = 0, calendar: str | None = None) -> LiveSeries:
    return LiveSeries(Series(source, symbol), calendar, BAR - timedelta(minutes=minutes_ago))


def test_a_market_is_a_source_and_a_calendar_and_as_new_as_its_newest_series() -> None:
    found = markets(
        [
            live("finnhub", "AAPL", minutes_ago=3),
            live("finnhub", "MSFT", minutes_ago=1),
            live("finnhub", "BINANCE:BTCUSDT", minutes_ago=7),
            live("finnhub-quote", "AAPL", minutes_ago=9),
            live("simulator", "SIM01"),
        ]
    )
    assert found == [
        Market("finnhub", "24/7", BAR - timedelta(minutes=7)),
        Market("finnhub", "XNYS", BAR - timedelta(minutes=1)),
        Market("finnhub-quote", "XNYS", BAR - timedelta(minutes=9)),
        Market("simulator", "24/7", BAR),
    ]


def test_the_watch_list_goes_before_the_form_of_a_symbol() -> None:
    assert markets([live("finnhub", "VOD.L", calendar="XLON")]) == [Market("finnhub", "XLON", BAR)]


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-01-05T14:29:59Z", False),
        ("2026-01-05T14:30:00Z", True),
        ("2026-01-05T20:59:59Z", True),
        ("2026-01-05T21:00:00Z", False),
        ("2026-01-03T15:00:00Z", False),
        ("2026-01-01T15:00:00Z", False),
        ("2026-07-06T13:30:00Z", True),
        ("2026-11-27T18:30:00Z", False),
    ],
    ids=["before the open", "open", "last second", "close", "Saturday", "holiday", "summer time", "early close"],
)
def test_a_stock_exchange_is_open_in_its_regular_hours(at: str, is_open: bool) -> None:
    assert dict(open_calendars(["XNYS", "24/7", "XNYS"], datetime.fromisoformat(at))) == {"24/7": True, "XNYS": is_open}


def test_a_calendar_that_there_is_not_is_logged_and_left_out() -> None:
    with capture_logs() as logs:
        assert dict(open_calendars(["NOWHERE", "24/7"], MONDAY)) == {"24/7": True}
    assert [(entry["event"], entry["calendar"]) for entry in logs] == [("calendar_unknown", "NOWHERE")]
