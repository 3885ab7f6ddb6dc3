"""Which offsets a rebuild works through, hour by hour of arrival. Pure, but for the listing it is given.

An hour begins, in each partition, with the first offset of its first object; the rows of a partition are taken in the
order of their offsets, each once, whatever objects they come in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from volwatch.pipeline.listing import LOOK_BACK
from volwatch.rawzone.keys import ObjectKey, last_key_before
from volwatch.rawzone.store import Rawzone

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of one partition, from ``first`` up to before ``end``."""

    partition: int
    first: int
    end: int

    def overlaps(self, key: ObjectKey) -> bool:
        """Return whether an object may hold some of them."""
        return key.partition == self.partition and key.first_offset < self.end and key.last_offset >= self.first


@dataclass(frozen=True, slots=True)
class Hour:
    """What came in within an hour, by partition."""

    hour: datetime
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The objects of some stretch of time, each partition's in order of offsets."""

    keys: Mapping[int, Sequence[ObjectKey]]

    def within(self, span: Span) -> list[ObjectKey]:
        """Return the objects that may hold offsets of a span."""
        return [key for key in self.keys.get(span.partition, ()) if span.overlaps(key)]

    def first_offset(self, partition: int, hour: datetime, end: int) -> int:
        """Return the first offset that came in at an hour or later; ``end`` where there is none before it."""
        later = [key.first_offset for key in self.keys.get(partition, ()) if key.hour >= hour]
        return min([*later, end])

    def begin(self, partition: int, end: int) -> int:
        """Return the first offset that there is; ``end`` where there is none before it."""
        return min([*(key.first_offset for key in self.keys.get(partition, ())), end])

    def hours(self, spans: Iterable[Span]) -> list[Hour]:
        """Return spans cut at the borders of hours, in order of time."""
        cut: dict[datetime, list[Span]] = {}
        for span in spans:
            for hour, part in self._cut(span):
                cut.setdefault(hour, []).append(part)
        return [Hour(hour, tuple(parts)) for hour, parts in sorted(cut.items())]

    def _cut(self, span: Span) -> list[tuple[datetime, Span]]:
        """Return the parts of a span and their hours; what no object of the listing begins goes with what is before."""
        starts: list[tuple[datetime, int]] = []
        reached = span.end
        by_hour: dict[datetime, int] = {}
        for key in self.within(span):
            by_hour[key.hour] = min(key.first_offset, by_hour.get(key.hour, key.first_offset))
        for hour, first in sorted(by_hour.items(), reverse=True):
            reached = min(reached, first)
            starts.append((hour, max(reached, span.first)))
        parts: list[tuple[datetime, Span]] = []
        end = span.end
        for hour, first in starts:
            if first < end:
                parts.append((hour, Span(span.partition, first, end)))
                end = first
        if parts and end > span.first:
            hour, part = parts.pop()
            parts.append((hour, Span(span.partition, span.first, part.end)))
        return parts


def listed(rawzone: Rawzone, since: datetime | None, wanted: Sequence[Span]) -> Listing:
    """Return the objects from an hour on; with those of two days before where that leaves offsets without an object.

    An object may lie under an hour of before: a consumer that restarts goes on where it last committed.
    """
    listing = _listing(rawzone, since)
    if since is not None and not all(_is_whole(listing, span) for span in wanted):
        return _listing(rawzone, since - LOOK_BACK)
    return listing


def _listing(rawzone: Rawzone, since: datetime | None) -> Listing:
    keys: dict[int, list[ObjectKey]] = {}
    for info in rawzone.list_all(None if since is None else last_key_before(since)):
        keys.setdefault(info.key.partition, []).append(info.key)
    for of_partition in keys.values():
        of_partition.sort(key=lambda key: (key.first_offset, key.last_offset))
    return Listing(keys)


def _is_whole(listing: Listing, span: Span) -> bool:
    reached = span.first
    for key in listing.within(span):
        if key.first_offset > reached:
            return False
        reached = max(reached, key.last_offset + 1)
    return reached >= span.end
