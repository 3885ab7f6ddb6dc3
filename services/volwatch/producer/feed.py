"""The feed: a thread that keeps a connection to Finnhub and queues what comes; ``finnhub_source.py`` reads the queue.

The queue is bounded. While it is full the thread does not read from its connection, which slows the server down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Thread
from typing import Protocol

import msgspec
import structlog

from volwatch import metrics
from volwatch.producer.reconnection import Reconnection
from volwatch.producer.websocket import Connect, Connection, Lost

_log = structlog.get_logger()

SILENCE_SECONDS = 120.0
"""Without any message, pings included, of which Finnhub sends one about every minute."""
_RECEIVE_SECONDS = 1.0
_FULL_WAIT_SECONDS = 0.05
_ROOM = 10_000


class Stopping(Protocol):
    """The part of ``runtime.Stop`` that is used here."""

    @property
    def requested(self) -> bool:
        """Whether it is time to finish."""

    def wait(self, seconds: float) -> bool:
        """Sleep, less when asked to stop; return whether it was asked."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it came, and when, epoch milliseconds."""

    message: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class Opened:
    """From now on, epoch milliseconds, the feed can see all its symbols; before, it could not."""

    received_at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The feed has ended for good, and why."""

    error: Exception


Item = Arrived | Opened | Failed


class Feed:
    """Connects, subscribes and queues, again and again until a stop is wanted.

    Parameters
    ----------
    connect : callable
        Opens a connection.
    symbols : sequence of str
        To be subscribed.
    stop : Stopping
        Asked all the time, and slept in.
    clock : callable
        Seconds since the epoch.
    monotonic : callable
        Seconds of a clock that nobody sets.
    random : callable
        Returns a number in [0, 1).
    room : int
        Most items in the queue.
    """

    def __init__(
        self,
        connect: Connect,
        symbols: Sequence[str],
        stop: Stopping,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        room: int = _ROOM,
    ) -> None:
        self._connect = connect
        self._symbols = symbols
        self._stop = stop
        self._clock = clock
        self._monotonic = monotonic
        self._reconnection = Reconnection(random)
        self._queue: Queue[Item] = Queue(room)
        self._latest_ms = 0

    def start(self) -> Thread:
        """Run in a thread of its own, which does not keep the process alive; return it."""
        thread = Thread(target=self.run, name="feed", daemon=True)
        thread.start()
        return thread

    def run(self) -> None:
        """Keep connected until a stop is wanted, or until an error that another try does not mend."""
        try:
            while not self._stop.requested:
                self._stop.wait(self._connect_once())
        except Exception as error:  # none may end the thread unseen: the reader of the queue raises it
            self._put(Failed(error))

    def take(self) -> Item | None:
        """Return the next item without waiting; None when there is none now."""
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def _connect_once(self) -> float:
        """Queue what one connection gives until its end; return how many seconds to wait before the next."""
        opened_at: float | None = None
        try:
            with self._connect() as connection:
                opened_at = self._monotonic()
                self._subscribe(connection)
                self._receive(connection)
        except Lost as lost:
            held = 0.0 if opened_at is None else self._monotonic() - opened_at
            pause = self._reconnection.wait_seconds(held, lost.told_seconds)
            metrics.producer_feed_losses_total.inc()
            _log.warning("feed_lost", reason=str(lost), held_seconds=round(held, 1), wait_seconds=round(pause, 1))
            return pause
        return 0.0

    def _subscribe(self, connection: Connection) -> None:
        for symbol in self._symbols:
            connection.send(msgspec.json.encode({"type": "subscribe", "symbol": symbol}).decode())
        self._put(Opened(self._now_ms()))
        _log.info("feed_opened", symbols=len(self._symbols))

    def _receive(self, connection: Connection) -> None:
        heard_at = self._monotonic()
        while not self._stop.requested:
            message = connection.receive(_RECEIVE_SECONDS)
            if message is not None:
                self._put(Arrived(message, self._now_ms()))
                heard_at = self._monotonic()  # after the wait for room, during which nothing could be heard
            elif self._monotonic() - heard_at >= SILENCE_SECONDS:
                raise Lost(f"no message for {SILENCE_SECONDS:g} s")

    def _now_ms(self) -> int:
        """Return the time, and never an earlier one than before: times of arrival are in order even if a clock is
        set back."""
        self._latest_ms = max(self._latest_ms, int(self._clock() * 1_000))
        return self._latest_ms

    def _put(self, item: Item) -> None:
        """Queue an item, waiting for room where there is none; once a stop is wanted, nobody reads any more."""
        waited = False
        while not self._stop.requested:
            try:
                return self._queue.put_nowait(item)
            except Full:
                if not waited:
                    metrics.producer_feed_waits_total.inc()
                waited = True
                self._stop.wait(_FULL_WAIT_SECONDS)
        return None
