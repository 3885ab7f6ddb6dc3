"""Rows to stored objects, beside the loop: one thread compresses and puts them, in the order of submission.

The order matters: a loader that has seen an object skips all offsets before its end, so the objects of a partition must
appear one after the other. One putting thread keeps that; a put is tried again before the next one may start.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol

import structlog

from volwatch import metrics
from volwatch.backoff import Backoff
from volwatch.consumer.batch import Rows
from volwatch.errors import Transient
from volwatch.rawzone.encode import pack
from volwatch.rawzone.keys import ObjectKey
from volwatch.sifting import Reject

_log = structlog.get_logger()


class ObjectStore(Protocol):
    """Where objects go."""

    def put(self, key: ObjectKey, data: bytes) -> None:
        """Store an object; return only when it is durable, else raise ``Transient``."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one run of records.

    Attributes
    ----------
    key : ObjectKey
        The records it answers for; there is no such object when none of them was a trade (``rows`` is 0).
    due : str
        Which limit made the object (``size``, ``age``, ``revoke``, ``stop``).
    newest_event_time : int or None
        Event time of the last trade, epoch milliseconds.
    """

    key: ObjectKey
    due: str
    rows: int
    rejects: list[Reject]
    object_bytes: int
    newest_event_time: int | None


@dataclass(frozen=True, slots=True)
class _Job:
    size_bytes: int
    stored: Future[Stored]


class Storing:
    """The objects on their way to the store.

    Parameters
    ----------
    store : ObjectStore
        Where they go.
    putter : Executor
        Of one thread, or the order is lost.
    backoff : Backoff
        When a failed put is tried again.
    pause : callable
        Sleeps for so many seconds, or less when it is time to finish.
    """

    def __init__(
        self,
        store: ObjectStore,
        putter: Executor,
        backoff: Backoff,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._putter = putter
        self._backoff = backoff
        self._pause = pause
        self._jobs: deque[_Job] = deque()

    @property
    def size_bytes(self) -> int:
        """What the rows on their way take in memory."""
        return sum(job.size_bytes for job in self._jobs)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._jobs

    def submit(self, rows: Rows, due: str) -> None:
        """Send rows on their way, behind those submitted before."""
        self._jobs.append(_Job(rows.size_bytes, self._putter.submit(self._put, rows, due)))

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the oldest of what is on its way, but no longer than that."""
        if self._jobs:
            wait([self._jobs[0].stored], timeout_seconds)

    def finished(self) -> Iterator[Stored]:
        """Yield what is done, in the order of submission; raise what made a put fail for good."""
        while self._jobs and self._jobs[0].stored.done():
            yield self._jobs.popleft().stored.result()

    def abandon(self) -> None:
        """Start nothing more of what is on its way: it was not committed, so it will be read again."""
        self._jobs.clear()
        self._putter.shutdown(wait=False, cancel_futures=True)

    def _put(self, rows: Rows, due: str) -> Stored:
        if rows.newest_event_time is not None:
            metrics.consumer_newest_event_timestamp_seconds.set(rows.newest_event_time / 1000)
        data = pack(rows.parts) if rows.count else b""
        if rows.count:
            self._backoff.retry(
                lambda: self._put_once(rows.key, data), self._pause, lambda error: _tell_failure(rows.key, error)
            )
        return Stored(rows.key, due, rows.count, rows.rejects, len(data), rows.newest_event_time)

    def _put_once(self, key: ObjectKey, data: bytes) -> None:
        with metrics.consumer_store_seconds.time():
            self._store.put(key, data)


def _tell_failure(key: ObjectKey, error: Transient) -> None:
    metrics.consumer_store_retries_total.inc()
    _log.warning("store_failed", object=str(key), error=str(error))
