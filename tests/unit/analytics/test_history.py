"""The line of what is kept and what is new, against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.groups import grouped
from volwatch.analytics.history import History, blocks, line, new_history

Row = tuple[int, float, bool]
"""Series, value, and whether it becomes a term."""

WIDTH = 4
CALLS = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.floats(-9, 9), st.booleans()), max_size=8), min_size=1, max_size=4
)


def history(series: int) -> History:
    made = new_history(("value", "twice"), WIDTH)
    made.grow(series)
    return made


def windows_of(held: History, rows: list[Row], width: int) -> np.ndarray:
    """Return the windows behind rows ordered by series; the history keeps the new terms."""
    groups = grouped(np.array([row[0] for row in rows], np.int64))
    values = np.array([row[1] for row in rows], np.float64)
    made = line(held, groups, {"value": values, "twice": 2 * values}, np.array([row[2] for row in rows], np.bool_))
    made.keep(held, groups)
    np.testing.assert_array_equal(made.column("twice"), 2 * made.column("value"))
    return made.windows("value", width)


@settings(max_examples=40)
@given(calls=CALLS, width=st.integers(1, WIDTH))
def test_windows_equal_those_over_plain_lists(calls: list[list[Row]], width: int) -> None:
    held = history(3)
    plain: dict[int, list[float]] = {series: [np.nan] * WIDTH for series in range(3)}
    for call in calls:
        rows = sorted(call, key=lambda row: row[0])
        expected = []
        for series, value, becomes_term in rows:
            if becomes_term:
                plain[series].append(value)
            expected.append(plain[series][-width:])
        np.testing.assert_array_equal(windows_of(held, rows, width), np.array(expected).reshape(len(rows), width))
        np.testing.assert_array_equal(held.values[0], [plain[series][-WIDTH:] for series in range(3)])


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_a_line_of_all_rows_is_the_one_of_rows_that_all_count(counts: list[int]) -> None:
    groups = grouped(np.repeat(np.arange(len(counts)), counts))
    values = {name: np.arange(groups.rows, dtype=np.float64) for name in ("value", "twice")}
    whole, marked = (line(history(3), groups, values, mask) for mask in (None, np.ones(groups.rows, np.bool_)))
    np.testing.assert_array_equal(whole.values, marked.values)
    assert whole.newest.tolist() == marked.newest.tolist()
    assert whole.column("value")[whole.newest].tolist() == list(range(groups.rows))
    assert np.isnan(whole.column("value")[whole.heads]).all()


def test_growing_keeps_what_is_there() -> None:
    held = history(1)
    windows_of(held, [(0, 7.0, True)], 1)
    held.grow(2)
    np.testing.assert_array_equal(held.values[0], [[np.nan] * 3 + [7.0], [np.nan] * WIDTH])
    assert held.width == WIDTH


@pytest.mark.parametrize(("rows", "size"), [(0, 4), (1, 4), (8, 4), (9, 4)])
def test_blocks_cover_every_row_once(rows: int, size: int) -> None:
    covered = [row for block in blocks(rows, size) for row in range(rows)[block]]
    assert covered == list(range(rows))
    assert all(block.stop - block.start <= size for block in blocks(rows, size))
