"""One bar under one rule, step by step: what it is measured by, and why an alert opens on it or does not.

The engine gives the verdicts; here is the same once more for one bar in plain arithmetic, as ``analytics.anatomy`` has
it of the default detector. What an estimator says of the bar is the engine's own number.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.anatomy import begins_chain, last_of
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.episodes import facts_of
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.placing import placed
from volwatch.analytics.results import FLAG_REOPEN, FLAG_SOURCE_GAP, Facts
from volwatch.analytics.rules.held import CLOSE_TERMS, REST_BARS, Hold
from volwatch.analytics.rules.hold import OPENED
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.state import EngineState


@dataclass(frozen=True, slots=True)
class RuleAnatomy:
    """How a rule judges a bar.

    Attributes
    ----------
    facts : what the engine says of the bar; ``statistic`` and ``reference`` are the rule's, as computed here.
    final : the bar can no longer change; complete: it has ended.
    begins, breaks : the bar is the first of its session or chain; it comes after a halt, or after time that its source
        could not see.
    reference_start : start of the bar whose close a move is measured from; None where there is none to compare with.
    up, down : H/P − 1 and 1 − L/P, of a move; NaN without a reference.
    window, terms : of a rule's estimator: its window in bars, and the terms in it; 0 of a move.
    bars_since_onset : from the rule's last onset of the series, at most ``REST_BARS``.
    open_since : onset of the rule's alert of the series that is open before the bar.
    told : the statistic with which the engine opens an alert on it; None where it opens none.
    """

    rule: Rule
    facts: Facts
    final: bool
    complete: bool
    begins: bool
    breaks: bool
    reference_start: int | None
    up: float
    down: float
    window: int
    terms: int
    bars_since_onset: int
    open_since: int | None
    told: float | None

    @property
    def opened(self) -> bool:
        """Whether the engine opens an alert on the bar."""
        return self.told is not None

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why no alert opens on the bar; nothing where one does."""
        rule, statistic = self.rule, self.facts.statistic
        checks = {
            "there is nothing to measure it by": math.isnan(statistic),
            f"{statistic * 100:.3f} % is below {rule.enter * 100:g} %": statistic < rule.enter,
            f"it has fewer than {rule.min_trades} trades": self.facts.trades < rule.min_trades,
            "the bar comes after a halt, or after time that nobody watched": self.breaks,
            "an alert of the rule is open already": self.open_since is not None and not self.begins,
            f"within {REST_BARS} bars of the rule's last onset": not self.begins and self.bars_since_onset < REST_BARS,
        }
        return tuple(text for text, true in checks.items() if true)

    @property
    def agrees(self) -> bool:
        """Whether the arithmetic here comes to what the engine says."""
        same = self.told is None or math.isclose(self.told, self.facts.statistic, rel_tol=1e-9)
        return same and self.opened == (not self.hindrances)


def dissect_rule(
    rule: Rule, state: EngineState, bars: BarTable, config: EngineConfig, *, complete: bool, final: bool
) -> RuleAnatomy | None:
    """Return how a rule of the settings judges the last of some bars; None for one outside regular hours.

    The others as in ``anatomy.dissect``.
    """
    before, made = last_of(state, bars, config, complete=complete, final=final)
    if not len(made.regular):
        return None
    bar, facts = bars.take(slice(-1, None)), facts_of(made, 0)
    series = int(bar.series[0])
    begins = begins_chain(before, series, placed(before.calendars, bar.series, bar.start, config))
    breaks = bool(facts.flags & (FLAG_REOPEN | FLAG_SOURCE_GAP))
    since = facts.start if begins or breaks else int(before.rules.since[series])
    start, price = _reference(before, series, rule, facts.start, since)
    up, down = facts.high / price - 1, 1 - facts.low / price
    value, window, terms = _volatility(rule, made, complete=complete)
    held = before.rules.holds.get(rule.key, {}).get(series, Hold(False, 0, 0.0, REST_BARS, rule.severity))
    opened = [one for one in made.rules if one.rule.key == rule.key and one.event.state == OPENED]
    of_move = isinstance(rule, Move)
    return RuleAnatomy(
        rule=rule,
        facts=replace(facts, statistic=max(up, down) if of_move else value, reference=price if of_move else None),
        final=final,
        complete=complete,
        begins=begins,
        breaks=breaks,
        reference_start=start,
        up=up,
        down=down,
        window=window,
        terms=terms,
        bars_since_onset=min(held.since_onset + 1, REST_BARS),
        open_since=held.onset if held.open else None,
        told=opened[0].statistic if opened else None,
    )


def _reference(state: EngineState, series: int, rule: Rule, start: int, since: int) -> tuple[int | None, float]:
    """Return start and close of the last bar that a move to a bar can be measured from; NaN where there is none."""
    if not isinstance(rule, Move):
        return None, math.nan
    held = state.rules.closes.values[:, series]
    starts, closes = held[CLOSE_TERMS.index("start")], held[CLOSE_TERMS.index("close")]
    found = np.flatnonzero((starts >= since) & (starts <= start - rule.minutes * MINUTE_MS))
    return (int(starts[found[-1]]), float(closes[found[-1]])) if len(found) else (None, math.nan)


def _volatility(rule: Rule, made: Advanced, *, complete: bool) -> tuple[float, int, int]:
    """Return what a rule's estimator says of the bar, its window, and the terms in it."""
    if not isinstance(rule, VolatilityAbove):
        return math.nan, 0, 0
    volatility = made.volatility
    place = volatility.estimators.index(rule.estimator)
    value = float(volatility.value[0, place]) if complete else math.nan
    return value, volatility.windows[place], int(volatility.n_obs[0, place])
