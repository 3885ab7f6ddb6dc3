"""Back-tests on a raw zone in memory: the same alerts as the engine's, whatever the objects are cut like."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import MemoryStore
from volwatch.analytics.bars import MARK_CONDITION
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.trades import from_records
from volwatch.errors import BadInput
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import ObjectInfo
from volwatch.research.raw import Found, raw_steps, read_range
from volwatch.trade import Trade

START_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z
MINUTE_MS = 60_000
MINUTES = 180
CONFIG = EngineConfig()


class MemoryRawzone(MemoryStore):
    """A store that can also be listed and read."""

    def list_objects(self, hour: datetime) -> Iterator[ObjectInfo]:
        return (ObjectInfo(key, 1, "", key.hour) for key in sorted(self.objects) if key.hour == hour)

    def read(self, key: ObjectKey) -> bytes:
        return self.objects[key]

    def store(self, partition: int, rows: list[tuple[int, Trade]]) -> ObjectKey:
        first, last = rows[0], rows[-1]
        key = ObjectKey(hour_of(first[1].received_at), partition, first[0], last[0])
        self.put(key, encode_object(partition, rows))
        return key


def trades(symbol: str, seed: int, burst_minute: int = 120) -> list[Trade]:
    """Return prints of a calm walk, one every five seconds, that is wild for three minutes."""
    random = np.random.Generator(np.random.PCG64(seed))
    at = START_MS + np.arange(MINUTES * 12) * 5_000
    minute = np.arange(MINUTES * 12) // 12
    scale = np.where((minute >= burst_minute) & (minute < burst_minute + 3), 3e-3, 2e-4)
    price = np.round(100 * np.exp(np.cumsum(scale * random.standard_normal(len(at)))), 2)
    return [
        Trade("simulator", symbol, time, value, 10.0, (), None, time + 20, seq)
        for seq, (time, value) in enumerate(zip(at.tolist(), price.tolist(), strict=True))
    ]


FEEDS = {0: trades("S0", 1), 3: trades("S3", 2, burst_minute=90)}


def stored(cuts: dict[int, list[int]]) -> MemoryRawzone:
    """Return the feeds as objects that begin at the given offsets."""
    rawzone = MemoryRawzone()
    for partition, feed in FEEDS.items():
        bounds = [0, *sorted(cuts.get(partition, [])), len(feed)]
        for first, last in pairwise(bounds):
            if last > first:
                rawzone.store(partition, list(enumerate(feed))[first:last])
    return rawzone


def by_engine(feeds: list[list[Trade]]) -> set[tuple[str, int, str]]:
    """Return the alerts that engines open on final bars."""
    opened = set()
    for feed in feeds:
        end = feed[-1].received_at + 10 * MINUTE_MS
        mark = Trade("simulator", feed[0].symbol, end, 0.0, 0.0, (MARK_CONDITION,), None, end, len(feed))
        result = Engine(CONFIG).process(from_records([*feed, mark]))
        opened |= {(s.symbol, s.onset, s.severity) for s in result.transitions if s.state == "OPEN" and s.final}
    return opened


def told(found: Found) -> set[tuple[str, int, str]]:
    return {(step.symbol, step.onset, step.severity) for step in found.onsets}


EXPECTED = by_engine(list(FEEDS.values()))
EVERYTHING = START_MS, START_MS + MINUTES * MINUTE_MS


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, MINUTES * 12 - 1), max_size=4, unique=True))
def test_the_alerts_are_the_engines_however_the_objects_are_cut(cuts: list[int]) -> None:
    found = raw_steps(stored({0: cuts, 3: cuts[:1]}), *EVERYTHING, CONFIG)
    assert {symbol for symbol, _, _ in EXPECTED} == {"S0", "S3"}
    assert told(found) == EXPECTED
    assert [step.onset for step in found.onsets] == sorted(step.onset for step in found.onsets)
    assert (found.trades, found.faults) == (sum(map(len, FEEDS.values())), [])


def test_records_that_two_objects_hold_count_once() -> None:
    rawzone = stored({0: [600]})
    rawzone.store(0, list(enumerate(FEEDS[0]))[500:900])
    found = raw_steps(rawzone, *EVERYTHING, CONFIG)
    assert (told(found), found.trades) == (EXPECTED, sum(map(len, FEEDS.values())))


def test_only_trades_of_the_range_are_taken() -> None:
    start, end = START_MS + 30 * MINUTE_MS, START_MS + 110 * MINUTE_MS
    found = raw_steps(stored({0: [100, 700]}), start, end, CONFIG)
    inside = [[trade for trade in feed if start <= trade.event_time < end] for feed in FEEDS.values()]
    assert found.trades == sum(map(len, inside)) == 2 * 80 * 12
    assert told(found) == by_engine(inside) == {step for step in EXPECTED if step[0] == "S3"}


def test_an_object_that_cannot_be_read_is_left_out_and_named() -> None:
    rawzone = stored({})
    key = ObjectKey(hour_of(START_MS), 5, 0, 9)
    rawzone.objects[key] = b"no gzip"
    found = raw_steps(rawzone, *EVERYTHING, CONFIG)
    assert told(found) == EXPECTED
    assert [fault.partition(": ")[0] for fault in found.faults] == [str(key)]
    assert found.objects == 2


def test_an_object_of_the_hour_before_may_hold_trades_of_the_range() -> None:
    rawzone = MemoryRawzone()
    early = [trade for trade in FEEDS[0] if trade.event_time < START_MS + 40 * MINUTE_MS]
    rawzone.store(0, list(enumerate(early)))
    # From 14:30 to 15:10 in one object of hour 14.
    found = raw_steps(rawzone, START_MS + 30 * MINUTE_MS, START_MS + 60 * MINUTE_MS, CONFIG)
    assert found.trades == 10 * 12


def test_an_empty_range_raises_nothing() -> None:
    found = raw_steps(stored({}), START_MS - 600 * MINUTE_MS, START_MS - 300 * MINUTE_MS, CONFIG)
    assert (found.onsets, found.trades, found.objects) == ([], 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T14:30..2026-01-05T21:00",
        "2026-01-05T14:30:00Z..2026-01-05T22:00+01:00",
    ],
)
def test_a_range_is_of_utc_unless_it_names_a_zone(text: str) -> None:
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    end = start + timedelta(hours=6, minutes=30)
    assert read_range(text) == (start.timestamp() * 1_000, end.timestamp() * 1_000)


@pytest.mark.parametrize("text", ["", "2026-01-05", "2026-01-05T15:00..2026-01-05T15:00", "a..b", "2026-01-05.."])
def test_what_is_no_range_is_told(text: str) -> None:
    with pytest.raises(BadInput, match=r"--raw: START\.\.END"):
        read_range(text)
