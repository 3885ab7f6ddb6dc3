"""How long a feed waits before it connects again. Pure: chance is an argument."""

from collections.abc import Callable

FIRST_SECONDS = 1.0
MOST_SECONDS = 60.0
STABLE_SECONDS = 60.0
_JITTER = 0.2


class Reconnection:
    """Waits that double from one failure to the next up to a bound, and begin anew after a connection that held.

    Parameters
    ----------
    random : callable
        Returns a number in [0, 1); by it each wait is up to a fifth shorter or longer, so that clients that were
        dropped together do not come back together.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def wait_seconds(self, held_seconds: float, told_seconds: float | None = None) -> float:
        """Return how long to wait after a connection that held for so long, 0 if there was none.

        Parameters
        ----------
        told_seconds : float, optional
            How long the server wants us to wait at least.
        """
        if held_seconds >= STABLE_SECONDS:
            self._failures = 0
        seconds = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return max(seconds * (1.0 - _JITTER + 2.0 * _JITTER * self._random()), told_seconds or 0.0)
