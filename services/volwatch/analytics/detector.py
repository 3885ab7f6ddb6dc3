"""The default detector, LRE: a robust EWMA chart on the log range of each bar, taken against its usual value at that
time of day. It says how far from usual a bar is; ``lifecycle`` makes episodes of that. Vectorised over series.
Specification: quant.md section 4.1; why the log range: Alizadeh, Brandt & Diebold 2002, J. Finance 57:1047.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from volwatch.analytics.charts import CUSUM_REFERENCE
from volwatch.analytics.groups import Groups
from volwatch.analytics.recurrence import linear
from volwatch.analytics.trades import Bool, Float64, Int64

NAME = "lre"
VERSION = "1"

WARM_UP_BARS = 60
COOL_DOWN_BARS = 10

LOG_RANGE_OF_VOLATILITY = 0.43
"""E[ln range] − ln σ of a Brownian path (Alizadeh, Brandt & Diebold 2002)."""

KINDS = ("VOLATILITY", "REOPEN")
VOLATILITY, REOPEN = range(2)
SEVERITIES = ("", "LOW", "MEDIUM", "HIGH")
LOW, MEDIUM, HIGH = 1, 2, 3

_BASELINE_GAIN = 1 - 2 ** (-1 / 60)
_SCALE_GAIN = 1 - 2 ** (-1 / 390)
_SCALE_START, _SCALE_FLOOR = 0.5, 0.30
_MEAN_ABSOLUTE = 1.2533 * 1.01  # σ/E|z| of a normal, and the loss by clipping at 3
_EWMA_GAIN = 0.4
_EWMA_UNIT = float(np.sqrt((2 - _EWMA_GAIN) / _EWMA_GAIN))  # makes E of unit variance under normality


@dataclass(slots=True)
class DetectorState:
    """What the detector knows of each series, each of shape (series,).

    Attributes
    ----------
    baseline, scale : the usual de-seasonalised log range and its spread.
    bars : bars that taught the baseline.
    ewma : E of the burst channel.
    cusum : S of the CUSUM chart on z, a secondary channel.
    excess_1, excess_2 : y − b of the last bar and the one before.
    since_onset : bars since the last onset.
    active : 1 while an episode is open.
    kind, severity, onset, peak : of the episode; onset is the start of its first bar in epoch ms.
    """

    baseline: Float64
    scale: Float64
    bars: Int64
    ewma: Float64
    cusum: Float64
    excess_1: Float64
    excess_2: Float64
    since_onset: Int64
    active: Int64
    kind: Int64
    severity: Int64
    onset: Int64
    peak: Float64

    def take(self, rows: npt.NDArray[np.intp]) -> "DetectorState":
        """Return the state of some series."""
        return DetectorState(*(getattr(self, column.name)[rows] for column in fields(self)))

    def put(self, rows: npt.NDArray[np.intp], state: "DetectorState") -> None:
        """Set the state of some series."""
        for column in fields(self):
            getattr(self, column.name)[rows] = getattr(state, column.name)


def new_state(series: int) -> DetectorState:
    """Return the state of series that have seen nothing."""

    def whole(value: int) -> Int64:
        return np.full(series, value, np.int64)

    return DetectorState(
        baseline=np.zeros(series),
        scale=np.full(series, _SCALE_START),
        bars=whole(0),
        ewma=np.zeros(series),
        cusum=np.zeros(series),
        excess_1=np.zeros(series),
        excess_2=np.zeros(series),
        since_onset=whole(COOL_DOWN_BARS),
        active=whole(0),
        kind=whole(0),
        severity=whole(0),
        onset=whole(0),
        peak=np.zeros(series),
    )


@dataclass(frozen=True, slots=True)
class Observation:
    """Bars as the detector takes them, ordered by (series, start), each of shape (n,).

    Attributes
    ----------
    start : start of the bar, epoch ms.
    log_range : x = ln(true range per root minute).
    usual : s, the seasonal profile at this bar; x − s is what the baseline follows.
    move : |log return| per root minute, 0 while the bar is open (a close can come back, a range cannot).
    trades : prints in the bar.
    begins : the first bar of a chain: short memory is reset.
    reopen : the first bar after a halt: tested by itself, but teaches nothing.
    blind : the bar tells of time that nobody watched: it neither teaches, nor opens, nor closes.
    """

    start: Int64
    log_range: Float64
    usual: Float64
    move: Float64
    trades: Int64
    begins: Bool
    reopen: Bool
    blind: Bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector says of each bar, each of shape (n,).

    Attributes
    ----------
    statistic, z : S and the single-bar channel; NaN in warm-up.
    expected : usual log range at this bar, baseline + profile.
    ratio : e to the mean excess of the last three bars: volatility against the usual.
    cusum : S of the CUSUM chart on z; 0 in warm-up.
    bars : bars that have taught the baseline, this one included.
    """

    statistic: Float64
    z: Float64
    expected: Float64
    ratio: Float64
    cusum: Float64
    bars: Int64


def observe(state: DetectorState, groups: Groups, bar: Observation) -> tuple[DetectorState, Verdict]:
    """Return the state after the bars, its episodes left as they were, and the verdict on each bar.

    Parameters
    ----------
    state : DetectorState
        Of the k series that occur, in the order of ``groups``.
    """
    teaches = ~(bar.reopen | bar.blind)
    bars = groups.running(teaches, state.bars)
    before = bars - teaches
    followed, baseline, scale = _follow_baseline(state, groups, bar, before, teaches)
    ewma, last_ewma = _burst(state, groups, bar, followed[1], before >= WARM_UP_BARS)
    cusum, last_cusum = _cusum(state, groups, bar, followed[1], before >= WARM_UP_BARS)
    excess, z, ewma, cusum = groups.unpack(np.array([*followed, ewma, cusum]))
    first, second, held = _excesses_before(state, groups, excess, teaches, bar.begins)
    after = replace(
        state,
        baseline=baseline,
        scale=scale,
        bars=bars[groups.last],
        ewma=last_ewma,
        cusum=last_cusum,
        excess_1=held[0],
        excess_2=held[1],
    )
    # A bar after a halt is judged by itself: it is no part of a burst.
    statistic = np.where(teaches, np.maximum(_EWMA_UNIT * ewma, z), z)
    cold = before < WARM_UP_BARS
    statistic[cold], z[cold] = np.nan, np.nan
    return after, Verdict(
        statistic=statistic,
        z=z,
        expected=bar.log_range - excess,
        ratio=np.exp((excess + (first + second)) / 3),
        cusum=cusum,
        bars=bars,
    )


def _follow_baseline(
    state: DetectorState, groups: Groups, bar: Observation, before: Int64, teaches: Bool
) -> tuple[tuple[Float64, Float64], Float64, Float64]:
    """Return y − b and z of each bar, packed, against what the bars before it taught, and baseline and scale after all.

    Clipping keeps a spike from teaching the baseline.
    """
    y, number = groups.pack(np.array([bar.log_range - bar.usual, before]))
    gain, scale_gain = np.maximum(_BASELINE_GAIN, 1 / (number + 1)), np.maximum(_SCALE_GAIN, 1 / (number + 20))
    idle = number == 0
    first_ranks, first = groups.ranks_with(before == 0), idle
    if not teaches.all():
        idle = idle | (groups.pack(teaches.astype(np.float64)) == 0)
    gain[idle], scale_gain[idle] = 0.0, 0.0
    excess, z = np.empty_like(y), np.empty_like(y)
    b, sigma = groups.pack_series(state.baseline).copy(), groups.pack_series(state.scale).copy()
    three, floor, step = np.full_like(b, 3.0), np.full_like(b, _SCALE_FLOOR), np.empty_like(b)
    minus_three = -three
    for rank, (begin, end) in enumerate(groups.ranks()):
        k, now = end - begin, slice(begin, end)
        level, spread, moved = b[:k], sigma[:k], step[:k]
        if rank in first_ranks:
            np.copyto(level, y[now], where=first[now])
        np.subtract(y[now], level, out=excess[now])
        np.divide(excess[now], spread, out=z[now])
        np.minimum(z[now], three[:k], out=moved)
        np.maximum(moved, minus_three[:k], out=moved)
        moved *= spread
        level += gain[now] * moved
        np.abs(moved, out=moved)
        moved *= _MEAN_ABSOLUTE
        moved -= spread
        moved *= scale_gain[now]
        spread += moved
        np.maximum(spread, floor[:k], out=spread)
    return (excess, z), groups.unpack_series(b), groups.unpack_series(sigma)


def _burst(state: DetectorState, groups: Groups, bar: Observation, z: Float64, warm: Bool) -> tuple[Float64, Float64]:
    """Return E after each bar, packed, and after all: 0 in warm-up, reset at the open, unmoved by a halt."""
    apart = bar.reopen | bar.blind
    keeps = np.where(warm & ~bar.begins, np.where(apart, 1.0, 1 - _EWMA_GAIN), 0.0)
    takes = np.where(warm & ~apart, _EWMA_GAIN, 0.0)
    keeps, takes = groups.pack(np.array([keeps, takes]))
    added = takes * np.minimum(np.maximum(z, -3.0), 8.0)
    values, last = linear(groups, state.ewma[None, :], keeps, added[None, :])
    return values[0], last[0]


def _cusum(state: DetectorState, groups: Groups, bar: Observation, z: Float64, warm: Bool) -> tuple[Float64, Float64]:
    """Return S of the CUSUM chart after each bar, packed, and after all: S ← max(0, S + z − k), reset as E is."""
    counts = warm & ~(bar.reopen | bar.blind)
    takes, keeps = groups.pack(np.array([counts, ~bar.begins], np.float64))
    steps = takes * (z - CUSUM_REFERENCE)
    level, values = groups.pack_series(state.cusum).copy(), np.empty_like(z)
    for begin, end in groups.ranks():
        now = values[begin:end]
        np.multiply(level[: end - begin], keeps[begin:end], out=now)
        now += steps[begin:end]
        np.maximum(now, 0.0, out=now)
        level[: end - begin] = now
    return values, groups.unpack_series(level)


def _excesses_before(
    state: DetectorState, groups: Groups, excess: Float64, teaches: Bool, begins: Bool
) -> tuple[Float64, Float64, tuple[Float64, Float64]]:
    """Return y − b of the last two bars before each one that taught, 0 across the open; and of the last two of all."""
    place = np.arange(groups.rows)
    counts = teaches | begins
    held = np.where(teaches, excess, 0.0)
    last = np.maximum.accumulate(np.where(counts, place, -1))
    previous = np.append(-1, last)[: groups.rows]
    known = previous >= groups.heads[groups.slot]
    first = np.where(known, held[previous], state.excess_1[groups.slot])
    first[begins] = 0.0
    second = np.where(known, first[previous], state.excess_2[groups.slot])
    second[begins] = 0.0
    ends = last[groups.last]
    any_counts = ends >= groups.heads
    after = (
        np.where(any_counts, held[ends], state.excess_1),
        np.where(any_counts, first[ends], state.excess_2),
    )
    return first, second, after


def severity_of(statistic: Float64, ratio: Float64, move: Float64, expected_log_range: Float64) -> Int64:
    """Return the severity that a bar's statistic, ratio or move is worth."""
    local_volatility = np.exp(expected_log_range - LOG_RANGE_OF_VOLATILITY)
    high = (statistic >= 7) | (ratio >= 5) | (move >= 10 * local_volatility)
    medium = (statistic >= 5) | (ratio >= 3)
    return np.where(high, HIGH, np.where(medium, MEDIUM, LOW))
