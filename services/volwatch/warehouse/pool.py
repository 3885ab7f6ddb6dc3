"""A bounded pool of connections for a long-lived reader: it waits for its turn and hands out nothing that is dead."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import Transient

# A table that is not there yet is a migration that has not run yet: the one fault of a statement that waiting mends.
_NOT_NOW = (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.UndefinedTable)


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: Connection
    opened_at: float


class Pool:
    """At most ``size`` connections, each checked for life before it is lent and replaced when it grows old.

    Parameters
    ----------
    connect : callable
        Opens a connection, or raises ``Transient``.
    size : int
        Most connections open at a time.
    wait_seconds : float
        Longest a caller waits for its turn.
    max_age_seconds : float
        Age at which a connection is replaced, so that a moved server or a changed role is noticed.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        size: int,
        wait_seconds: float = 5.0,
        max_age_seconds: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._turns = BoundedSemaphore(size)
        self._wait_seconds = wait_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._lock = Lock()
        self._idle: list[_Idle] = []

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """Lend a live connection; what was not committed when it comes back is rolled back.

        Raises
        ------
        Transient
            No turn came in time, or the server is away.
        """
        if not self._turns.acquire(timeout=self._wait_seconds):
            raise Transient(f"no connection was free for {self._wait_seconds:g} s")
        try:
            lent = self._take()
            try:
                yield lent.connection
                lent.connection.rollback()
            except _NOT_NOW as error:
                lent.connection.close()
                raise Transient(str(error).strip()) from error
            except BaseException:
                lent.connection.close()
                raise
            with self._lock:
                self._idle.append(lent)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for kept in idle:
            kept.connection.close()

    def _take(self) -> _Idle:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                return _Idle(self._connect(), self._clock())
            if self._clock() - kept.opened_at < self._max_age_seconds and _alive(kept.connection):
                return kept
            kept.connection.close()


def _alive(connection: Connection) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error:
        return False
    return True
