"""The outbox: alert events on their way to the channels. What the notifier reads and writes in the warehouse."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same
from psycopg2.extras import execute_values

from volwatch.alert_transition import AlertTransition, Delivery, decode, encode, idempotency_key
from volwatch.errors import Transient
from volwatch.settings import WarehouseSettings
from volwatch.warehouse import notification_statements as statements
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-notifier"
WAKE = "volwatch_notifications"
LOCK_KEY = 0x766F6C6E  # "voln"
_STATEMENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A transition from the outbox; ``told`` is false while nobody is to hear of its alert."""

    transition: AlertTransition
    group_key: str
    queued_at: datetime
    told: bool


@dataclass(frozen=True, slots=True)
class Addressed:
    """A transition for a channel; ``opened_first``: only if the channel was told that the alert opened."""

    channel: str
    taken: Taken
    opened_first: bool


@contextmanager
def session(settings: WarehouseSettings) -> Iterator[Connection]:
    """Yield a connection in autocommit mode.

    Raises
    ------
    Transient
        The server cannot be reached, or went away meanwhile.
    """
    with closing(
        connect(settings, application_name=APPLICATION_NAME, statement_timeout_seconds=_STATEMENT_SECONDS)
    ) as connection:
        connection.autocommit = True
        try:
            _notice_when_we_are_gone(connection)
            yield connection
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise Transient(f"PostgreSQL at {settings.host}:{settings.port}: {str(error).strip()}") from error


def _notice_when_we_are_gone(connection: Connection) -> None:
    """Let the server end the session, and with it its locks, within half a minute after our machine fell silent."""
    with connection.cursor() as cursor:
        cursor.execute("SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3")


@contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """Yield a cursor whose statements count together or not at all."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")  # the session commits each statement by itself otherwise
        try:
            yield cursor
        except BaseException:
            if not connection.closed:
                cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


def try_lock(connection: Connection, name: str) -> bool:
    """Return whether this session alone has what the name stands for, from now on until it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK_KEY, name))
        return cursor.fetchone() == (True,)


def listen(connection: Connection) -> None:
    """Let the session be told when the outbox gets something."""
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {WAKE}")


def serve(connection: Connection, channels: Sequence[tuple[str, str]]) -> None:
    """Note that channels, names with kinds, are served; a new one tells of what happens from now on."""
    with connection.cursor() as cursor:
        for channel, kind in channels:
            cursor.execute(statements.SERVE, {"channel": channel, "kind": kind})


def take(cursor: Cursor, limit: int) -> list[Taken]:
    """Take the oldest events out of the outbox; the caller's transaction must address them."""
    cursor.execute(statements.TAKE, {"limit": limit})
    return [_taken(row) for row in cursor.fetchall()]


def add(cursor: Cursor, addressed: Sequence[Addressed]) -> None:
    """Let transitions wait for their channels, each once: openings first, then what needs them."""
    for second in (False, True):
        rows = [_row(one) for one in addressed if one.opened_first == second]
        execute_values(cursor, statements.ADD, rows, statements.ADDED) if rows else None


def waiting(connection: Connection, channel: str, limit: int, loud: Sequence[str] | None) -> list[Delivery]:
    """Return what waits for a channel: first what was tried, whole, then the rest in the order of the events.

    Parameters
    ----------
    loud : sequence of str or None
        Only alerts of which something of these severities waits; None: all.
    """
    asked = {"channel": channel, "limit": limit, "loud": None if loud is None else list(loud)}
    rows = _rows(connection, statements.WAITING, asked)
    return [
        Delivery(decode(text.encode()), group_key, queued_at, message_id, doubtful, attempts, tuple(fired))
        for text, group_key, queued_at, message_id, doubtful, attempts, fired in rows
    ]


def waiting_rows(connection: Connection, channel: str) -> int:
    """Return how many deliveries wait for a channel."""
    return int(_rows(connection, statements.WAITING_ROWS, {"channel": channel})[0][0])


def firing(connection: Connection, channel: str) -> list[AlertTransition]:
    """Return the alerts that a channel was told of and that have not ended, each as it was told last."""
    rows = _rows(connection, statements.FIRING, {"channel": channel})
    return [decode(text.encode()) for (text,) in rows]


def sent_since(connection: Connection, channel: str, since: datetime) -> list[datetime]:
    """Return when messages were sent on a channel after a time, in order."""
    return [at for (at,) in _rows(connection, statements.SENT_SINCE, {"channel": channel, "since": since})]


def claim(connection: Connection, channel: str, message_id: str, keys: Sequence[str]) -> None:
    """Write down that a message is about to be sent: whoever finds this unsettled knows that it may have been."""
    _do(connection, statements.CLAIM, {"channel": channel, "message_id": message_id, "keys": list(keys)})


def settle(connection: Connection, channel: str, message_id: str, state: str, error: str | None = None) -> None:
    """Write down how sending a message ended: SENT, REFUSED for good, or WAITING for the next attempt."""
    told = {"channel": channel, "message_id": message_id, "state": state, "error": error}
    _do(connection, statements.SETTLE, told)


def report(
    connection: Connection, channel: str, *, up: bool, failures: int, pause_seconds: float, error: str | None
) -> None:
    """Tell the dashboard how a channel fares."""
    told = {"channel": channel, "up": up, "failures": failures, "pause_seconds": pause_seconds, "error": error}
    _do(connection, statements.REPORT, told)


def forget(cursor: Cursor, before: datetime) -> int:
    """Let go of what was queued before a time, told or not; return how many rows went."""
    cursor.execute("SELECT forget_notifications(%s)", (before,))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _do(connection: Connection, statement: str, parameters: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def _rows(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _taken(row: tuple[Any, ...]) -> Taken:
    event_id, alert_id, event, severity, happened_at, actor, detail, *about, queued_at, told, turn = row
    source, symbol, kind, detector, onset_bar, *numbers, sentence, market_alert_id = about
    statistic, threshold, volatility, expected_volatility, ratio = numbers
    transition = AlertTransition(
        key=idempotency_key(alert_id, event, severity, event_id, turn),
        event_id=event_id,
        alert_id=alert_id,
        event=event,
        severity=severity,
        happened_at=_epoch_ms(happened_at),
        actor=actor,
        detail=detail,
        source=source,
        symbol=symbol,
        kind=kind,
        detector=detector,
        onset_bar=_epoch_ms(onset_bar),
        statistic=statistic,
        threshold=threshold,
        volatility=volatility,
        expected_volatility=expected_volatility,
        ratio=ratio,
        sentence=sentence,
        market_alert_id=market_alert_id,
    )
    group_key = alert_id if kind == "MARKET" else market_alert_id or ""
    return Taken(transition, group_key, queued_at, told)


def _row(one: Addressed) -> tuple[object, ...]:
    step = one.taken.transition
    state = "WAITING" if one.taken.told or one.opened_first else "SUPPRESSED"
    return (
        one.channel,
        step.key,
        step.event_id,
        step.alert_id,
        step.event,
        one.taken.group_key,
        encode(step).decode(),
        state,
        one.taken.queued_at,
        one.opened_first,
    )


def _epoch_ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
