"""The statements about quarantine: what they are asked with, and what their rows become."""

from tests.unit.operations.quarantined import MINUTE, set_aside
from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.warehouse import quarantine
from volwatch.warehouse.quarantine import SetAside, Wanted


def test_rows_are_asked_for_by_what_is_wanted() -> None:
    row = set_aside()
    cursor = ScriptedCursor([tuple(getattr(row, name) for name in SetAside.__slots__)])
    assert quarantine.rows(cursor.cursor, Wanted(ids=(41,), reason="LATE", since=MINUTE, retried=False), 7) == [row]
    [(_, parameters)] = cursor.asked
    assert parameters == {
        "ids": [41],
        "reason": "LATE",
        "symbol": None,
        "since": MINUTE,
        "retried": False,
        "limit": 7,
    }


def test_those_that_were_sent_before_are_locked_and_left_out_unless_asked_for() -> None:
    held = [(1, False), (2, True)]
    assert quarantine.lock(ScriptedCursor(held).cursor, [1, 2], retried=False) == {1}
    assert quarantine.lock(ScriptedCursor(held).cursor, [1, 2], retried=True) == {1, 2}
