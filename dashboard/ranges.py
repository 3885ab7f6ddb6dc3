"""The ranges that a series' page offers, and how finely each is drawn. They are of the data, not of the clock."""

from datetime import UTC, datetime, timedelta

from volwatch.analytics import exchanges
from volwatch.warehouse.readings import Span

MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
ALL = "all"
RANGES = {
    "1 h": (timedelta(hours=1), 60),
    "6 h": (timedelta(hours=6), 60),
    "day": (timedelta(days=1), 300),
    "5 days": (timedelta(days=5), 900),
}
CHOICES = (*RANGES, ALL)
DEFAULT = "6 h"
MOST_DAYS_BY_MINUTE, MOST_DAYS = 8, 400
USUAL_DAYS = 20
_USUAL_MOMENTS = 144
_ZONES = {"24/7": "UTC", "24/5": "America/New_York"}


def span_of(choice: str, newest: datetime) -> Span:
    """Return what a choice other than ``ALL`` shows of a series, up to its newest one-minute bar."""
    length, step_seconds = RANGES[choice]
    end = newest + timedelta(seconds=MINUTE_SECONDS)
    return Span(end - length, end, MINUTE_SECONDS, step_seconds)


def span_of_all(oldest: datetime, newest: datetime, newest_day: datetime | None) -> Span:
    """Return all of a series that is kept: by half hours of one-minute bars, or by day where these are too many."""
    end = newest + timedelta(seconds=MINUTE_SECONDS)
    if newest_day is None or end - oldest <= timedelta(days=MOST_DAYS_BY_MINUTE):
        return Span(max(oldest, end - timedelta(days=MOST_DAYS_BY_MINUTE)), end, MINUTE_SECONDS, 1800)
    last = newest_day + timedelta(days=1)
    return Span(max(oldest, last - timedelta(days=MOST_DAYS)), last, DAY_SECONDS, DAY_SECONDS)


def zone_of(calendar: str) -> str:
    """Return the time zone by which a market's day has its shape; UTC where its calendar cannot be made."""
    try:
        return _ZONES.get(calendar) or exchanges.time_zone(calendar)
    except ValueError:
        return "UTC"


def usual_moments(span: Span) -> list[datetime]:
    """Return the moments at which the usual value is asked for: at most some 150, whole multiples of ten minutes."""
    ten_minutes = 600
    length = (span.end - span.start).total_seconds()
    step = max(1, round(length / _USUAL_MOMENTS / ten_minutes)) * ten_minutes
    first = int(-(-span.start.timestamp() // step) * step)
    return [datetime.fromtimestamp(at, UTC) for at in range(first, int(span.end.timestamp()), step)]
