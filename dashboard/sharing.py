"""One reading for all who look: an answer serves every session for a moment, and is asked for once at a time."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import pandas as pd

from dashboard.reading import ACTS, DashboardReader

SECONDS = {"ratios": 300.0, "usual": 20.0, "oldest_bar": 20.0, "calendar": 20.0, "alert_quality": 20.0}
"""How old an answer may be that is dear to read and slow to change; all others, half a refresh.

Ratios are asked for by the hour, and of the hour that is not over by the minute: that question is another one soon.
"""
UNSHARED = frozenset({"alert", "alert_events"})
"""What a person has just written must be seen by that person at once."""

_MOST_ANSWERS = 512


@dataclass(slots=True)
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: Any = None
    good_until: float = float("-inf")


class SharedReader:
    """Answers as its reader does, from memory while the answer is young; see ``shared``.

    Parameters
    ----------
    quick_seconds : float
        How old an answer may be that is not among ``SECONDS``.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self, reader: DashboardReader, quick_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._quick_seconds, self._clock = reader, quick_seconds, clock
        self._answers: dict[Hashable, _Answer] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._reader, name)
        if name in UNSHARED:
            return method
        return partial(self._act if name in ACTS else self._ask, name, method)

    def _ask(self, name: str, method: Callable[..., Any], *args: object, **named: object) -> Any:
        key = (name, *map(_hashable, args), *((word, _hashable(value)) for word, value in sorted(named.items())))
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
        # Who asks the same meanwhile waits here, and has the answer without a connection of its own.
        with answer.lock:
            if self._clock() >= answer.good_until:
                answer.known = method(*args, **named)
                answer.good_until = self._clock() + SECONDS.get(name, self._quick_seconds)
                self._forget_old()
            known = answer.known
        return known.copy(deep=False) if isinstance(known, pd.DataFrame) else known

    def _act(self, name: str, method: Callable[..., Any], *args: object, **named: object) -> Any:
        del name
        try:
            return method(*args, **named)
        finally:
            with self._lock:
                self._answers.clear()

    def _forget_old(self) -> None:
        with self._lock:
            if len(self._answers) > _MOST_ANSWERS:
                now = self._clock()
                self._answers = {key: answer for key, answer in self._answers.items() if answer.good_until > now}


def shared(reader: DashboardReader, refresh_seconds: float) -> DashboardReader:
    """Return a reader whose answers all sessions share, for half a refresh; what people write is seen at once."""
    return cast(DashboardReader, SharedReader(reader, refresh_seconds / 2))


def _hashable(value: object) -> Hashable:
    if isinstance(value, Iterable) and not isinstance(value, str | tuple):
        return tuple(value)
    return value  # what cannot be a key fails where it is used
