"""Rows ordered by series, seen as groups and rank by rank, against plain lists."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.groups import grouped

COUNTS = st.lists(st.integers(1, 5), max_size=6)


@given(counts=COUNTS)
def test_groups_know_where_each_series_begins_and_ends(counts: list[int]) -> None:
    series = np.repeat(np.arange(len(counts)) * 3, counts)
    groups = grouped(series)
    assert groups.series.tolist() == [3 * number for number in range(len(counts))]
    assert groups.counts.tolist() == counts
    assert np.flatnonzero(groups.first).tolist() == groups.heads.tolist()
    assert groups.series[groups.slot].tolist() == series.tolist()
    assert series[groups.last].tolist() == groups.series.tolist()


@given(counts=COUNTS)
def test_ranks_take_the_first_of_each_series_then_the_second(counts: list[int]) -> None:
    groups = grouped(np.repeat(np.arange(len(counts)), counts))
    packed = groups.pack(np.arange(groups.rows, dtype=np.float64))
    order = groups.pack_series(np.arange(len(counts), dtype=np.float64)).astype(int).tolist()
    for rank, (begin, end) in enumerate(groups.ranks()):
        expected = [float(groups.heads[slot] + rank) for slot in order if counts[slot] > rank]
        assert packed[begin:end].tolist() == expected
    assert groups.unpack(packed).tolist() == list(range(groups.rows))
    assert groups.unpack_series(np.array(order, np.float64)).tolist() == list(range(len(counts)))
    assert groups.unpack(groups.pack(np.array([np.arange(groups.rows)] * 2, np.float64)))[1].tolist() == list(
        range(groups.rows)
    )


@given(counts=COUNTS, size=st.integers(1, 7))
def test_parts_are_whole_series_and_cover_all(counts: list[int], size: int) -> None:
    groups = grouped(np.repeat(np.arange(len(counts)), counts))
    seen: list[int] = []
    for rows, part in groups.parts(size):
        assert part.rows == rows.stop - rows.start == part.counts.sum()
        assert grouped(groups.series[groups.slot[rows]]).counts.tolist() == part.counts.tolist()
        seen += list(range(groups.rows))[rows]
    assert seen == list(range(groups.rows))


def test_the_row_before_the_first_is_what_was_known() -> None:
    groups = grouped(np.array([4, 4, 9]))
    assert groups.before(np.array([1.0, 2.0, 3.0]), np.array([-1.0, -2.0])).tolist() == [-1.0, 1.0, -2.0]


@given(counts=COUNTS, data=st.data())
def test_running_counts_go_on_from_where_they_stood(counts: list[int], data: st.DataObject) -> None:
    groups = grouped(np.repeat(np.arange(len(counts)), counts))
    marked = np.array(data.draw(st.lists(st.booleans(), min_size=groups.rows, max_size=groups.rows)), np.bool_)
    start = np.arange(len(counts)) * 10
    expected = []
    for slot, (head, count) in enumerate(zip(groups.heads.tolist(), counts, strict=True)):
        expected += (start[slot] + np.cumsum(marked[head : head + count])).tolist()
    assert groups.running(marked, start).tolist() == expected
