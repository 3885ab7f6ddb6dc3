"""How the actions of ``volwatch alerts`` reach the warehouse, and the alert that a person names by a short id."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import BadInput, VolwatchError
from volwatch.settings import WarehouseSettings, load_one
from volwatch.warehouse import alert_reader
from volwatch.warehouse.connection import connect
from volwatch.warehouse.readings import Alert

APPLICATION_NAME = "volwatch-alerts"
SHORT_ID_DIGITS = 8
ID_HELP = "the alert's id, or at least six digits of its beginning"
_ID = re.compile(r"[0-9a-f]{6,32}", re.ASCII)
_MOST_TOLD = 5


class NothingDone(VolwatchError):
    """What was asked for is not there, or is as asked already: say so, exit code 1."""


@contextmanager
def warehouse() -> Iterator[Cursor]:
    """Lend a cursor of one transaction, which is committed at the end unless something is raised."""
    settings = load_one(WarehouseSettings)
    with (
        closing(connect(settings, application_name=APPLICATION_NAME)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def digits_of(text: str) -> str:
    """Return the hexadecimal digits of an id or of its beginning.

    Raises
    ------
    BadInput
        It is neither.
    """
    digits = text.strip().lower().replace("-", "")
    if not _ID.fullmatch(digits):
        raise BadInput([f"ID: {ID_HELP}, not {text!r}"])
    return digits


def named(cursor: Cursor, text: str) -> Alert:
    """Return the alert of an id or of the beginning of one.

    Raises
    ------
    BadInput
        It is no id, or that of several alerts.
    NothingDone
        There is no such alert.
    """
    ids = alert_reader.ids_like(cursor, digits_of(text), _MOST_TOLD)
    if len(ids) > 1:
        raise BadInput([f"ID: {text} begins several ids, give more digits: {', '.join(ids)}"])
    found = alert_reader.alert(cursor, ids[0]) if ids else None
    if found is None:
        raise NothingDone(f"there is no alert of the id {text}")
    return found
