"""Waits that end, while the processes are kept running."""

import time
from collections.abc import Callable

from tests.faults.supervisor import Supervisor

_LOOK_SECONDS = 0.1


class Stuck(Exception):
    """The platform did not come so far as it must."""


def wait_until(condition: Callable[[], bool], supervisor: Supervisor, what: str, seconds: float) -> None:
    """Return when the condition holds; keep the processes running meanwhile.

    Raises
    ------
    Stuck
        It did not hold in time.
    """
    deadline = time.monotonic() + seconds
    supervisor.look()
    while not condition():
        if time.monotonic() > deadline:
            raise Stuck(f"not within {seconds:.0f} s: {what}")
        time.sleep(_LOOK_SECONDS)  # other processes bring it about, and tell nobody
        supervisor.look()
