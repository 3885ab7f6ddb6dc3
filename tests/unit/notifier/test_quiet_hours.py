from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from volwatch.notifier.quiet_hours import QuietHours

NIGHT = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Zurich", "unless": "HIGH"})
ZURICH = ZoneInfo("Europe/Zurich")


@pytest.mark.parametrize(
    ("at", "quiet"), [("21:59", False), ("22:00", True), ("00:00", True), ("06:59", True), ("07:00", False)]
)
def test_a_night_goes_over_midnight(at: str, quiet: bool) -> None:
    assert NIGHT.at(datetime.fromisoformat(f"2026-01-05T{at}").replace(tzinfo=ZURICH)) is quiet


def test_the_clock_is_that_of_the_time_zone_in_summer_and_winter() -> None:
    assert NIGHT.at(datetime(2026, 1, 5, 21, 30, tzinfo=UTC))  # 22:30 in winter
    assert NIGHT.at(datetime(2026, 7, 5, 20, 30, tzinfo=UTC))  # 22:30 in summer
    assert not NIGHT.at(datetime(2026, 1, 5, 20, 30, tzinfo=UTC))


def test_what_is_grave_does_not_wait() -> None:
    midnight = datetime(2026, 1, 5, 0, tzinfo=ZURICH)
    assert [NIGHT.hold(severity, midnight) for severity in ("LOW", "MEDIUM", "HIGH")] == [True, True, False]
    assert NIGHT.loud(midnight) == ("HIGH",)
    assert NIGHT.loud(midnight.replace(hour=12)) is None
    always = QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Europe/Zurich"})
    assert always.hold("HIGH", midnight)
    assert always.loud(midnight) == ()


@given(st.times(), st.times(), st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_in_a_range_or_in_the_one_from_its_end_to_its_begin(begin: time, end: time, at: datetime) -> None:
    there = QuietHours(begin=begin, end=end).at(at)
    back = QuietHours(begin=end, end=begin).at(at)
    assert there != back or begin == end


def test_hours_pass() -> None:
    quiet = [NIGHT.at(datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=minute)) for minute in range(24 * 60)]
    assert sum(quiet) == 9 * 60


def test_an_unknown_time_zone_is_named() -> None:
    with pytest.raises(ValidationError, match="is no time zone"):
        QuietHours.model_validate({"from": "22:00", "to": "07:00", "timezone": "Mars/Base"})
