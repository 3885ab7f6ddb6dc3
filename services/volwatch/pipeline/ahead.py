"""Work that threads do ahead of the one who takes what comes of it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 2
"""Items a worker: one that it is at, and one to begin with when the caller is slow to take a result."""

_T = TypeVar("_T")
_U = TypeVar("_U")


def in_order(workers: int, work: Callable[[_T], _U], items: Iterable[_T]) -> Generator[_U, None, None]:
    """Yield what becomes of items, in their order, while so many workers are at those that follow.

    The caller's thread takes the items, no more than ``AHEAD`` for each worker before it is given the first result.
    What work raises is raised in its place; then, and when the generator is closed, nothing more is begun.
    """
    threads = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    waiting: deque[Future[_U]] = deque()
    try:
        for item in items:
            waiting.append(threads.submit(work, item))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
