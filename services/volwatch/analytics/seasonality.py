"""The usual shape of volatility over a trading day, without which a detector alarms at the open and sleeps at noon.

quant.md section 2: ten-minute bins of the log range; the median over past sessions of (bin mean − day median),
smoothed, centred, and shrunk to a prior. Only sessions before today's count.
"""

import numpy as np

from volwatch.analytics.trades import Float64, Int64

BIN_MINUTES = 10
SESSION_MINUTES = 390
BINS = SESSION_MINUTES // BIN_MINUTES
SESSIONS = 20
SHRINK_SESSIONS = 4
MIN_BARS = 30
"""Bars that make a session worth learning from."""
_CLOSING_MINUTES = 60


def standard_minute(minute: Int64, minutes_left: Int64) -> Int64:
    """Return the minute of a full session that bars compare with: by minutes from the open; in the last hour of a
    short session, by those to the close."""
    in_short_close = (minute + minutes_left < SESSION_MINUTES) & (minutes_left <= _CLOSING_MINUTES)
    return np.clip(np.where(in_short_close, SESSION_MINUTES - minutes_left, minute), 0, SESSION_MINUTES - 1)


def bin_of(standard: Int64) -> Int64:
    """Return the bin of standard minutes."""
    return standard // BIN_MINUTES


def prior() -> Float64:
    """Return the prior of the profile, shape (BINS,): log of f(t) ∝ 0.8 + 1.5·e^(−t/0.07) + 0.4·e^(−(1−t)/0.06)."""
    t = (np.arange(BINS) + 0.5) / BINS
    shape = 0.8 + 1.5 * np.exp(-t / 0.07) + 0.4 * np.exp(-(1 - t) / 0.06)
    log_shape: Float64 = np.log(shape / np.sqrt(np.mean(shape**2)))
    return log_shape


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
