"""Says on standard error how far long work is: a bar on a terminal that can draw, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")

QUIET_SECONDS = 0.5
"""Work that takes no longer is not spoken of."""
LINE_SECONDS = 5.0
"""Between the lines of a log, which nobody watches."""


def progress(
    items: Iterable[Item],
    label: str,
    *,
    total: int | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Yield the items, and tell how many of them are done.

    Parameters
    ----------
    items : iterable
        What is worked through; ``range(total)`` where there is only a number.
    total : int, optional
        How many there are, where the items have no length.
    """
    console = console or Console(stderr=True)
    count = len(items) if total is None and isinstance(items, Sized) else total
    draws = console.is_terminal and not console.is_dumb_terminal
    yield from (_bar if draws else _lines)(items, label, count, console, clock)


def _bar(
    items: Iterable[Item], label: str, total: int | None, console: Console, clock: Callable[[], float]
) -> Iterator[Item]:
    begun = clock()
    bar = Progress(console=console, transient=True)
    task = bar.add_task(label, total=total)
    try:
        for done, item in enumerate(items):
            if clock() - begun >= QUIET_SECONDS:
                bar.start()
                bar.update(task, completed=done)
            yield item
    finally:
        bar.stop()


def _lines(
    items: Iterable[Item], label: str, total: int | None, console: Console, clock: Callable[[], float]
) -> Iterator[Item]:
    due = clock() + LINE_SECONDS
    for done, item in enumerate(items):
        if clock() >= due:
            of_all = f" of {total:,} ({done / total:.0%})" if total else ""
            console.print(f"{label}: {done:,}{of_all}", highlight=False, soft_wrap=True)
            due += LINE_SECONDS
        yield item
