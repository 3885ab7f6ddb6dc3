"""The names of raw zone objects: where an object lies says which Kafka offsets it answers for."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from volwatch.errors import BadObject
from volwatch.trade import MAX_TIME_MS

PREFIX = "trades/"
# Offsets have as many digits as 2**63 - 1 needs, and one to spare, so that names sort as numbers do.
_NAME = re.compile(r"trades/date=(\d{4}-\d{2}-\d{2})/hour=(\d{2})/(\d{5})-(\d{20})-(\d{20})\.csv\.gz", re.ASCII)


def hour_of(timestamp_ms: int) -> datetime:
    """Return the hour that holds a Kafka timestamp; one beyond all calendars counts as the nearest hour there is."""
    within_ms = min(max(timestamp_ms, 0), MAX_TIME_MS)
    return datetime.fromtimestamp(within_ms // 3_600_000 * 3600, UTC)


def hour_prefix(hour: datetime) -> str:
    """Return what the names of all objects of an hour begin with."""
    return f"{PREFIX}date={hour:%Y-%m-%d}/hour={hour:%H}/"


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """The name of an object. Keys sort as their names do: by hour, partition, offsets.

    Attributes
    ----------
    hour : datetime
        Hour (UTC) of the Kafka timestamp of the first record: when it came in, not when the trade happened.
    partition : int
        Kafka partition of all its rows.
    first_offset, last_offset : int
        The records it answers for, both inclusive; those among them that are no trades have no row.
    """

    hour: datetime
    partition: int
    first_offset: int
    last_offset: int

    def __post_init__(self) -> None:
        if self.hour.utcoffset() != timedelta(0) or self.hour != self.hour.replace(minute=0, second=0, microsecond=0):
            raise ValueError(f"an object's hour is a full hour of UTC, not {self.hour!r}")
        if not 0 <= self.first_offset <= self.last_offset < 2**63 or not 0 <= self.partition < 100_000:
            raise ValueError(f"no such records: {self.partition}-{self.first_offset}-{self.last_offset}")

    def __str__(self) -> str:
        return f"{hour_prefix(self.hour)}{self.partition:05d}-{self.first_offset:020d}-{self.last_offset:020d}.csv.gz"

    @classmethod
    def parse(cls, name: str) -> "ObjectKey":
        """Return the key that a name spells.

        Raises
        ------
        BadObject
            With reason ``BAD_KEY`` when the name is not one of this layout.
        """
        match = _NAME.fullmatch(name)
        if match is None:
            raise BadObject("BAD_KEY", f"{name!r} is not a name of the raw zone")
        date, hour, partition, first_offset, last_offset = match.groups()
        try:
            start = datetime.strptime(f"{date} {hour} +0000", "%Y-%m-%d %H %z")
            return cls(start.replace(tzinfo=UTC), int(partition), int(first_offset), int(last_offset))
        except ValueError as error:
            raise BadObject("BAD_KEY", f"{name!r}: {error}") from error


def last_key_before(hour: datetime) -> ObjectKey:
    """Return a key that sorts behind every object before an hour."""
    return ObjectKey(hour.astimezone(UTC) - timedelta(hours=1), 99_999, 2**63 - 1, 2**63 - 1)
