"""What is a time on a command line, and what is told where it is none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.times import duration_of, time_of


def test_a_time_has_its_zone() -> None:
    faults: list[str] = []
    assert time_of("--since", "2026-01-05T15:00Z", faults) == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert time_of("--since", None, faults) is None
    assert faults == []
    assert time_of("--since", "2026-01-05", faults) is None
    assert faults == ["--since: an ISO time with its zone, as 2026-01-05T15:00Z, not '2026-01-05'"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1_800), ("2h", 7_200), ("1d12h", 129_600), ("90d", 7_776_000), ("1d1h1m", 90_060)]
)
def test_a_duration_has_its_units(text: str, seconds: int) -> None:
    faults: list[str] = []
    assert duration_of("--for", text, faults) == timedelta(seconds=seconds)
    assert faults == []


@pytest.mark.parametrize("text", ["", "0m", "2", "-2h", "2h ", "1h1d", "1.5h", "٢h", "99999d"])
def test_what_is_no_duration_is_told(text: str) -> None:
    faults: list[str] = []
    assert duration_of("--for", text, faults) is None
    assert faults == [f"--for: a duration above 0 in days, hours and minutes, as 30m, 2h or 1d12h, not {text!r}"]
    assert duration_of("--for", None, []) is None


@given(st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999))
def test_any_duration_but_none_is_read(days: int, hours: int, minutes: int) -> None:
    found = duration_of("--for", f"{days}d{hours}h{minutes}m", [])
    assert (found or timedelta()) == timedelta(days=days, hours=hours, minutes=minutes)
