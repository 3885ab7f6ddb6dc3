"""One notifier: a thread takes events from the outbox, one for each channel sends. Of several notifiers one works.

The locks belong to the sessions that do the work: whoever loses his session can neither claim nor settle any more.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import Transient
from volwatch.notifier.channels import Channel
from volwatch.notifier.distributor import distribute, wait_for_event
from volwatch.notifier.receiver import Receiver
from volwatch.notifier.sender import Sender
from volwatch.runtime import Health, Stop
from volwatch.settings import WarehouseSettings
from volwatch.warehouse import notifications

_log = structlog.get_logger()

_ROUND_SECONDS = 1.0
_MOST_FAILURES = 20
_MOST_PAUSE_SECONDS = 15.0
_FORGIVEN_SECONDS = 60.0
_OUTBOX_LOCK = "outbox"


class Notifier:
    """What one notifier does until it is asked to stop.

    Parameters
    ----------
    receivers : mapping
        The other end of each channel, by its name.
    random : callable
        Returns a number in [0, 1).
    now : callable
        The time of day, in epoch seconds.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(
        self,
        warehouse: WarehouseSettings,
        channels: Sequence[Channel],
        receivers: Mapping[str, Receiver],
        health: Health,
        random: Callable[[], float],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warehouse = warehouse
        self._channels = channels
        self._receivers = receivers
        self._health = health
        self._random = random
        self._now = now
        self._clock = clock
        self._wake = {channel.name: threading.Event() for channel in channels}

    def run(self, stop: Stop) -> None:
        """Work, or stand by for another notifier, until asked to stop; a message that is being sent is finished."""
        with ThreadPoolExecutor(len(self._channels), "channel") as threads:
            sending = [threads.submit(self._send, channel, stop) for channel in self._channels]
            try:
                self._in_sessions(stop, lambda connection: self._distribute(connection, stop))
            finally:
                stop.request()
                self._health.set_ready(False)
        for future in sending:
            future.result()

    def _distribute(self, connection: Connection, stop: Stop) -> None:
        self._health.set_ready(True)  # also while another works: it is replaced only by one that is ready
        if not self._stand_by(connection, _OUTBOX_LOCK, stop):
            return
        _log.info("notifier_active", channels=[channel.name for channel in self._channels])
        notifications.listen(connection)
        notifications.serve(connection, [(channel.name, channel.kind) for channel in self._channels])
        while not stop.requested:
            self._health.beat()
            if distribute(connection, self._channels):
                for wake in self._wake.values():
                    wake.set()
            else:
                wait_for_event(connection, _ROUND_SECONDS)

    def _send(self, channel: Channel, stop: Stop) -> None:
        sender = Sender(channel, self._receivers[channel.name], lambda: stop.requested, self._random, self._now)
        wake = self._wake[channel.name]

        def work(connection: Connection) -> None:
            self._stand_by(connection, channel.name, stop)
            while not stop.requested:
                wake.clear()
                if not sender.run_once(connection):
                    wake.wait(_ROUND_SECONDS)

        try:
            self._in_sessions(stop, work)
        except BaseException:
            stop.request()
            raise

    def _stand_by(self, connection: Connection, lock: str, stop: Stop) -> bool:
        """Wait until nobody else has the lock; return whether we have it, or were asked to stop meanwhile."""
        while not stop.requested:
            if notifications.try_lock(connection, lock):
                return True
            self._health.beat()
            stop.wait(_ROUND_SECONDS)
        return False

    def _in_sessions(self, stop: Stop, work: Callable[[Connection], None]) -> None:
        """Do the work in one session after another until asked to stop; raise when the warehouse stays away."""
        failures = 0
        while not stop.requested:
            began = self._clock()
            try:
                with notifications.session(self._warehouse) as connection:
                    work(connection)
            except Transient as error:
                failures = 1 if self._clock() - began > _FORGIVEN_SECONDS else failures + 1
                self._health.set_ready(False)
                _log.warning("warehouse_away", error=str(error), failures=failures)
                if failures >= _MOST_FAILURES:
                    raise
                self._health.beat()
                stop.wait(min(_MOST_PAUSE_SECONDS, 0.5 * 2.0**failures) * (0.5 + 0.5 * self._random()))
