"""One channel's own loop: what waits is claimed, sent, settled. A claim that was never settled is sent again.

Before a message goes out its claim is written down, with the id that it has at every attempt. So after a kill in
between the same message goes out again under the same id, by which a receiver can tell; people are told of the doubt.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch import metrics
from volwatch.errors import Transient
from volwatch.notifier.backoff import DEAD_AFTER_FAILURES, pause_seconds
from volwatch.notifier.channels import Channel
from volwatch.notifier.message import Message
from volwatch.notifier.planning import plan, policy_of
from volwatch.notifier.receiver import Receiver, Refused
from volwatch.warehouse import notifications

_log = structlog.get_logger()

_READ_AT_ONCE = 500
_MINUTE = timedelta(minutes=1)


class Sender:
    """Tells one channel.

    Parameters
    ----------
    stopped : callable
        Returns whether to begin no further message.
    random : callable
        Returns a number in [0, 1).
    now : callable
        The time of day, in epoch seconds.
    """

    def __init__(
        self,
        channel: Channel,
        receiver: Receiver,
        stopped: Callable[[], bool],
        random: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._name = channel.name
        self._policy = policy_of(channel)
        self._receiver = receiver
        self._stopped = stopped
        self._random = random
        self._now = now
        self._failures = 0
        self._not_before = 0.0
        self._refreshed_at = 0.0

    def run_once(self, connection: Connection) -> bool:
        """Send what is due, unless the channel is being left alone after a failure; return whether to go on at once.

        Parameters
        ----------
        connection : connection
            In autocommit mode; its session holds the lock of the channel.
        """
        metrics.notifier_channel_up.labels(self._name).set(self._failures < DEAD_AFTER_FAILURES)
        metrics.notifier_queue_rows.labels(self._name).set(notifications.waiting_rows(connection, self._name))
        if self._now() < self._not_before:
            return False
        due = self._due(connection)
        for message in due:
            if self._stopped() or not self._tell(connection, message):
                return False
        self._refresh(connection)
        return due != []

    def _due(self, connection: Connection) -> list[Message]:
        now = datetime.fromtimestamp(self._now(), UTC)
        quiet_hours = self._policy.quiet_hours
        # What is held for hours must not stand before what may go out.
        loud = None if quiet_hours is None else quiet_hours.loud(now)
        waiting = notifications.waiting(connection, self._name, _READ_AT_ONCE, loud)
        if not waiting:
            return []
        sent = []
        if self._policy.rate_per_minute is not None:
            sent = notifications.sent_since(connection, self._name, now - _MINUTE)
        return plan(self._policy, waiting, sent, now)

    def _tell(self, connection: Connection, message: Message) -> bool:
        """Claim, send, settle; return whether the channel takes more."""
        notifications.claim(connection, self._name, message.message_id, message.keys)
        try:
            self._receiver.send(message)
        except Refused as error:
            self._settle(connection, message, "REFUSED", str(error))
            _log.error("notification_refused", channel=self._name, keys=message.keys, error=str(error))
            return True
        except Transient as error:
            self._settle(connection, message, "WAITING", str(error))
            self._fail(connection, str(error))
            return False
        self._settle(connection, message, "SENT", None)
        self._succeed(connection)
        for delivery in message.deliveries:
            metrics.notifier_delivery_seconds.labels(self._name).observe(
                max(0.0, self._now() - delivery.queued_at.timestamp())
            )
        _log.info("notification_sent", channel=self._name, message=message.message_id, keys=message.keys)
        return True

    def _settle(self, connection: Connection, message: Message, state: str, error: str | None) -> None:
        notifications.settle(connection, self._name, message.message_id, state, error)
        outcome = "failed" if state == "WAITING" else state.lower()
        metrics.notifier_sent_total.labels(self._name, outcome).inc()

    def _refresh(self, connection: Connection) -> None:
        every = self._receiver.refresh_seconds
        if every is None or self._now() < self._refreshed_at + every:
            return
        firing = notifications.firing(connection, self._name)
        try:
            if firing:
                self._receiver.refresh(firing)
        except (Transient, Refused) as error:
            self._fail(connection, str(error))
            return
        self._refreshed_at = self._now()
        if firing:
            self._succeed(connection)

    def _succeed(self, connection: Connection) -> None:
        if self._failures:
            _log.info("channel_back", channel=self._name, failures=self._failures)
        self._failures = 0
        metrics.notifier_channel_up.labels(self._name).set(1)
        metrics.notifier_last_success_timestamp_seconds.labels(self._name).set(self._now())
        notifications.report(connection, self._name, up=True, failures=0, pause_seconds=0, error=None)

    def _fail(self, connection: Connection, error: str) -> None:
        self._failures += 1
        pause = pause_seconds(self._failures, self._random)
        self._not_before = self._now() + pause
        up = self._failures < DEAD_AFTER_FAILURES
        metrics.notifier_channel_up.labels(self._name).set(up)
        _log.warning(
            "channel_failed", channel=self._name, error=error, failures=self._failures, pause_seconds=round(pause, 1)
        )
        notifications.report(connection, self._name, up=up, failures=self._failures, pause_seconds=pause, error=error)
