"""Alerts as a person asks for them by hand: by a short id, with everything that is known of one."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.warehouse import alert_statements as statements
from volwatch.warehouse.readings import Alert, AlertFilter, ListedAlert, Silence

_ID_DIGITS = 32
_HELD = (
    "SELECT alert_id::text FROM stock_alerts WHERE alert_id BETWEEN %s::uuid AND %s::uuid ORDER BY alert_id LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Event:
    """A step in the life of an alert, or what a person did; fields as the columns of ``alert_events``."""

    happened_at: datetime
    event: str
    severity: str | None
    bar_start: datetime | None
    actor: str
    detail: str | None


def ids_like(cursor: Cursor, prefix: str, limit: int) -> list[str]:
    """Return the ids that begin with some hexadecimal digits, at most so many."""
    ends = (str(uuid.UUID(prefix.ljust(_ID_DIGITS, digit))) for digit in "0f")
    cursor.execute(_HELD, (*ends, limit))
    return [name for (name,) in cursor.fetchall()]


def alerts(cursor: Cursor, asked: AlertFilter, limit: int) -> list[ListedAlert]:
    """Return the newest alerts that pass the filter, newest first."""
    cursor.execute(statements.ALERTS, statements.filter_parameters(asked, limit))
    return [ListedAlert(*row) for row in cursor.fetchall()]


def alert(cursor: Cursor, alert_id: str) -> Alert | None:
    """Return one alert, or None when there is none of this id."""
    cursor.execute(statements.ALERT, {"alert_id": alert_id})
    row = cursor.fetchone()
    return None if row is None else Alert(*row)


def events(cursor: Cursor, alert_id: str, limit: int) -> list[Event]:
    """Return what happened to an alert, oldest first; of more than so many the newest."""
    cursor.execute(statements.ALERT_EVENTS, {"alert_id": alert_id, "limit": limit})
    return [Event(*row) for row in reversed(cursor.fetchall())]


def linked(cursor: Cursor, alert_id: str, limit: int) -> list[ListedAlert]:
    """Return the alert of the market that an alert belongs to, or those that belong to it, newest first."""
    cursor.execute(statements.LINKED, {"alert_id": alert_id, "limit": limit})
    return [ListedAlert(*row) for row in cursor.fetchall()]


def silences(cursor: Cursor, limit: int, *, over: bool = False, of_alert: str | None = None) -> list[Silence]:
    """Return silences, the newest first: those that are not over, or all; where an alert is named, those that hold it.

    Parameters
    ----------
    over : bool
        Whether those that are over are among them.
    of_alert : str or None
        Only those that silence this alert now.
    """
    cursor.execute(statements.SILENCES, {"over": over, "alert_id": of_alert, "limit": limit})
    return [Silence(*row) for row in cursor.fetchall()]
