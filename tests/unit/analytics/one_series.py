"""The profile of a session as quant.md section 2 spells it out: one series, one session after the other."""

import numpy as np

from volwatch.analytics.seasonality import BINS, SHRINK_SESSIONS, prior
from volwatch.analytics.trades import Float64, Int64


def session_deviation(log_range: Float64, bins: Int64) -> Float64:
    """Return mean over each bin minus the median of the session, shape (BINS,); NaN in bins without a bar."""
    count = np.bincount(bins, minlength=BINS)
    total = np.bincount(bins, weights=log_range, minlength=BINS)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation: Float64 = np.where(count > 0, total / count, np.nan) - np.median(log_range)
    return deviation


def profile(deviations: Float64) -> Float64:
    """Return the profile s, shape (BINS,), from the deviations of past sessions, shape (days ≤ SESSIONS, BINS)."""
    days = len(deviations)
    if not days:
        return prior()
    seen = ~np.isnan(deviations).all(axis=0)
    middle = prior()
    middle[seen] = np.nanmedian(deviations[:, seen], axis=0)
    padded = np.concatenate([middle[:1], middle, middle[-1:]])
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    centred = smooth - smooth.mean()
    weight = days / (days + SHRINK_SESSIONS)
    shrunk: Float64 = weight * centred + (1 - weight) * prior()
    return shrunk
