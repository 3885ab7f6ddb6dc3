"""From the outbox to the channels: each event is addressed to those that want it, in one transaction."""

import select
from collections.abc import Sequence

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.notifier.channels import Channel, after_opening, wants
from volwatch.warehouse import notifications
from volwatch.warehouse.notifications import Addressed, Taken

_log = structlog.get_logger()

_EVENTS_AT_ONCE = 500


def distribute(connection: Connection, channels: Sequence[Channel]) -> int:
    """Move the oldest events from the outbox to the channels; return how many."""
    with notifications.transaction(connection) as cursor:
        taken = notifications.take(cursor, _EVENTS_AT_ONCE)
        addressed = address(taken, channels)
        notifications.add(cursor, addressed)
    if taken:
        _log.info("events_taken", events=len(taken), addressed=len(addressed))
    return len(taken)


def address(taken: Sequence[Taken], channels: Sequence[Channel]) -> list[Addressed]:
    """Return who is told of what."""
    return [
        Addressed(channel.name, one, after_opening(channel, one.transition))
        for one in taken
        for channel in channels
        if wants(channel, one.transition)
    ]


def wait_for_event(connection: Connection, seconds: float) -> None:
    """Return when the outbox has got something, at the latest after some seconds."""
    if not connection.notifies and select.select([connection], [], [], seconds)[0]:
        connection.poll()
    connection.notifies.clear()
