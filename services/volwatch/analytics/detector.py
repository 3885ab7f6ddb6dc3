"""The default detector, LRE: a robust EWMA chart on the log range of each bar, taken against its usual value at that
time of day. One pass per bar, vectorised over series. Specification: quant.md section 4.1; why the log range:
Alizadeh, Brandt & Diebold 2002, J. Finance 57:1047.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from volwatch.analytics.trades import Bool, Float64, Int64

NAME = "lre"
VERSION = "1"

HALF_TICK = 0.005
WARM_UP_BARS = 60
EXIT_FRACTION = 0.6
COOL_DOWN_BARS = 10
MIN_TRADES = 2

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
    excess_1, excess_2 : y − b of the last bar and the one before.
    since_onset : bars since the last onset.
    active : 1 while an episode is open.
    kind, severity, onset, peak : of the episode; onset is the start of its first bar in epoch ms.
    """

    baseline: Float64
    scale: Float64
    bars: Int64
    ewma: Float64
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
    """One bar of each series that has one, each of shape (k,).

    Attributes
    ----------
    start : start of the bar, epoch ms.
    log_range : x = ln(true range per root minute).
    usual : s, the seasonal profile at this bar; x − s is what the baseline follows.
    move : |log return|, 0 while the bar is open (a close can come back, a range cannot).
    trades : prints in the bar.
    begins : the first bar of a chain: short memory is reset.
    reopen : the first bar after a halt: tested, but teaches nothing.
    """

    start: Int64
    log_range: Float64
    usual: Float64
    move: Float64
    trades: Int64
    begins: Bool
    reopen: Bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detector says of each bar, each of shape (k,).

    Attributes
    ----------
    statistic, z : S and the single-bar channel; NaN in warm-up.
    expected : usual log range at this bar, baseline + profile.
    ratio : e to the mean excess of the last three bars: volatility against the usual.
    opened, escalated, closed : what happens to the episode at this bar.
    """

    statistic: Float64
    z: Float64
    expected: Float64
    ratio: Float64
    opened: Bool
    escalated: Bool
    closed: Bool


def true_log_range(high: Float64, low: Float64, reference: Float64, elapsed: Float64) -> Float64:
    """Return ln(R/√Δ) with R = ln(max(H, P)/min(L, P)), at least half a tick of P.

    ``reference`` P is the previous close, or the open of the first bar of a chain. It is fixed while a bar is open, so
    the value can only grow with further trades.
    """
    span = np.log(np.maximum(high, reference) / np.minimum(low, reference))
    return np.log(np.maximum(span, HALF_TICK / reference) / np.sqrt(elapsed))


def observe(state: DetectorState, bar: Observation, enter: float) -> tuple[DetectorState, Verdict]:
    """Return the state after one bar of each series, and the verdict on it.

    Parameters
    ----------
    state : DetectorState
        Of the k series that have the bar.
    enter : float
        The statistic at which an episode opens.
    """
    first = state.bars == 0
    y = bar.log_range - bar.usual
    baseline = np.where(first, y, state.baseline)
    excess = y - baseline
    z = excess / state.scale
    learnt = _learn(state, baseline, z, y, bar.reopen)
    ewma_before = np.where(bar.begins, 0.0, state.ewma)
    ewma = (1 - _EWMA_GAIN) * ewma_before + _EWMA_GAIN * np.clip(z, -3, 8)
    warm = state.bars >= WARM_UP_BARS
    # A bar after a halt is judged by itself: it is no part of a burst.
    ewma = np.where(~warm, 0.0, np.where(bar.reopen, ewma_before, ewma))
    statistic = np.where(bar.reopen, z, np.maximum(_EWMA_UNIT * ewma, z))
    ratio = np.exp((excess + np.where(bar.begins, 0.0, state.excess_1 + state.excess_2)) / 3)
    severity = _severity(statistic, ratio, bar.move, baseline + bar.usual)
    episode = _step(state, bar, warm, statistic, severity, enter)
    after = DetectorState(
        baseline=learnt[0],
        scale=learnt[1],
        bars=learnt[2],
        ewma=ewma,
        excess_1=np.where(bar.reopen, state.excess_1, excess),
        excess_2=np.where(bar.begins, 0.0, np.where(bar.reopen, state.excess_2, state.excess_1)),
        since_onset=episode.since_onset,
        active=episode.active,
        kind=np.where(episode.opened, np.where(bar.reopen, REOPEN, VOLATILITY), state.kind),
        severity=np.where(episode.opened | episode.escalated, severity, state.severity),
        onset=np.where(episode.opened, bar.start, state.onset),
        peak=np.where(episode.opened, statistic, np.where(episode.goes_on, np.fmax(state.peak, statistic), state.peak)),
    )
    return after, Verdict(
        statistic=np.where(warm, statistic, np.nan),
        z=np.where(warm, z, np.nan),
        expected=baseline + bar.usual,
        ratio=ratio,
        opened=episode.opened,
        escalated=episode.escalated,
        closed=episode.closed,
    )


def _learn(
    state: DetectorState, baseline: Float64, z: Float64, y: Float64, reopen: Bool
) -> tuple[Float64, Float64, Int64]:
    """Return the next baseline, scale and number of bars. Clipping keeps a spike from teaching the baseline."""
    clipped = np.clip(z, -3, 3)
    gain = np.maximum(_BASELINE_GAIN, 1 / (state.bars + 1))
    scale_gain = np.maximum(_SCALE_GAIN, 1 / (state.bars + 20))
    moved = np.where(state.bars == 0, y, baseline + gain * clipped * state.scale)
    spread = state.scale + scale_gain * (_MEAN_ABSOLUTE * np.abs(clipped) * state.scale - state.scale)
    spread = np.where(state.bars == 0, state.scale, np.maximum(_SCALE_FLOOR, spread))
    return (
        np.where(reopen, state.baseline, moved),
        np.where(reopen, state.scale, spread),
        np.where(reopen, state.bars, state.bars + 1),
    )


def _severity(statistic: Float64, ratio: Float64, move: Float64, expected_log_range: Float64) -> Int64:
    local_volatility = np.exp(expected_log_range - LOG_RANGE_OF_VOLATILITY)
    high = (statistic >= 7) | (ratio >= 5) | (move >= 10 * local_volatility)
    medium = (statistic >= 5) | (ratio >= 3)
    return np.where(high, HIGH, np.where(medium, MEDIUM, LOW))


@dataclass(frozen=True, slots=True)
class _Step:
    """What one bar does to the episodes."""

    since_onset: Int64
    active: Int64
    goes_on: Bool
    opened: Bool
    escalated: Bool
    closed: Bool


def _step(
    state: DetectorState, bar: Observation, warm: Bool, statistic: Float64, severity: Int64, enter: float
) -> _Step:
    was_active = (state.active == 1) & ~bar.begins
    since = np.where(bar.begins, COOL_DOWN_BARS, np.minimum(state.since_onset + 1, COOL_DOWN_BARS))
    opened = ~was_active & warm & (statistic >= enter) & (since >= COOL_DOWN_BARS) & (bar.trades >= MIN_TRADES)
    escalated = was_active & (severity > state.severity) & (statistic >= enter)
    ended = was_active & ~bar.reopen & (statistic < EXIT_FRACTION * enter)
    return _Step(
        since_onset=np.where(opened, 0, since),
        active=np.where(opened | (was_active & ~ended), 1, 0),
        goes_on=was_active,
        opened=opened,
        escalated=escalated,
        closed=ended | ((state.active == 1) & bar.begins),
    )
