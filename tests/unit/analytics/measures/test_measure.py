import numpy as np

from volwatch.analytics.measures.measure import Measure, measure
from volwatch.analytics.volatility import DEFINED, ZERO_VARIANCE


def made(value: list[float], reason: list[int]) -> Measure:
    return measure("rv", 1, np.array(value), np.array(reason, np.int8), np.full(len(value), 5), np.ones(len(value)))


def test_a_value_with_a_reason_is_missing_and_so_is_its_error() -> None:
    found = made([1.0, 2.0], [DEFINED, ZERO_VARIANCE])
    np.testing.assert_array_equal(found.value, [1.0, np.nan])
    np.testing.assert_array_equal(found.standard_error, [1.0, np.nan])


def test_without_an_error_there_is_none() -> None:
    found = measure("rv", 1, np.ones(2), np.zeros(2, np.int8), np.ones(2, np.int64))
    assert np.isnan(found.standard_error).all()


def test_parts_make_the_whole_each_row_from_the_part_that_has_it() -> None:
    first, second = made([1.0, 3.0], [DEFINED, DEFINED]), made([9.0], [ZERO_VARIANCE])
    whole = first.at(np.array([0, 2]), 3).plus(second.at(np.array([1]), 3))
    np.testing.assert_array_equal(whole.value, [1.0, np.nan, 3.0])
    assert (whole.reason.tolist(), whole.n_obs.tolist()) == ([DEFINED, ZERO_VARIANCE, DEFINED], [5, 5, 5])
    assert whole.reason.dtype == np.int8
