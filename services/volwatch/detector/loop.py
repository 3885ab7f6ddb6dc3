"""The detector's loop: read, take to the engines, write what they tell of alerts, and save their states now and then.

A state is saved only when all that led to it is written. After a crash the engines go back to their saved states and
find the same steps again; the rows say how far the data had come by which they were written, so nothing is told twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import structlog

from volwatch import metrics
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.state import save
from volwatch.backoff import Backoff
from volwatch.detector.engines import Engines, Taken
from volwatch.errors import Transient
from volwatch.receiving import Given, Run
from volwatch.receiving import Taken as OnTaken
from volwatch.runtime import Health, Stop
from volwatch.warehouse.alert_writer import Told
from volwatch.warehouse.detector_state import Saved, Start

_log = structlog.get_logger()

_MOST_RECORDS_A_ROUND = 10_000
# Reading waits so long even where records come: a short wait is a short delay, and a round costs a few milliseconds.
_READ_SECONDS = 0.01
_LOOK_SECONDS = 10.0

_T = TypeVar("_T")


class Broker(Protocol):
    """Where records come from."""

    def subscribe(self, on_revoke: OnTaken, on_lost: OnTaken, on_assign: Given | None = None) -> None:
        """Join the group."""

    def read(self, most_records: int, timeout_seconds: float) -> list[Run]:
        """Return the records that arrive within the time."""

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading a partition from an offset."""

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions, or raise ``Transient``."""

    def close(self) -> None:
        """Leave the group."""


class Warehouse(Protocol):
    """Where alerts and states go; see ``detector.ledger``. Raises ``Transient`` while it is away."""

    def config(self) -> EngineConfig:
        """Return what the engine is told."""

    def starts(self, partitions: Sequence[int], config: EngineConfig) -> dict[int, Start]:
        """Return where to start with each partition."""

    def revisions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the revision of the minute path's state of each partition."""

    def write(self, told: Sequence[Told], revisions: Mapping[int, int], config: EngineConfig) -> bool:
        """Write what was found of alerts; return False if a rebuild came between."""

    def save(self, saved: Saved, config: EngineConfig) -> None:
        """Save the state of a partition's engine."""

    def watch(self, watermarks: Mapping[str, int]) -> None:
        """Say what cannot be seen."""


class Loop:
    """What one detector does until it is asked to stop.

    Parameters
    ----------
    snapshot_seconds : float
        How often the states are saved, one after the other.
    backoff : Backoff
        When the warehouse is asked again.
    clock : callable
        A monotonic clock, in seconds.
    now : callable
        The time of day, in epoch seconds; only metrics see it.
    """

    def __init__(
        self,
        broker: Broker,
        warehouse: Warehouse,
        snapshot_seconds: float,
        backoff: Backoff,
        health: Health,
        stop: Stop,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._broker, self._warehouse = broker, warehouse
        self._snapshot_seconds, self._backoff = snapshot_seconds, backoff
        self._health, self._stop, self._clock, self._now = health, stop, clock, now
        self._engines = Engines()
        self._config = EngineConfig()
        self._saved_at: dict[int, float] = {}
        self._look_at = clock() + _LOOK_SECONDS

    def run(self) -> None:
        """Go round until asked to stop, then save the states and leave the group."""
        self._config = self._ask(self._warehouse.config)
        self._broker.subscribe(self.revoke, self.lose, self.assign)
        try:
            while not self._stop.requested:
                self.run_once()
            self._save(list(self._engines.stands))
        except BaseException:
            self.lose(list(self._engines.stands))  # what is not written must not be saved as if it were
            raise
        finally:
            self._broker.close()

    def run_once(self) -> None:
        """Read what has come, write what it says of alerts, and save what is due."""
        runs = self._broker.read(_MOST_RECORDS_A_ROUND, _READ_SECONDS)
        if runs:
            began = self._clock()
            taken = self._engines.take(runs)
            metrics.detector_engine_seconds.observe(self._clock() - began)
            if taken.told:
                self._write(taken)
            self._count(taken)
        self._save_due()
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + _LOOK_SECONDS
            self._look()
        self._health.beat()

    def assign(self, partitions: list[int]) -> dict[int, int]:
        """Take over partitions; return where to read each from."""
        starts = self._ask(lambda: self._warehouse.starts(partitions, self._config))
        for partition, start in starts.items():
            self._engines.enter(partition, start, self._config)
            self._saved_at[partition] = self._clock()
            _log.info("partition_taken", partition=partition, offset=start.next_offset, own_state=start.is_own)
        metrics.detector_partitions.set(len(self._engines.stands))
        self._health.set_ready(True)
        return {partition: start.next_offset for partition, start in starts.items()}

    def revoke(self, partitions: list[int]) -> None:
        """Save the states of partitions that are about to belong to another member."""
        self._save(partitions)
        self.lose(partitions)

    def lose(self, partitions: list[int]) -> None:
        """Forget partitions: another member goes on from their saved states."""
        self._engines.leave(partitions)
        metrics.detector_partitions.set(len(self._engines.stands))

    def _write(self, taken: Taken) -> None:
        revisions = {told.partition: self._engines.stands[told.partition].revision for told in taken.told}
        if not self._ask(lambda: self._warehouse.write(taken.told, revisions, self._config)):
            self._start_again()
            return
        delay_seconds = self._now() - taken.oldest_ms / 1000
        for step in (step for told in taken.told for step in told.steps):
            metrics.detector_alerts_total.labels(step.state).inc()
        metrics.detector_delay_seconds.observe(max(delay_seconds, 0.0))
        for told in taken.told:
            states = [step.state for step in told.steps]
            _log.info(
                "alerts_told",
                partition=told.partition,
                reached=told.reached,
                steps=states,
                delay=round(delay_seconds, 3),
            )

    def _count(self, taken: Taken) -> None:
        metrics.detector_records_total.labels("taken").inc(taken.trades)
        metrics.detector_records_total.labels("rejected").inc(taken.rejected)
        if taken.trades:
            metrics.detector_last_success_timestamp_seconds.set(self._now())
        if taken.newest_event_ms:
            metrics.detector_newest_event_timestamp_seconds.set(taken.newest_event_ms / 1000)
            metrics.detector_event_lag_seconds.set(self._now() - taken.newest_event_ms / 1000)

    def _save_due(self) -> None:
        """Save the state that is due longest: one in a round, so that no alert waits for all of them."""
        stands = self._engines.stands
        changed = [partition for partition, stand in stands.items() if stand.next_offset != stand.saved_offset]
        oldest = min(changed, key=lambda partition: self._saved_at[partition], default=None)
        if oldest is not None and self._clock() - self._saved_at[oldest] >= self._snapshot_seconds:
            self._save([oldest])

    def _save(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            stand = self._engines.stands.get(partition)
            if stand is None or stand.next_offset == stand.saved_offset:
                continue
            state = stand.engine.state
            saved = Saved(
                partition, save(state), stand.next_offset, stand.since_offset, stand.revision, state.watermarks
            )
            self._ask(lambda saved=saved: self._warehouse.save(saved, self._config))  # type: ignore[misc]  # mypy on defaults
            stand.saved_offset, self._saved_at[partition] = stand.next_offset, self._clock()
            self._commit({partition: stand.next_offset})

    def _commit(self, positions: Mapping[int, int]) -> None:
        try:
            self._broker.commit(positions)
        except Transient as error:
            # Only who looks at the group's lag is misled, and until the next time: the state knows where to go on.
            _log.warning("commit_failed", error=str(error))

    def _look(self) -> None:
        """See whether the settings or the minute path's states have changed, and what cannot be seen."""
        config = self._ask(self._warehouse.config)
        stands = self._engines.stands
        revisions = self._ask(lambda: self._warehouse.revisions(list(stands)))
        if config.hash != self._config.hash or any(stands[p].revision != found for p, found in revisions.items()):
            self._config = config
            self._start_again()
        watermarks = self._engines.watermarks
        self._ask(lambda: self._warehouse.watch(watermarks))

    def _start_again(self) -> None:
        """Go back to where both paths have one state."""
        partitions = list(self._engines.stands)
        _log.info("states_replaced", partitions=partitions)
        for partition, offset in self.assign(partitions).items():
            self._broker.seek(partition, offset)

    def _ask(self, question: Callable[[], _T]) -> _T:
        def tell(error: Transient) -> None:
            self._health.beat()
            _log.warning("warehouse_away", error=str(error))

        return self._backoff.retry(question, self._stop.wait, tell)
