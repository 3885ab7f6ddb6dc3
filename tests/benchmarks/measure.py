"""A benchmark: our way and a peer's do the same work in turn; results are compared, and the medians give a ratio."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

ROUNDS = 3

_T = TypeVar("_T")
_U = TypeVar("_U")

Timed = tuple[float, _T]
"""Seconds, and what came out."""


class Unequal(Exception):
    """The two sides did not do the same work: a ratio would say nothing."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Median rates of both sides in ``unit``, of which more is better; ``ratio`` above 1 says that we are faster.

    Where the unit is seconds they are delays, and less is better.
    """

    name: str
    ours: float
    peer: float
    ratio: float
    unit: str


def measure(
    name: str,
    unit: str,
    amount: int,
    ours: Callable[[], Timed[_T]],
    peer: Callable[[], Timed[_U]],
    check: Callable[[_T, _U], None],
    tell: Callable[[str], None],
) -> Measured:
    """Return the rates of both sides, run in turn: once to warm up, then ``ROUNDS`` times, each first by turns.

    Parameters
    ----------
    amount : int
        How many of ``unit`` one run is worth.
    check : callable
        Raises ``Unequal`` when the results differ; called after every run.
    tell : callable
        Told of the progress.
    """
    seconds: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        tell(f"{name}: round {number} of {ROUNDS}" if number else f"{name}: warming up")
        if number % 2:
            (peer_seconds, expected), (ours_seconds, made) = peer(), ours()
        else:
            (ours_seconds, made), (peer_seconds, expected) = ours(), peer()
        check(made, expected)
        seconds.append((ours_seconds, peer_seconds))
    ours_seconds, peer_seconds = (statistics.median(side) for side in zip(*seconds[1:], strict=True))
    return Measured(name, amount / ours_seconds, amount / peer_seconds, peer_seconds / ours_seconds, unit)


def timed(work: Callable[[], _T], clock: Callable[[], float] = time.perf_counter) -> Timed[_T]:
    """Return how long the work took and what came out; ``time.process_time`` counts the work of one core."""
    gc.collect()
    began = clock()
    result = work()
    return clock() - began, result
