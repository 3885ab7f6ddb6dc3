"""The usual shape of volatility over a trading day, without which a detector alarms at the open and sleeps at noon.

quant.md section 2: ten-minute bins of the log range; the median over past sessions of (bin mean − day median),
smoothed, centred, and shrunk to a prior. Only sessions before today's count.
"""

import numpy as np

from volwatch.analytics.trades import Bool, Float64, Int64

BIN_MINUTES = 10
SESSION_MINUTES = 390
BINS = SESSION_MINUTES // BIN_MINUTES
SESSIONS = 20
SHRINK_SESSIONS = 4
MIN_BARS = 30
"""Bars that make a session worth learning from."""
_CLOSING_MINUTES = 60


def standard_minute(minute: Int64, minutes_left: Int64, full: Int64 | int = SESSION_MINUTES) -> Int64:
    """Return the minute of a standard session that bars compare with: by minutes from the open; in the last hour of a
    short session, by those to the close.

    Parameters
    ----------
    minute, minutes_left : int64, shape (n,)
        As in ``calendars.Placement``.
    full : int64, shape (n,) or int
        ``calendars.Calendar.session_minutes``; sessions of another length are stretched to the standard one.
    """
    in_short_close = (minute + minutes_left < full) & (minutes_left <= _CLOSING_MINUTES)
    of_full = np.where(in_short_close, full - minutes_left, minute)
    return np.clip(of_full * SESSION_MINUTES // full, 0, SESSION_MINUTES - 1)


def bin_of(standard: Int64) -> Int64:
    """Return the bin of standard minutes."""
    return standard // BIN_MINUTES


def prior() -> Float64:
    """Return the prior of the profile, shape (BINS,): log of f(t) ∝ 0.8 + 1.5·e^(−t/0.07) + 0.4·e^(−(1−t)/0.06)."""
    t = (np.arange(BINS) + 0.5) / BINS
    shape = 0.8 + 1.5 * np.exp(-t / 0.07) + 0.4 * np.exp(-(1 - t) / 0.06)
    log_shape: Float64 = np.log(shape / np.sqrt(np.mean(shape**2)))
    return log_shape


def turn_sessions(today: Float64, past: Float64, days: Int64) -> tuple[Float64, Int64, Float64]:
    """File the session that has ended, of many series at once; return what is past then, and the new session's profile.

    Parameters
    ----------
    today : float64, shape (k, SESSION_MINUTES)
        Log range at each standard minute of the session that has ended; NaN: no bar. One of fewer than ``MIN_BARS``
        bars is not filed.
    past : float64, shape (k, SESSIONS, BINS)
        Deviations of the sessions before, the newest last; NaN in bins without a bar.
    days : int64, shape (k,)
        How many sessions of the past there are.

    Returns
    -------
    tuple
        ``past``, ``days`` and the profile, shape (k, BINS); the arguments stay as they are.
    """
    there = ~np.isnan(today)
    filed = np.count_nonzero(there, axis=1) >= MIN_BARS
    after = np.concatenate([past[:, 1:], _session_deviations(today, there)[:, None]], axis=1)
    after[~filed] = past[~filed]
    days_after = np.where(filed, np.minimum(days + 1, SESSIONS), days)
    return after, days_after, _profiles(after, days_after)


def _session_deviations(log_range: Float64, there: Bool) -> Float64:
    """Return mean over each bin minus the median of the session, shape (k, BINS); NaN in bins without a bar.

    Parameters
    ----------
    log_range, there : float64 and bool, shape (k, SESSION_MINUTES)
        Of the sessions, and the minutes with a bar.
    """
    by_bin = np.where(there, log_range, 0.0).reshape(-1, BINS, BIN_MINUTES)
    total = np.zeros(by_bin.shape[:2])
    # One minute after the other, as a sum over the bars of a bin goes: pairwise sums differ in the last bit.
    for minute in range(BIN_MINUTES):
        total += by_bin[:, :, minute]
    count = np.count_nonzero(there.reshape(by_bin.shape), axis=2)
    with np.errstate(invalid="ignore"):
        deviation: Float64 = total / count - median_of_known(log_range)[:, None]
    return deviation


def _profiles(past: Float64, days: Int64) -> Float64:
    """Return the profile s from the deviations of the last ``days`` sessions of each series, shape (k, BINS)."""
    typical = median_of_known(np.ascontiguousarray(past.transpose(0, 2, 1)))
    middle = np.where(np.isnan(typical), prior(), typical)
    padded = np.concatenate([middle[:, :1], middle, middle[:, -1:]], axis=1)
    smooth = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
    centred = smooth - smooth.mean(axis=1, keepdims=True)
    weight = (days / (days + SHRINK_SESSIONS))[:, None]
    shrunk: Float64 = weight * centred + (1 - weight) * prior()
    return np.where(days[:, None] > 0, shrunk, prior())


def median_of_known(values: Float64) -> Float64:
    """Return the median over the last axis of what is not NaN; NaN where nothing is.

    As ``numpy.nanmedian``, which looks at one row after the other where some are incomplete.
    """
    ordered = np.sort(values, axis=-1)  # NaN goes to the end
    known = np.count_nonzero(~np.isnan(values), axis=-1)
    last = np.maximum(known - 1, 0)
    lower, upper = (np.take_along_axis(ordered, place[..., None], -1)[..., 0] for place in (last // 2, known // 2))
    median: Float64 = np.where(known % 2 == 1, lower, (lower + upper) / 2)
    return median
