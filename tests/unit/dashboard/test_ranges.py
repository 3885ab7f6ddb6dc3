from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import ranges
from volwatch.warehouse.readings import Span

NEWEST = datetime(2026, 1, 5, 14, 59, tzinfo=UTC)
END = NEWEST + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("choice", "length", "step_seconds"),
    [
        ("1 h", timedelta(hours=1), 60),
        ("6 h", timedelta(hours=6), 60),
        ("day", timedelta(days=1), 300),
        ("5 days", timedelta(days=5), 900),
    ],
)
def test_a_range_ends_with_the_newest_bar(choice: str, length: timedelta, step_seconds: int) -> None:
    assert ranges.span_of(choice, NEWEST) == Span(END - length, END, 60, step_seconds)


@pytest.mark.parametrize("choice", ranges.RANGES)
def test_no_range_has_more_candles_than_a_chart_can_show(choice: str) -> None:
    span = ranges.span_of(choice, NEWEST)
    assert (span.end - span.start).total_seconds() / span.step_seconds <= 500


def test_all_of_a_young_series_is_of_minute_bars() -> None:
    oldest = END - timedelta(days=6)
    assert ranges.span_of_all(oldest, NEWEST, NEWEST) == Span(oldest, END, 60, 1800)


def test_all_of_an_old_series_is_by_day_and_bounded() -> None:
    newest_day = datetime(2026, 1, 4, tzinfo=UTC)
    last = datetime(2026, 1, 5, tzinfo=UTC)
    month = END - timedelta(days=30)
    assert ranges.span_of_all(month, NEWEST, newest_day) == Span(month, last, 86_400, 86_400)
    ancient = ranges.span_of_all(END - timedelta(days=4_000), NEWEST, newest_day)
    assert ancient.start == last - timedelta(days=400)


def test_all_of_an_old_series_without_a_daily_bar_is_the_newest_days_of_minute_bars() -> None:
    assert ranges.span_of_all(END - timedelta(days=30), NEWEST, None) == Span(END - timedelta(days=8), END, 60, 1800)


@given(st.sampled_from([*ranges.RANGES]), st.integers(0, 100_000))
def test_the_usual_is_asked_for_at_few_whole_moments_within_the_range(choice: str, minutes: int) -> None:
    span = ranges.span_of(choice, NEWEST + timedelta(minutes=minutes))
    moments = ranges.usual_moments(span)
    assert 1 <= len(moments) <= 160
    assert all(span.start <= moment < span.end for moment in moments)
    assert {moment.timestamp() % 600 for moment in moments} == {0}


@pytest.mark.parametrize(
    ("calendar", "zone"),
    [
        ("24/7", "UTC"),
        ("XNYS", "America/New_York"),
        ("24/5", "America/New_York"),
        ("XTKS", "Asia/Tokyo"),
        ("XNAS", "America/New_York"),
        ("NOWHERE", "UTC"),
    ],
)
def test_the_day_of_a_market_is_that_of_its_place(calendar: str, zone: str) -> None:
    assert ranges.zone_of(calendar) == zone
