"""How long a channel that failed is left alone. Pure: chance is an argument."""

from collections.abc import Callable

from volwatch.backoff import wait_seconds

DEAD_AFTER_FAILURES = 5
"""So many in a row, and the channel counts as dead; it is tried all the same."""

_FIRST_SECONDS = 1.0
_MOST_SECONDS = 300.0


def pause_seconds(failures: int, random: Callable[[], float]) -> float:
    """Return how long to wait after so many failures in a row: doubled up to five minutes, cut by chance."""
    if failures == 0:
        return 0.0
    return wait_seconds(failures, _FIRST_SECONDS, _MOST_SECONDS, random)
