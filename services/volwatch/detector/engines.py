"""The engines of the partitions that the group has given, each with how far it has come. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.bars import marks
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import restore
from volwatch.analytics.trades import Trades, concatenate, from_records
from volwatch.receiving import Run
from volwatch.sifting import sift
from volwatch.warehouse.alert_writer import Told
from volwatch.warehouse.detector_state import Start


@dataclass(slots=True)
class Stand:
    """One partition's engine.

    Attributes
    ----------
    next_offset : of the first record that it has not taken.
    since_offset : where it took over from the minute path.
    revision : of the minute path's state that it goes back to.
    saved_offset : how far its saved state has come; -1 before it is saved.
    """

    engine: Engine
    next_offset: int
    since_offset: int
    revision: int
    saved_offset: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some records.

    Attributes
    ----------
    told : what the engines say of alerts, where they say anything.
    trades, rejected : how many records were trades, and how many none.
    newest_event_ms : event time of the newest trade; 0 without one.
    oldest_ms : when the first of the records came to Kafka, by the broker's clock.
    """

    told: Sequence[Told]
    trades: int
    rejected: int
    newest_event_ms: int
    oldest_ms: int


class Engines:
    """Takes records to the engines of their partitions."""

    def __init__(self) -> None:
        self.stands: dict[int, Stand] = {}

    def enter(self, partition: int, start: Start, config: EngineConfig) -> None:
        """Let a partition go on from where it can."""
        engine = Engine(config, restore(start.state) if start.state is not None else None)
        # What is taken over is saved soon, even where nothing comes: who watches is to see how far we are.
        saved = start.next_offset if start.is_own or start.state is None else -1
        self.stands[partition] = Stand(engine, start.next_offset, start.since_offset, start.revision, saved)

    def leave(self, partitions: Iterable[int]) -> None:
        """Forget partitions."""
        for partition in partitions:
            self.stands.pop(partition, None)

    def take(self, runs: Sequence[Run]) -> Taken:
        """Take records, in their order; those of partitions that are not ours, or taken already, are left out."""
        told: list[Told] = []
        trades = rejected = newest = 0
        for partition, own in _by_partition(runs).items():
            stand = self.stands.get(partition)
            if stand is None:
                continue
            taken, bad = _trades(own, stand.next_offset)
            first, stand.next_offset = stand.next_offset, max(stand.next_offset, own[-1].offsets[-1] + 1)
            trades, rejected = trades + len(taken), rejected + bad
            if len(taken):
                steps = stand.engine.watch(taken)
                newest = max(newest, int(taken.event_time[~marks(taken)].max(initial=0)))
                if steps:
                    told.append(Told(partition, first, stand.next_offset, steps))
        return Taken(told, trades, rejected, newest, min((run.first_timestamp_ms for run in runs), default=0))

    @property
    def watermarks(self) -> dict[str, int]:
        """The newest receipt of each source, epoch ms."""
        newest: dict[str, int] = {}
        for stand in self.stands.values():
            for source, watermark in stand.engine.state.watermarks.items():
                newest[source] = max(watermark, newest.get(source, 0))
        return newest


def _by_partition(runs: Sequence[Run]) -> Mapping[int, list[Run]]:
    """Return the runs of each partition: one step of its engine for all of them."""
    found: dict[int, list[Run]] = {}
    for run in runs:
        found.setdefault(run.partition, []).append(run)
    return found


def _trades(runs: Sequence[Run], next_offset: int) -> tuple[Trades, int]:
    """Return the trades of a partition's runs from an offset on, and how many of the records are none."""
    parts: list[Trades] = []
    rejected = 0
    for run in runs:
        for sifted in sift(run.partition, run.offsets, run.values):
            offsets = np.asarray(sifted.offsets, np.int64)
            fresh = int(np.searchsorted(offsets, next_offset))
            parts.append(replace(from_records(sifted.trades[fresh:]), offset=offsets[fresh:]))
            rejected += sum(reject.offset >= next_offset for reject in sifted.rejects)
    return (parts[0] if len(parts) == 1 else concatenate(parts)), rejected
