"""Sums and variances by doubling, against windows cut out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics import windows
from volwatch.analytics.trades import Float64
from volwatch.analytics.windows import reach, window_counts, window_sums, window_variances

SIZES = st.sampled_from([1, 2, 3, 5, 20, 30, 63, 64])


def places_of(chain: Float64, heads: list[int], window: int, place: int) -> list[int]:
    """Return the places of the window that ends at one, found one by one."""
    head = max(start for start in heads if start <= place)
    found: list[int] = []
    while place >= head and len(found) < window and chain[place] == chain[found[0] if found else place]:
        found.append(place)
        place -= 1
    return found[::-1]


def made_line(seed: int) -> tuple[Float64, list[int], Float64, Float64]:
    """Return chains (NaN where there is no term), heads of series, values and weights."""
    random = np.random.Generator(np.random.PCG64(seed))
    chain = np.sort(random.integers(0, 4, 150)).astype(np.float64)
    heads = [0, 60, 61]
    chain[:7] = chain[60] = np.nan
    weights = random.integers(1, 4, 150) * (random.random(150) < 0.9)
    values = np.where(weights > 0, random.normal(size=150), 0.0)
    return chain, heads, values, weights.astype(np.float64)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), window=SIZES)
def test_every_window_is_summed_from_its_own_terms(seed: int, window: int) -> None:
    chain, heads, values, weights = made_line(seed)
    reached = reach(chain, np.array(heads), window)
    everywhere = np.arange(len(chain))
    sums = window_sums(np.stack([values, weights]), reached)
    squares, total = window_variances(values, weights, reached)
    marked = weights > 1
    counted = window_counts(marked, reached, everywhere)
    for place in everywhere:
        held = places_of(chain, heads, window, int(place))
        assert reached.length[place] == len(held)
        assert counted[place] == marked[held].sum()
        assert sums[:, place] == pytest.approx([values[held].sum(), weights[held].sum()], rel=1e-12, abs=1e-12)
        assert total[place] == weights[held].sum()
        mean = (weights[held] * values[held]).sum() / max(total[place], 1.0)
        assert squares[place] == pytest.approx((weights[held] * (values[held] - mean) ** 2).sum(), rel=1e-9, abs=1e-14)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), window=SIZES, block=st.integers(1, 80))
def test_blocks_do_not_show_in_the_bits(seed: int, window: int, block: int) -> None:
    chain, heads, values, weights = made_line(seed)
    reached = reach(chain, np.array(heads), window)
    whole = window_sums(values[None, :], reached), *window_variances(values, weights, reached)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "_BLOCK", block)
        parts = window_sums(values[None, :], reached), *window_variances(values, weights, reached)
    for one, other in zip(whole, parts, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_spike_that_left_the_window_leaves_nothing_behind() -> None:
    quiet = np.random.Generator(np.random.PCG64(1)).standard_normal(20) * 1e-9
    spiked = np.concatenate([[1e6], quiet])
    after, alone = (
        window_variances(values, np.ones(len(values)), reach(np.zeros(len(values)), np.zeros(1, np.int64), 20))[0][-1]
        for values in (spiked, quiet)
    )
    assert after == alone


def test_an_empty_line_has_no_windows() -> None:
    reached = reach(np.empty(0), np.empty(0, np.int64), 30)
    assert window_sums(np.empty((2, 0)), reached).shape == (2, 0)
    assert window_variances(np.empty(0), np.empty(0), reached)[0].shape == (0,)
