"""What of the raw zone is lost, and what it gives more than before; the statements are tested on a real server."""

import numpy as np
import pytest

from tests.unit.warehouse.fakes import ScriptedCursor
from volwatch.warehouse.rebuild_ledger import Entry, Found, lost, mend_ledger


def found(key: str, first: int, last: int, fault: str | None = None) -> Found:
    offsets = np.arange(first, last + 1) if fault is None else np.empty(0, np.int64)
    return Found(key, 0, first, last, offsets, fault)


WHOLE = {"a": Entry(0, 9, 10, None), "b": Entry(10, 19, 10, None)}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ([found("a", 0, 9), found("b", 10, 19)], []),
        ([found("a", 0, 9)], ["b"]),
        ([found("a", 0, 9), found("b", 10, 19, "BAD_GZIP")], ["b"]),
        ([found("a", 0, 9), found("b", 10, 19, "BAD_GZIP"), found("c", 5, 19)], []),
        ([found("a", 0, 9), found("c", 5, 14), found("d", 15, 30)], []),
        ([found("a", 0, 9), found("c", 5, 14), found("d", 16, 30)], ["b"]),
        ([], ["a", "b"]),
    ],
)
def test_lost_is_what_was_loaded_and_no_object_has(now: list[Found], expected: list[str]) -> None:
    assert lost(WHOLE, now) == expected


def test_what_gave_nothing_cannot_be_lost() -> None:
    assert lost({"a": Entry(0, 9, 0, None), "b": Entry(10, 19, 0, "BAD_GZIP")}, []) == []


def mended(held: dict[str, Entry], now: list[Found]) -> tuple[int, list[object]]:
    asked = ScriptedCursor()
    count = mend_ledger(asked.cursor, held, now, position=100)
    return count, [parameters for _, parameters in asked.asked]


def test_an_object_that_can_be_read_after_all_counts_the_rows_that_no_other_has() -> None:
    held = WHOLE | {"c": Entry(15, 29, 0, "BAD_GZIP")}
    now = [found("a", 0, 9), found("b", 10, 19), found("c", 15, 29)]
    assert mended(held, now) == (1, [(15, 10, "c")])


def test_what_is_entered_still_broken_behind_the_position_or_brings_nothing_is_left() -> None:
    held = WHOLE | {"c": Entry(20, 29, 0, "BAD_GZIP")}
    now = [
        found("a", 0, 9),
        found("b", 10, 19),
        found("c", 20, 29, "BAD_GZIP"),
        found("again", 5, 14),
        found("behind", 95, 100),
    ]
    assert mended(held, now) == (0, [])
