"""Moments of windows by hand, against the textbook's sums, and where there is nothing to measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from volwatch.analytics.measures.moments import autocorrelation, moments
from volwatch.analytics.trades import Bool, Float64


def all_of(values: Float64) -> Bool:
    return np.ones(values.shape, np.bool_)


def test_moments_by_hand() -> None:
    """Of 0, 0, 3 around 1: squares 1, 1, 4; cubes −1, −1, 8; fourth powers 1, 1, 16."""
    values = np.array([[0.0, 0.0, 3.0]])
    found = moments(values, all_of(values))
    assert (found.n.tolist(), found.mean.tolist()) == ([3], [1.0])
    assert found.deviation == pytest.approx([np.sqrt(6 / 2)], rel=1e-14)
    assert found.skewness == pytest.approx([(6 / 3) / (6 / 3) ** 1.5], rel=1e-14)
    assert found.kurtosis == pytest.approx([(18 / 3) / (6 / 3) ** 2], rel=1e-14)


@given(
    values=arrays(np.float64, (3, 12), elements=st.floats(-1, 1).map(lambda value: round(value, 4))),
    counts=arrays(np.bool_, (3, 12)),
)
def test_moments_are_the_textbooks_of_what_counts(values: Float64, counts: Bool) -> None:
    found = moments(np.where(counts, values, np.nan), counts)
    for row in range(3):
        held = values[row][counts[row]]
        assert found.n[row] == len(held)
        if len(held) >= 2 and np.ptp(held) > 1e-3:
            deviations = held - held.mean()
            spread = np.mean(deviations**2)
            expected = [held.std(ddof=1), np.mean(deviations**3) / spread**1.5, np.mean(deviations**4) / spread**2]
            ours = [found.deviation[row], found.skewness[row], found.kurtosis[row]]
            assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_moments_have_no_scale() -> None:
    values = np.array([[1.0, 2.0, 4.0, 8.0]])
    once, tiny = (moments(values * scale, all_of(values)) for scale in (1.0, 2.0**-600))
    assert (tiny.skewness.tolist(), tiny.kurtosis.tolist()) == (once.skewness.tolist(), once.kurtosis.tolist())
    assert tiny.deviation.tolist() == (once.deviation * 2.0**-600).tolist()


def test_without_spread_or_terms_they_are_nan_and_never_infinite() -> None:
    values = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
    counts = np.array([[True, True, True], [False, False, False]])
    found = moments(values, counts)
    assert np.isnan(found.skewness).tolist() == np.isnan(found.kurtosis).tolist() == [True, True]
    assert np.isnan(found.mean).tolist() == [False, True]


def test_autocorrelation_by_hand() -> None:
    """Of 1, −1, 1, −1 around 0: three products of −1, then two of 1, over 4."""
    values = np.array([[1.0, -1.0, 1.0, -1.0]])
    assert autocorrelation(values, all_of(values), 2).tolist() == [[-0.75, 0.5]]


def test_what_is_missing_is_no_zero_and_makes_no_pair() -> None:
    """1, −1, ?, 1, −1: two neighbours of −1 each, over 4; the gap ties nothing together."""
    values = np.array([[1.0, -1.0, np.nan, 1.0, -1.0]])
    counts = np.array([[True, True, False, True, True]])
    assert autocorrelation(values, counts).tolist() == [[-0.5]]


def test_a_constant_series_has_no_autocorrelation() -> None:
    values = np.full((1, 5), 0.25)
    assert np.isnan(autocorrelation(values, all_of(values))).tolist() == [[True]]


@given(values=arrays(np.float64, (2, 15), elements=st.floats(-1, 1)))
def test_autocorrelation_is_at_most_one(values: Float64) -> None:
    found = autocorrelation(values, all_of(values), 3)
    assert (np.isnan(found) | (np.abs(found) <= 1 + 1e-12)).all()
