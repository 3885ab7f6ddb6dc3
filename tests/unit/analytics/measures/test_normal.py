"""The normal distribution against tables, and where it usually loses its digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.measures import normal


def test_tails_have_the_digits_of_the_tables() -> None:
    """1 − Φ(3) and 1 − Φ(10), as Abramowitz & Stegun have them."""
    assert normal.upper_tail(np.array([3.0, 10.0])) == pytest.approx(
        [1.3498980316300946e-3, 7.619853024160527e-24], rel=1e-14
    )
    assert normal.cumulative(np.array([[-3.0]])).tolist() == normal.upper_tail(np.array([[3.0]])).tolist()


def test_quantile_and_density_have_the_digits_of_the_tables() -> None:
    assert normal.quantile(0.95) == pytest.approx(1.6448536269514722, rel=1e-14)
    assert normal.density(0.0) == pytest.approx(0.3989422804014327, rel=1e-14)


@given(probability=st.floats(1e-6, 1 - 1e-6))
def test_the_quantile_is_the_way_back(probability: float) -> None:
    assert normal.cumulative(np.array([normal.quantile(probability)]))[0] == pytest.approx(probability, rel=1e-9)


def test_nan_and_nothing_go_through() -> None:
    assert np.isnan(normal.upper_tail(np.array([np.nan]))).tolist() == [True]
    assert normal.cumulative(np.empty((0, 2))).shape == (0, 2)
