"""One bar under the detector, step by step: every number between its prices and its verdict, in plain arithmetic.

The engine gives the verdicts, many series at a time; here is the same once more for one bar, so that a person can
follow it with a pencil. Formulas: quant.md section 4.1.
"""

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from volwatch.analytics import detector, minutes
from volwatch.analytics.bars import BarTable
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import HIGH, LOG_RANGE_OF_VOLATILITY, LOW, MEDIUM
from volwatch.analytics.episodes import facts_of
from volwatch.analytics.lifecycle import MIN_TRADES
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.placing import Placed, placed
from volwatch.analytics.results import FLAG_REOPEN, FLAG_SOURCE_GAP, Facts
from volwatch.analytics.state import EngineState
from volwatch.analytics.true_range import least_range
from volwatch.analytics.walk import LONGEST_GAP_BARS

EWMA_KEEPS = 0.6
EWMA_UNIT = 2.0
LEAST_Z, MOST_Z = -3.0, 8.0


@dataclass(frozen=True, slots=True)
class Anatomy:
    """How a bar was judged. Logs are natural, ranges per root minute.

    Attributes
    ----------
    facts : what the engine says of the bar.
    final : the bar can no longer change; complete: it has ended.
    reference : close of the bar before, or the bar's own open where a session or chain begins (``begins``).
    apart : why the bar is judged by z alone and teaches nothing: REOPEN, BLIND or nothing.
    span, least, log_range : ln(max(H, P)/min(L, P)), the least that it counts for, and x.
    usual : s, the profile at this time of day, of ``facts.profile_days`` sessions or weeks.
    level : y = x − s.
    baseline, scale, taught : b and σ before the bar, and the bars that taught them.
    z : (y − b)/σ.
    burst_before, burst : E before and after the bar; ``burst_statistic`` is 2·E.
    statistic : S; None in warm-up.
    excess, excesses_before : y − b of the bar, and of the two before it.
    ratio : e to the mean of the three.
    move : |log return| per root minute, 0 while the bar is open; ``local`` is the usual σ of a minute.
    enter : statistic at which an alert of the series opens; infinite where an override lets none.
    severity : index into ``detector.SEVERITIES`` that the bar is worth by itself.
    opened : whether the engine opens an episode on it.
    """

    facts: Facts
    final: bool
    complete: bool
    reference: float
    begins: bool
    apart: str
    span: float
    least: float
    log_range: float
    usual: float
    level: float
    baseline: float
    scale: float
    taught: int
    z: float
    burst_before: float
    burst: float
    statistic: float | None
    excess: float
    excesses_before: tuple[float, float]
    ratio: float
    move: float
    local: float
    enter: float
    bars_since_onset: int
    episode_since: int | None
    opened: bool

    @property
    def burst_statistic(self) -> float:
        """The EWMA channel in units of its own spread."""
        return EWMA_UNIT * self.burst

    @property
    def channel(self) -> str:
        """Which of the two channels the statistic is of."""
        return "jump" if self.apart or self.z >= self.burst_statistic else "burst"

    @property
    def rules(self) -> Mapping[int, tuple[str, ...]]:
        """The rules by which the bar is worth a severity, of each that has one."""
        statistic = self.statistic or 0.0
        held = {
            HIGH: {
                "S >= 7": statistic >= 7,
                "ratio of three bars >= 5": self.ratio >= 5,
                "move >= 10 local sigma": self.move >= 10 * self.local,
            },
            MEDIUM: {"S >= 5": statistic >= 5, "ratio of three bars >= 3": self.ratio >= 3},
        }
        found = {severity: tuple(name for name, true in rules.items() if true) for severity, rules in held.items()}
        return {severity: names for severity, names in found.items() if names}

    @property
    def severity(self) -> int:
        """The severity that the bar is worth by itself."""
        return max(self.rules, default=LOW)

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why no alert opens on the bar; nothing where one does."""
        statistic = math.nan if self.statistic is None else self.statistic
        checks = {
            f"warm-up: {self.taught} bars have taught the baseline, {detector.WARM_UP_BARS} are needed": math.isnan(
                statistic
            ),
            "an override lets the series open none": math.isinf(self.enter),
            f"S = {statistic:.3f} is below {self.enter:g}": statistic < self.enter < math.inf,
            "a range of one trade says nothing": self.facts.trades < MIN_TRADES,
            "the bar tells of time that nobody watched": self.apart == "BLIND",
            "an episode is open already": self.episode_since is not None and not self.begins,
            f"within {detector.COOL_DOWN_BARS} bars of the last onset": not self.begins
            and self.bars_since_onset < detector.COOL_DOWN_BARS,
        }
        return tuple(text for text, true in checks.items() if true)

    @property
    def agrees(self) -> bool:
        """Whether the arithmetic here comes to what the engine says."""
        facts = self.facts
        pairs = [(self.log_range, facts.log_range), (self.ratio, facts.ratio)]
        if self.statistic is not None:
            pairs += [(self.statistic, facts.statistic), (self.z, facts.z)]
        same = all(math.isclose(mine, its, rel_tol=1e-9, abs_tol=1e-9) for mine, its in pairs)
        return same and self.opened == (not self.hindrances) and math.isnan(facts.statistic) == (self.statistic is None)


def dissect(state: EngineState, bars: BarTable, config: EngineConfig, *, complete: bool, final: bool) -> Anatomy | None:
    """Return how the last of some bars is judged; None for one outside regular hours, which nobody judges.

    Parameters
    ----------
    state : EngineState
        Before these bars; it stays as it is.
    bars : BarTable
        Of one series, in order, from the first that the state has not seen.
    complete, final : bool
        Of the last bar; those before it are taken as final.
    """
    before, made = last_of(state, bars, config, complete=complete, final=final)
    if not len(made.regular):
        return None
    facts, profile = facts_of(made, 0), float(made.episodes.profile[0])
    last = bars.take(slice(-1, None))
    return _anatomy(
        _before(before, last, config),
        facts,
        profile,
        float(before.rules.enters[last.series[0]]),
        complete=complete,
        final=final,
        opened=bool(made.episodes.opened[0]),
    )


def last_of(
    state: EngineState, bars: BarTable, config: EngineConfig, *, complete: bool, final: bool
) -> tuple[EngineState, Advanced]:
    """Return what was known before the last of some bars, and what the engine makes of that bar; as in ``dissect``."""
    before = deepcopy(state)
    minutes.make_room(before, config)
    if len(bars) > 1:
        minutes.advance(before, bars.take(slice(0, -1)), config, np.ones(len(bars) - 1, np.bool_), final=True)
    last = bars.take(slice(-1, None))
    return before, minutes.advance(deepcopy(before), last, config, np.array([complete]), final=final)


def begins_chain(state: EngineState, series: int, place: Placed) -> bool:
    """Return whether the bar of a place is the first of its session or chain, with no close before it to compare."""
    chain = state.minutes
    return bool(chain.start[series] < 0 or chain.id[series] != place.place.chain[0])


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known of a bar's series before it; ``baseline`` is None before the first bar."""

    begins: bool
    reference: float
    least: float
    baseline: float | None
    scale: float
    taught: int
    burst: float
    excesses: tuple[float, float]
    bars_since_onset: int
    episode_since: int | None


def _before(state: EngineState, bar: BarTable, config: EngineConfig) -> _Before:
    series, chain, known = int(bar.series[0]), state.minutes, state.detector
    place = placed(state.calendars, bar.series, bar.start, config)
    begins = begins_chain(state, series, place)
    reference = float(bar.open[0]) if begins else float(chain.close[series])
    taught = int(known.bars[series])
    return _Before(
        begins=begins,
        reference=reference,
        least=float(least_range(np.array([reference]), place.continuous)[0]),
        baseline=float(known.baseline[series]) if taught else None,
        scale=float(known.scale[series]),
        taught=taught,
        burst=float(known.ewma[series]),
        excesses=(0.0, 0.0) if begins else (float(known.excess_1[series]), float(known.excess_2[series])),
        bars_since_onset=int(known.since_onset[series]),
        episode_since=int(known.onset[series]) if known.active[series] else None,
    )


def _anatomy(
    before: _Before, facts: Facts, usual: float, enter: float, *, complete: bool, final: bool, opened: bool
) -> Anatomy:
    span = math.log(max(facts.high, before.reference) / min(facts.low, before.reference))
    log_range = math.log(max(span, before.least) / math.sqrt(facts.elapsed))
    level = log_range - usual
    baseline = level if before.baseline is None else before.baseline
    excess = level - baseline
    z, apart, warm = excess / before.scale, _apart(facts), before.taught >= detector.WARM_UP_BARS
    burst = _burst(before.burst, z, warm=warm, begins=before.begins, apart=bool(apart))
    return Anatomy(
        facts=facts,
        final=final,
        complete=complete,
        reference=before.reference,
        begins=before.begins,
        apart=apart,
        span=span,
        least=before.least,
        log_range=log_range,
        usual=usual,
        level=level,
        baseline=baseline,
        scale=before.scale,
        taught=before.taught,
        z=z,
        burst_before=before.burst,
        burst=burst,
        statistic=(z if apart else max(EWMA_UNIT * burst, z)) if warm else None,
        excess=excess,
        excesses_before=before.excesses,
        ratio=math.exp((excess + sum(before.excesses)) / 3),
        move=_move(facts, complete=complete),
        local=math.exp(usual + baseline - LOG_RANGE_OF_VOLATILITY),
        enter=enter,
        bars_since_onset=before.bars_since_onset + 1,
        episode_since=before.episode_since,
        opened=opened,
    )


def _apart(facts: Facts) -> str:
    if facts.flags & FLAG_SOURCE_GAP:
        return "BLIND"
    if facts.flags & FLAG_REOPEN:
        return "REOPEN"
    return "BLIND" if facts.elapsed > LONGEST_GAP_BARS else ""


def _burst(before: float, z: float, *, warm: bool, begins: bool, apart: bool) -> float:
    """Return E after a bar: 0 in warm-up, begun anew with a chain, unmoved by a bar that stands apart."""
    if not warm:
        return 0.0
    held = 0.0 if begins else before
    return held if apart else EWMA_KEEPS * held + (1 - EWMA_KEEPS) * min(max(z, LEAST_Z), MOST_Z)


def _move(facts: Facts, *, complete: bool) -> float:
    return abs(facts.log_return) / math.sqrt(facts.elapsed) if complete else 0.0
