"""What people do about alerts, through the functions that alone may do it; each act leaves who and when behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import BadInput

_ACKNOWLEDGE = "SELECT acknowledge_alert(%(alert_id)s::uuid, %(person)s, %(remark)s)"
_ANNOTATE = "SELECT annotate_alert(%(alert_id)s::uuid, %(person)s, %(remark)s)"
_MARK = "SELECT mark_false_positive(%(alert_id)s::uuid, %(person)s, %(remark)s, %(is_false)s)"
_SILENCE = """
SELECT silence_alerts(%(person)s, %(reason)s, %(source)s, %(symbol)s, %(kind)s, %(starts_at)s, %(ends_at)s,
    %(everything)s)
"""
_END = "SELECT end_silence(%(silence_id)s, %(person)s)"


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which alerts a silence is: those that agree in all that is named here, or every one.

    Attributes
    ----------
    everything : bool
        Whether it is of every alert; then nothing is named.
    """

    source: str | None = None
    symbol: str | None = None
    kind: str | None = None
    everything: bool = False


def acknowledge(cursor: Cursor, alert_id: str, person: str, remark: str | None) -> bool:
    """Record that a person has seen an alert; False when somebody already had, or there is no such alert."""
    return bool(_act(cursor, _ACKNOWLEDGE, alert_id=alert_id, person=person, remark=remark))


def annotate(cursor: Cursor, alert_id: str, person: str, remark: str) -> bool:
    """Write a note to an alert; False when there is no such alert."""
    return bool(_act(cursor, _ANNOTATE, alert_id=alert_id, person=person, remark=remark))


def mark_false_positive(cursor: Cursor, alert_id: str, person: str, remark: str | None, *, is_false: bool) -> bool:
    """Record, or withdraw, that an alert was none; False when that is so already, or there is no such alert."""
    return bool(_act(cursor, _MARK, alert_id=alert_id, person=person, remark=remark, is_false=is_false))


def silence(
    cursor: Cursor, person: str, reason: str, scope: Scope, ends_at: datetime, starts_at: datetime | None = None
) -> int:
    """Let alerts of a scope not be told until a time, from another one on or from now; return the silence's number."""
    told = {"person": person, "reason": reason, "starts_at": starts_at, "ends_at": ends_at}
    return int(str(_act(cursor, _SILENCE, **asdict(scope), **told)))


def end_silence(cursor: Cursor, silence_id: int, person: str) -> bool:
    """End a silence before its time; False when it is over, or there is none of this number."""
    return bool(_act(cursor, _END, silence_id=silence_id, person=person))


def _act(cursor: Cursor, statement: str, **given: object) -> object:
    with _refusals():
        cursor.execute(statement, given)
    row = cursor.fetchone()
    return row and row[0]


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a function refuses into what a person can read.

    Raises
    ------
    BadInput
        The function did not take what it was given; nothing was written.
    """
    try:
        yield
    except errors.InvalidParameterValue as error:
        raise BadInput([str(error.diag.message_primary)]) from error
    except errors.NumericValueOutOfRange as error:
        raise BadInput(["there is no such number"]) from error
