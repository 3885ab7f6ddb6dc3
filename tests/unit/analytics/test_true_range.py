"""The true range of a bar: by hand, and that it can only grow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.true_range import HALF_TICK, least_range, true_log_range


def test_the_true_range_by_hand() -> None:
    """From a close of 100 to a low of 110: ln(121/100) over four minutes; and half a cent where a price stood still."""
    reference = np.array([100.0, 50.0])
    least = least_range(reference, np.zeros(2, np.bool_))
    answer = true_log_range(np.array([121.0, 50.0]), np.array([110.0, 50.0]), reference, np.array([4.0, 1]), least)
    assert answer.tolist() == pytest.approx([math.log(math.log(1.21) / 2), math.log(HALF_TICK / 50.0)], rel=1e-14)


def test_the_least_range_is_half_a_tick_of_the_market() -> None:
    """Half a cent of 50, half a hundredth of a cent of 0.5; half a pipette of a currency pair near 1, of any coin."""
    reference = np.array([50.0, 0.5, 1.08, 60_000.0])
    assert least_range(reference, np.array([False, False, True, True])).tolist() == [1e-4, 1e-4, 5e-6, 5e-6]


@given(
    high=st.floats(100, 200),
    low=st.floats(50, 100),
    reference=st.floats(40, 250),
    further=st.floats(1, 400),
)
def test_a_further_trade_can_only_widen_the_range(high: float, low: float, reference: float, further: float) -> None:
    before, after = (
        true_log_range(np.array([h]), np.array([low_]), np.array([reference]), np.ones(1), 1e-4)[0]
        for h, low_ in ((high, low), (max(high, further), min(low, further)))
    )
    assert after >= before
