"""The consumer's loop: read, hold, store, and only then commit.

Each round is one call of ``run_once``. Storing goes on beside it (``storing.py``); when the store is slow or away, the
rows held reach their bound, the partitions are paused, and the rounds go on so that the group keeps this member.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import structlog

from volwatch import metrics
from volwatch.backoff import Backoff
from volwatch.consumer.batch import Batch, Limits
from volwatch.consumer.storing import Stored, Storing
from volwatch.errors import Transient
from volwatch.receiving import Run, Taken
from volwatch.runtime import Health, Stop
from volwatch.sifting import Reject

_log = structlog.get_logger()

_MOST_RECORDS_A_ROUND = 10_000
_READ_SECONDS = 0.2
_ROOM_SECONDS = 1.0


class Broker(Protocol):
    """Where records come from and positions go."""

    def subscribe(self, on_revoke: Taken, on_lost: Taken) -> None:
        """Join the group."""

    def read(self, most_records: int, timeout_seconds: float) -> list[Run]:
        """Return the records that arrive within the time."""

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions, or raise ``Transient``."""

    def pause(self) -> None:
        """Read no records until ``resume``."""

    def resume(self) -> None:
        """Read records again."""

    def close(self) -> None:
        """Leave the group."""


class RejectSink(Protocol):
    """Where records go that are no trades."""

    def send(self, rejects: list[Reject]) -> None:
        """Set records aside; return only when that is durable, else raise ``Transient``."""


class Loop:
    """What one consumer does until it is asked to stop.

    Parameters
    ----------
    most_held_bytes : int
        Bound of the rows held, waiting or on their way to the store; one round may exceed it by what it reads.
    backoff : Backoff
        When a failed commit is tried again.
    clock : callable
        A monotonic clock, in seconds.
    now : callable
        The time of day, in epoch seconds; only metrics see it.
    """

    def __init__(
        self,
        broker: Broker,
        storing: Storing,
        quarantine: RejectSink,
        limits: Limits,
        most_held_bytes: int,
        backoff: Backoff,
        health: Health,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._broker = broker
        self._storing = storing
        self._quarantine = quarantine
        self._limits = limits
        self._most_held_bytes = most_held_bytes
        self._backoff = backoff
        self._health = health
        self._clock = clock
        self._now = now
        self._batches: dict[int, Batch] = {}
        self._uncommitted: dict[int, int] = {}
        self._commit_failures = 0
        self._commit_not_before = clock()
        self._paused = False

    def run(self, stop: Stop) -> None:
        """Go round until asked to stop, then store and commit what is held, and leave the group."""
        self._broker.subscribe(self.revoke, self.lose)
        self._health.set_ready(True)
        try:
            while not stop.requested:
                self.run_once()
            self.finish()
        except BaseException:
            # Nothing was committed that is not stored, and leaving the group must not try to store it again.
            self.lose(list(self._batches))
            self._storing.abandon()
            stop.request()
            raise
        finally:
            self._broker.close()

    def run_once(self) -> None:
        """Read what has come, send on what is due, and commit what is stored."""
        self._keep_bound()
        for run in self._broker.read(_MOST_RECORDS_A_ROUND, _READ_SECONDS):
            batch = self._batches.setdefault(run.partition, Batch(run.partition))
            batch.extend(run.offsets, run.values, run.first_timestamp_ms, self._clock())
        for partition, batch in self._batches.items():
            due = batch.due(self._limits, self._clock())
            if due is not None:
                self._flush([partition], due)
        self._settle()
        self._commit_in_time()
        self._health.beat()

    def revoke(self, partitions: list[int]) -> None:
        """Store and commit what is held of partitions that are about to belong to another member."""
        self._flush(partitions, "revoke")
        self._drain()
        self._commit_at_last("revoke")
        self.lose(partitions)

    def lose(self, partitions: list[int]) -> None:
        """Forget partitions: another member reads them again from where they were last committed."""
        for partition in partitions:
            self._batches.pop(partition, None)
            self._uncommitted.pop(partition, None)

    def finish(self) -> None:
        """Store and commit all that is held."""
        self._flush(list(self._batches), "stop")
        self._drain()
        # While the group gives partitions out anew it takes no commit; leaving it is another occasion.
        self._commit_at_last("stop")

    @property
    def _held_bytes(self) -> int:
        return self._storing.size_bytes + sum(batch.size_bytes for batch in self._batches.values())

    def _keep_bound(self) -> None:
        if self._held_bytes >= self._most_held_bytes:
            self._make_room()
        full = self._held_bytes >= self._most_held_bytes
        if full:
            self._broker.pause()  # every round anew: the group may have given more partitions
        elif self._paused:
            self._broker.resume()
        if full != self._paused:
            _log.info("reading_paused" if full else "reading_resumed", held_bytes=self._held_bytes)
            self._health.set_ready(not full)
        self._paused = full

    def _make_room(self) -> None:
        if self._storing.idle:  # many partitions with a little each: none is due, yet together they are too much
            fullest = max(self._batches, key=lambda partition: self._batches[partition].size_bytes)
            self._flush([fullest], "size")
        self._storing.wait(_ROOM_SECONDS)
        self._settle()

    def _flush(self, partitions: Iterable[int], due: str) -> None:
        for partition in partitions:
            batch = self._batches.get(partition)
            rows = batch.take() if batch else None
            if rows is not None:
                self._storing.submit(rows, due)

    def _drain(self) -> None:
        while not self._storing.idle:
            self._storing.wait(_ROOM_SECONDS)
            self._settle()
            self._health.beat()

    def _settle(self) -> None:
        for stored in self._storing.finished():
            self._quarantine.send(stored.rejects)
            if stored.key.partition in self._batches:  # else it was taken away meanwhile: not ours to commit
                self._uncommitted[stored.key.partition] = stored.key.last_offset + 1
            self._tell(stored)

    def _commit(self) -> None:
        if self._uncommitted:
            self._broker.commit(self._uncommitted)
            self._uncommitted.clear()
            self._commit_failures = 0
            metrics.consumer_last_success_timestamp_seconds.set(self._now())

    def _commit_at_last(self, occasion: str) -> None:
        try:
            self._commit()
        except Transient as error:
            # The rows are stored: the next owner will store them again, and the loader takes each offset once.
            _log.warning("commit_failed", error=str(error), at=occasion)

    def _commit_in_time(self) -> None:
        if self._clock() < self._commit_not_before:
            return
        try:
            self._commit()
        except Transient as error:
            self._commit_failures += 1
            delay_seconds = self._backoff.seconds(self._commit_failures)
            _log.warning("commit_failed", error=str(error), failures=self._commit_failures)
            if delay_seconds is None:
                raise
            self._commit_not_before = self._clock() + delay_seconds

    def _tell(self, stored: Stored) -> None:
        metrics.consumer_records_total.labels("stored").inc(stored.rows)
        metrics.consumer_records_total.labels("rejected").inc(len(stored.rejects))
        lag_seconds = None
        if stored.newest_event_time is not None:
            lag_seconds = round(self._now() - stored.newest_event_time / 1000, 3)
            metrics.consumer_objects_total.labels(stored.due).inc()
            metrics.consumer_event_lag_seconds.set(lag_seconds)
            metrics.rawzone_newest_event_timestamp_seconds.set(stored.newest_event_time / 1000)
        _log.info(
            "object_stored" if stored.rows else "records_rejected",
            object=str(stored.key),
            due=stored.due,
            rows=stored.rows,
            rejected=len(stored.rejects),
            object_bytes=stored.object_bytes,
            event_lag_seconds=lag_seconds,
        )
