"""A raw zone in memory, and a market to put into it: calm for an hour, then at another price."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from volwatch.analytics.bars import MARK_CONDITION
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo
from volwatch.trade import Trade

START_MS = 1_767_625_200_000  # 2026-01-05T15:00:00Z
MINUTE_MS = 60_000
HOUR = datetime(2026, 1, 5, 15, tzinfo=UTC)
SERIES = ("simulator", "SIM01")
LOUD_MINUTE, MINUTES = 65, 70


class Shelf:
    """Objects in memory, as a raw zone gives them."""

    def __init__(self) -> None:
        self._held: dict[ObjectKey, bytes] = {}

    def put(self, trades: Sequence[Trade], first: int, last: int, partition: int = 0) -> None:
        """Store trades [first, last)."""
        key = ObjectKey(HOUR, partition, first, last - 1)
        self._held[key] = encode_object(partition, list(enumerate(trades[first:last], first)))

    def spoil(self, first: int) -> None:
        """Make the object of an offset one that cannot be read."""
        [key] = [key for key in self._held if key.first_offset == first]
        self._held[key] = b"\x1f\x8b\x08 no gzip"

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        """Yield the objects behind a key, in order."""
        for key, data in sorted(self._held.items()):
            if start_after is None or key > start_after:
                yield ObjectInfo(key, len(data), "", HOUR)

    def read(self, key: ObjectKey) -> bytes:
        """Return an object's bytes."""
        return self._held[key]


def market() -> list[Trade]:
    """Return four prints a minute of a calm that scatters, a jump to another price late in it, and a mark behind."""
    random = np.random.Generator(np.random.PCG64(5))
    made = []
    for number in range(MINUTES * 4):
        at = START_MS + number * 15_000 + 1_000
        level = 102.0 if number // 4 >= LOUD_MINUTE else 100.0
        price = round(level * float(np.exp(5e-4 * random.standard_normal())), 4)
        made.append(Trade(*SERIES, at, price, 1.0, (), None, at + 20, number))
    end = made[-1].received_at + 600_000
    return [*made, Trade(*SERIES, end, 0.0, 0.0, (MARK_CONDITION,), None, end, len(made))]
