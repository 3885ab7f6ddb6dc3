"""Back-tests on the raw zone: the trades of a range of time, from an empty state on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Protocol

import numpy as np

from volwatch.analytics.bars import FUTURE_TOLERANCE_MS, MARK_CONDITION
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Result, Transition
from volwatch.analytics.trades import Trades, concatenate, from_records
from volwatch.errors import BadInput, BadObject
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import ObjectInfo
from volwatch.research.progress import progress
from volwatch.trade import Trade

_ROWS_AT_ONCE = 500_000


class Objects(Protocol):
    """What is asked of a raw zone."""

    def list_objects(self, hour: datetime) -> Iterator[ObjectInfo]:
        """Yield the objects of an hour."""

    def read(self, key: ObjectKey) -> bytes:
        """Return an object's bytes."""


@dataclass(slots=True)
class Found:
    """What a back-test found; ``faults`` are of objects that could not be read, which are left out."""

    steps: list[Transition] = field(default_factory=list)
    objects: int = 0
    trades: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def onsets(self) -> list[Transition]:
        """The openings among the steps."""
        return [step for step in self.steps if step.state == "OPEN"]


def read_range(text: str) -> tuple[int, int]:
    """Return start and end, epoch ms, of ``START..END``: ISO times, of UTC where they name no zone.

    Raises
    ------
    BadInput
        It is no such range.
    """
    start, dots, end = text.partition("..")
    try:
        first, last = (_utc_ms(datetime.fromisoformat(part)) for part in (start, end))
    except ValueError:
        first, last = 0, -1
    if not dots or not 0 <= first < last:
        raise BadInput([f"--raw: START..END, as in 2026-01-05T14:30..2026-01-05T21:00 (UTC), not {text!r}"])
    return first, last


def _utc_ms(time: datetime) -> int:
    aware = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000)


def raw_steps(rawzone: Objects, start_ms: int, end_ms: int, config: EngineConfig) -> Found:
    """Return the steps of alerts by final bars on the trades of [start, end), in order of (bar, symbol).

    Raises
    ------
    Transient
        The store did not answer.
    """
    found = Found()
    keys = sorted(_keys(rawzone, start_ms, end_ms, config), key=lambda key: (key.partition, key.first_offset))
    reading = progress(keys, "reading objects")
    for _, of_partition in groupby(reading, key=lambda key: key.partition):
        engine = Engine(config)
        for trades in _batches(_trades(rawzone, of_partition, start_ms, end_ms, found)):
            found.steps += _final(engine.process(trades))
        if engine.state.series:
            found.steps += _final(engine.process(_marks(engine)))
    found.steps.sort(key=lambda step: (step.bar, step.symbol))
    return found


def _keys(rawzone: Objects, start_ms: int, end_ms: int, config: EngineConfig) -> Iterator[ObjectKey]:
    """Yield the objects that may hold trades of the range: an object has the hour of its first record's arrival."""
    hour = hour_of(start_ms) - timedelta(hours=1)
    while hour <= hour_of(end_ms + config.lateness_seconds * 1_000):
        yield from (info.key for info in rawzone.list_objects(hour))
        hour += timedelta(hours=1)


def _trades(rawzone: Objects, keys: Iterable[ObjectKey], start_ms: int, end_ms: int, found: Found) -> Iterator[Trades]:
    """Yield the trades of one partition's objects, each record once."""
    reached = 0
    for key in keys:
        try:
            held = decode_object(rawzone.read(key), key).trades
        except BadObject as error:
            found.faults.append(f"{key}: {error}")
            continue
        inside = (held.event_time >= start_ms) & (held.event_time < end_ms)
        rows = np.flatnonzero((held.offset >= reached) & inside)
        reached = max(reached, key.last_offset + 1)
        found.objects += 1
        found.trades += len(rows)
        yield held.take(rows)


def _batches(parts: Iterable[Trades]) -> Iterator[Trades]:
    """Yield the same trades, many rows at a time."""
    held: list[Trades] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= _ROWS_AT_ONCE:
            yield concatenate(held)
            held = []
    yield concatenate(held)


def _final(result: Result) -> list[Transition]:
    return [step for step in result.transitions if step.final and step.state != "RETRACTED"]


def _marks(engine: Engine) -> Trades:
    """Return records that are no trades and make all bars final."""
    wait_ms = FUTURE_TOLERANCE_MS + MINUTE_MS + engine.config.lateness_seconds * 1_000
    symbols = dict(engine.state.series)
    return from_records(
        [
            Trade(source, symbols[source], at + wait_ms, 0.0, 0.0, (MARK_CONDITION,), None, at + wait_ms, 0)
            for source, at in engine.state.watermarks.items()
        ]
    )
