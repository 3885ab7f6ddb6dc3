from datetime import UTC, datetime, timedelta

from volwatch.warehouse.readings import Freshness

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def test_ages_count_from_the_clock_of_the_server() -> None:
    freshness = Freshness(NOW, NOW - timedelta(seconds=90), NOW - timedelta(seconds=30))
    assert (freshness.event_age_seconds, freshness.run_age_seconds) == (90.0, 30.0)


def test_what_never_happened_has_no_age() -> None:
    freshness = Freshness(NOW, None, None)
    assert (freshness.event_age_seconds, freshness.run_age_seconds) == (None, None)


def test_an_event_ahead_of_the_server_is_not_older_than_nothing() -> None:
    assert Freshness(NOW, NOW + timedelta(seconds=3), None).event_age_seconds == 0.0
