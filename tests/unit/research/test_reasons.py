"""Reasons as people read them."""

import numpy as np

from volwatch.analytics.volatility import INSUFFICIENT_DATA, INVALID_OHLC
from volwatch.research.reasons import named, told


def test_a_defined_value_has_no_reason() -> None:
    assert named(np.array([0, INVALID_OHLC, 0], np.int8)).tolist() == [None, "INVALID_OHLC", None]


def test_values_and_the_reasons_of_nulls_are_counted() -> None:
    reason = np.array([INSUFFICIENT_DATA] * 3 + [0] * 1200 + [INVALID_OHLC], np.int8)
    assert told(reason) == "1,200 values, 4 NULL (3 INSUFFICIENT_DATA, 1 INVALID_OHLC)"


def test_without_nulls_no_reason_is_told() -> None:
    assert told(np.zeros(2, np.int8)) == "2 values, 0 NULL"
