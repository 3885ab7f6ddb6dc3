"""Whether the platform can see: that a feed is silent while its market is open, that one of the two paths is behind.

The engine knows no clock, so it cannot miss what never came. This is where the clock is asked. Pure: times are given.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from volwatch.alerts import NAMESPACE
from volwatch.analytics.calendars import MINUTE_MS, REGULAR, calendar_named

KIND = "BLIND"
DETECTOR = ("sight", "1")
"""What finds it, and its version, as of an alert's detector."""

FEED_SILENT, PIPELINE_BEHIND, DETECTOR_BEHIND = "FEED_SILENT", "PIPELINE_BEHIND", "DETECTOR_BEHIND"
OURSELVES = "volwatch"
"""The source of what is blind for all sources."""

SILENT = timedelta(minutes=5)
BEHIND = timedelta(minutes=3)
REPLAY = "replay-"
"""A replay ends; that it is silent then is no news."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A source, when its newest record was received, and the calendars of its symbols."""

    source: str
    newest: datetime
    calendars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blind:
    """What cannot be seen.

    Attributes
    ----------
    source : the feed, or ``OURSELVES``.
    what : FEED_SILENT, PIPELINE_BEHIND or DETECTOR_BEHIND.
    since : what happened until then was seen.
    limit : for how long that is no alarm.
    """

    source: str
    what: str
    since: datetime
    limit: timedelta

    @property
    def alert_id(self) -> uuid.UUID:
        """Return the id of its alert: the same for whoever finds it."""
        parts = (self.source, self.what, KIND, *DETECTOR, self.since.astimezone(UTC).isoformat())
        return uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))

    def sentence(self, now: datetime) -> str:
        """Return what is the matter, in one sentence."""
        minutes = f"{(now - self.since).total_seconds() / 60:.0f} min"
        if self.what == FEED_SILENT:
            return (
                f"Nothing has come from {self.source} for {minutes}, and a market of its symbols is open: we are blind."
            )
        if self.what == PIPELINE_BEHIND:
            return f"The minute path has taken in nothing for {minutes}: bars and volatility are of then."
        return f"The detector has been behind the minute path for {minutes}: alerts come up to two minutes late."


def silent(feeds: Iterable[Feed], now: datetime) -> list[Blind]:
    """Return the feeds from which nothing has come for too long in market hours.

    A market that opened less than that ago says nothing yet.
    """
    return [
        Blind(feed.source, FEED_SILENT, feed.newest, SILENT)
        for feed in feeds
        if not feed.source.startswith(REPLAY)
        and now - feed.newest > SILENT
        and any(_was_open(name, (now - SILENT, now)) for name in feed.calendars)
    ]


def _was_open(name: str, times: Sequence[datetime]) -> bool:
    try:
        calendar = calendar_named(name)
    except ValueError:
        return False  # the pipeline fails by it, and says so louder
    minutes = np.array([int(time.timestamp() * 1000) // MINUTE_MS * MINUTE_MS for time in times], np.int64)
    return bool((calendar.place(minutes).label == REGULAR).all())
