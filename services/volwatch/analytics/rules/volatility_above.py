"""The annualised volatility that a rule compares with its level: an estimator's value of a bar that has ended."""

import numpy as np

from volwatch.analytics.results import Volatility
from volwatch.analytics.trades import Bool, Float64


def levels(volatility: Volatility, estimator: str, rows: slice, complete: Bool) -> Float64:
    """Return the volatility of some bars; NaN where it is undefined, or the close may still move."""
    values: Float64 = volatility.value[rows, volatility.estimators.index(estimator)]
    return values if complete.all() else np.where(complete, values, np.nan)
