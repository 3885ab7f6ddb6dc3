"""What is a time on a command line, and what is told where it is none."""

from datetime import UTC, datetime

from volwatch.times import time_of


def test_a_time_has_its_zone() -> None:
    faults: list[str] = []
    assert time_of("--since", "2026-01-05T15:00Z", faults) == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert time_of("--since", None, faults) is None
    assert faults == []
    assert time_of("--since", "2026-01-05", faults) is None
    assert faults == ["--since: an ISO time with its zone, as 2026-01-05T15:00Z, not '2026-01-05'"]
