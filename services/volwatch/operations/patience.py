"""Trying again until time is up. Pure: clock and sleep are arguments."""

import argparse
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TypeVar

from volwatch.errors import Transient

_T = TypeVar("_T")


def growing() -> Iterator[float]:
    """Return waits for a server that comes up: short ones first, 5 s at most."""
    return chain((0.5, 1.0, 2.0, 4.0), repeat(5.0))


def add_option(parser: argparse.ArgumentParser, seconds: float) -> None:
    """Declare ``--patience`` with its default."""
    parser.add_argument(
        "--patience",
        type=_seconds,
        default=seconds,
        metavar="SECONDS",
        help="how long to go on trying (default %(default)g)",
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError("not a length of time")
    return seconds


class Patience:
    """So much time for all that follows.

    Parameters
    ----------
    seconds : float
        From now on.
    clock : callable
        A monotonic clock, in seconds.
    pause : callable
        Sleeps for so many seconds; returns true when it is time to finish, whatever is left.
    """

    def __init__(self, seconds: float, clock: Callable[[], float], pause: Callable[[float], object]) -> None:
        self._clock = clock
        self._pause = pause
        self._seconds = seconds
        self._began = clock()

    @property
    def spent_seconds(self) -> float:
        """How much of it is spent."""
        return self._clock() - self._began

    @property
    def left_seconds(self) -> float:
        """How much of it is left."""
        return max(0.0, self._seconds - self.spent_seconds)

    def retry(
        self, operation: Callable[[], _T], waits: Iterator[float], tell: Callable[[Transient], object] | None = None
    ) -> _T:
        """Return what the operation returns once it succeeds.

        Raises
        ------
        Transient
            The last failure when patience ends, or the wish to stop comes; ``tell`` has heard of each.
        """
        while True:
            try:
                return operation()
            except Transient as error:
                if tell is not None:
                    tell(error)
                left_seconds = self.left_seconds
                if left_seconds <= 0 or self._pause(min(next(waits), left_seconds)):
                    raise
