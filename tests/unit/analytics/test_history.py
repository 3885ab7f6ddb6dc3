"""Windows over what is kept and what is new, against plain lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.history import History, blocks, new_history, ranks, roll

Row = tuple[int, float, bool]
"""Series, value, and whether it becomes a term."""

WIDTH = 4
CALLS = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.floats(-9, 9), st.booleans()), max_size=8), min_size=1, max_size=4
)


def history(series: int) -> History:
    made = new_history(("value",), WIDTH)
    made.grow(series)
    return made


def windows_of(held: History, rows: list[Row], width: int) -> np.ndarray:
    """Return the windows behind rows ordered by series."""
    series = np.array([row[0] for row in rows], np.int64)
    values = {"value": np.array([row[1] for row in rows], np.float64)}
    counts = np.array([row[2] for row in rows], np.bool_)
    return roll(held, series, values, counts).window("value", width)


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
        np.testing.assert_array_equal(held.columns["value"], [plain[series][-WIDTH:] for series in range(3)])


def test_a_window_may_end_some_terms_before_the_newest() -> None:
    held = history(1)
    rolled = roll(held, np.zeros(3, np.int64), {"value": np.array([1.0, 2.0, 3.0])}, np.ones(3, np.bool_))
    np.testing.assert_array_equal(rolled.window("value", 2, slice(2, 3), back=1), [[1.0, 2.0]])


def test_growing_keeps_what_is_there() -> None:
    held = history(1)
    windows_of(held, [(0, 7.0, True)], 1)
    held.grow(2)
    np.testing.assert_array_equal(held.columns["value"], [[np.nan] * 3 + [7.0], [np.nan] * WIDTH])
    assert held.width == WIDTH


@pytest.mark.parametrize(("rows", "size"), [(0, 4), (1, 4), (8, 4), (9, 4)])
def test_blocks_cover_every_row_once(rows: int, size: int) -> None:
    covered = [row for block in blocks(rows, size) for row in range(rows)[block]]
    assert covered == list(range(rows))
    assert all(block.stop - block.start <= size for block in blocks(rows, size))


@given(counts=st.lists(st.integers(0, 5), max_size=5))
def test_ranks_take_the_first_of_each_series_then_the_second(counts: list[int]) -> None:
    series = np.repeat(np.arange(len(counts)), counts)
    taken = [rows.tolist() for rows in ranks(series)]
    starts = np.concatenate([[0], np.cumsum(counts)])
    expected = [
        [int(starts[index]) + rank for index, count in enumerate(counts) if count > rank]
        for rank in range(max(counts, default=0))
    ]
    assert taken == expected
