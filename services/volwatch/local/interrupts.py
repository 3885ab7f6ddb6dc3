"""Signals of the process that runs the stack: the first one stops it, and nothing cuts the stopping short."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], None] | signal.Handlers

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first of Ctrl-C, SIGTERM and SIGHUP raise ``KeyboardInterrupt`` within, and ignore the later ones."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    with _handled_by(interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the signals within; only the main thread can, and only there they would arrive."""
    if threading.current_thread() is threading.main_thread():
        with _handled_by(signal.SIG_IGN):
            yield
    else:
        yield


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    before = {each: signal.signal(each, handler) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, earlier in before.items():
            signal.signal(each, earlier)
