"""How long to wait after a server failed, and when to give up. Pure: chance and sleep are arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from volwatch.errors import Transient

_T = TypeVar("_T")

_FIRST_SECONDS = 0.5
_MOST_SECONDS = 15.0


def wait_seconds(failures: int, first_seconds: float, most_seconds: float, random: Callable[[], float]) -> float:
    """Return how long to wait after so many failures in a row, at least one: doubled up to a bound, cut by chance."""
    longest_seconds = min(most_seconds, first_seconds * 2.0 ** min(failures - 1, 10))
    return longest_seconds * (0.5 + 0.5 * random())


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double up to a bound, each cut by chance so that many clients do not come back at once.

    Attributes
    ----------
    attempts : int
        Tries in all.
    random : callable
        Returns a number in [0, 1).
    """

    attempts: int
    random: Callable[[], float]

    def seconds(self, failures: int) -> float | None:
        """Return how long to wait after so many failures in a row, or None when it is time to give up."""
        if failures >= self.attempts:
            return None
        return wait_seconds(failures, _FIRST_SECONDS, _MOST_SECONDS, self.random)

    def retry(
        self, operation: Callable[[], _T], pause: Callable[[float], object], tell: Callable[[Transient], object]
    ) -> _T:
        """Return what the operation returns once it succeeds; raise its failure when it is time to give up."""
        failures = 0
        while True:
            try:
                return operation()
            except Transient as error:
                failures += 1
                tell(error)
                delay_seconds = self.seconds(failures)
                if delay_seconds is None:
                    raise
            pause(delay_seconds)
