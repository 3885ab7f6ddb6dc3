"""The standard normal distribution for arrays, by the error function of the standard library."""

import math
from statistics import NormalDist

import numpy as np

from volwatch.analytics.trades import Float64

_STANDARD = NormalDist()


def cumulative(z: Float64) -> Float64:
    """Return Φ(z), exact to the last digits in the lower tail too; NaN for NaN."""
    return upper_tail(-z)


def upper_tail(z: Float64) -> Float64:
    """Return 1 − Φ(z) = erfc(z/√2)/2 without the cancellation that makes it 0 from z = 8.3 on; NaN for NaN."""
    tail = np.fromiter((math.erfc(value / math.sqrt(2)) / 2 for value in z.ravel().tolist()), np.float64, z.size)
    return tail.reshape(z.shape)


def quantile(probability: float) -> float:
    """Return z with Φ(z) = probability."""
    return _STANDARD.inv_cdf(probability)


def density(z: float) -> float:
    """Return φ(z)."""
    return _STANDARD.pdf(z)
