"""Records to stored objects, beside the loop: one thread writes the CSV, one puts it, both in the order of submission.

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
from volwatch.consumer.backoff import Backoff
from volwatch.consumer.batch import Records, Reject
from volwatch.errors import Transient
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey

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
    encoder, putter : Executor
        Each of one thread, or the order is lost.
    backoff : Backoff
        When a failed put is tried again.
    pause : callable
        Sleeps for so many seconds, or less when it is time to finish.
    """

    def __init__(
        self,
        store: ObjectStore,
        encoder: Executor,
        putter: Executor,
        backoff: Backoff,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._putter = putter
        self._backoff = backoff
        self._pause = pause
        self._jobs: deque[_Job] = deque()

    @property
    def size_bytes(self) -> int:
        """What the records on their way hold."""
        return sum(job.size_bytes for job in self._jobs)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._jobs

    def submit(self, records: Records, due: str) -> None:
        """Send records on their way, behind those submitted before."""
        encoded = self._encoder.submit(_encode, records, due)
        self._jobs.append(_Job(records.size_bytes, self._putter.submit(self._put, encoded)))

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
        self._encoder.shutdown(wait=False, cancel_futures=True)
        self._putter.shutdown(wait=False, cancel_futures=True)

    def _put(self, encoded: "Future[tuple[Stored, bytes]]") -> Stored:
        stored, data = encoded.result()
        if stored.rows:
            self._backoff.retry(
                lambda: self._put_once(stored.key, data), self._pause, lambda error: _tell_failure(stored.key, error)
            )
        return stored

    def _put_once(self, key: ObjectKey, data: bytes) -> None:
        with metrics.consumer_store_seconds.time():
            self._store.put(key, data)


def _tell_failure(key: ObjectKey, error: Transient) -> None:
    metrics.consumer_store_retries_total.inc()
    _log.warning("store_failed", object=str(key), error=str(error))


def _encode(records: Records, due: str) -> tuple[Stored, bytes]:
    trades, rejects = records.sift()
    data = encode_object(records.partition, trades) if trades else b""
    newest = trades[-1][1].event_time if trades else None
    return Stored(records.key, due, len(trades), rejects, len(data), newest), data
