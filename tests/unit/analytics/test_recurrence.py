"""A linear recurrence over many series, against one series at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.groups import grouped
from volwatch.analytics.recurrence import linear


@given(counts=st.lists(st.integers(1, 5), max_size=5), seed=st.integers(0, 2**16))
def test_each_series_goes_its_own_way(counts: list[int], seed: int) -> None:
    random = np.random.Generator(np.random.PCG64(seed))
    groups = grouped(np.repeat(np.arange(len(counts)), counts))
    start, decay = random.normal(size=(2, len(counts))), random.random(groups.rows)
    added = random.normal(size=(2, groups.rows))
    values, last = linear(groups, start, groups.pack(decay), groups.pack(added))
    expected = np.empty_like(added)
    for slot, (head, count) in enumerate(zip(groups.heads.tolist(), counts, strict=True)):
        x = start[:, slot]
        for row in range(head, head + count):
            x = decay[row] * x + added[:, row]
            expected[:, row] = x
    np.testing.assert_array_equal(groups.unpack(values), expected)
    np.testing.assert_array_equal(last, expected[:, groups.last])
