"""What the engine remembers for the rules: closes to compare with, alerts that are open or cool down, what was told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from volwatch.analytics.history import History
from volwatch.analytics.rules.override import Override, enter_of
from volwatch.analytics.rules.rule import EVERYTHING, Move, Rule
from volwatch.analytics.trades import Bool, Float64, Int64, Series

CLOSE_TERMS = ("start", "close")
REST_BARS = 10
"""No new alert of a rule within so many bars of the last: as the default detector's."""


@dataclass(slots=True)
class Hold:
    """A rule's alert of a series by its final bars: whether it is open, its first bar (epoch ms), the largest
    statistic, and the bars since it began, at most ``REST_BARS``; then it rests."""

    open: bool
    onset: int
    peak: float
    since_onset: int
    severity: str

    @property
    def rests(self) -> bool:
        """Whether nothing of it matters any more."""
        return not self.open and self.since_onset >= REST_BARS


@dataclass(slots=True)
class ToldRule:
    """What was last told of a rule's alert of a series: enough to confirm, retract or end it."""

    onset: int
    severity: str
    confirmed: bool


@dataclass(slots=True)
class RuleState:
    """All that the rules need of the past.

    Attributes
    ----------
    closes : start (epoch ms) and close of each series' last final bars, as many as the longest move reaches back.
    since : per series, the start of the bar since which prices can be compared; -1 before the first.
    holds, told : by the rule's key, then by series. What is not there is at rest.
    watching : by the rule's key, which series it is for. Follows from the configuration, as ``enters`` does: the
        statistic at which the default detector opens, per series.
    """

    closes: History
    since: Int64
    holds: dict[str, dict[int, Hold]] = field(default_factory=dict)
    told: dict[str, dict[int, ToldRule]] = field(default_factory=dict)
    watching: dict[str, Bool] = field(default_factory=dict)
    enters: Float64 = field(default_factory=lambda: np.empty(0))
    _fitted: tuple[object, ...] = ()

    def fit(self, series: Sequence[Series], rules: Sequence[Rule], overrides: Sequence[Override], usual: float) -> None:
        """Make room for the series, and follow the rules as they are now."""
        wanted = (tuple(rules), tuple(overrides), usual)
        if self._fitted != wanted:
            self._fitted = wanted
            self.watching = {rule.key: np.empty(0, np.bool_) for rule in rules}
            self.enters = np.empty(0)
            self._reach(max((rule.minutes for rule in rules if isinstance(rule, Move)), default=0))
        fresh = series[len(self.enters) :]
        if not fresh:
            return
        for rule in rules:
            watched = _watched(rule, fresh)
            self.watching[rule.key] = np.append(self.watching[rule.key], watched)
        self.enters = np.append(self.enters, [enter_of(overrides, each, usual) for each in fresh])
        self.closes.grow(len(series))
        self.since = np.append(self.since, np.full(len(series) - len(self.since), -1, np.int64))

    def _reach(self, bars: int) -> None:
        columns, series, width = self.closes.values.shape
        kept = min(width, bars)
        values = np.full((columns, series, bars), np.nan)
        values[:, :, bars - kept :] = self.closes.values[:, :, width - kept :]
        self.closes.values = values

    def overridden(self) -> Float64:
        """Return ``enters`` where an override gives it, NaN elsewhere; nothing where there is no override."""
        _, overrides, usual = self._fitted or ((), (), 0.0)
        if not overrides:
            return np.empty(0)
        return np.where(np.isinf(self.enters) | (self.enters == usual), np.nan, self.enters)

    def settle(self) -> None:
        """Let what was told be what final bars say."""
        self.told = {
            key: {
                series: ToldRule(hold.onset, hold.severity, confirmed=True)
                for series, hold in held.items()
                if hold.open
            }
            for key, held in self.holds.items()
        }

    def as_facts(self) -> dict[str, object]:
        """Return what is no array as JSON has it."""
        return {
            "holds": {
                key: {
                    str(series): [h.open, h.onset, h.peak, h.since_onset, h.severity]
                    for series, h in sorted(held.items())
                }
                for key, held in sorted(self.holds.items())
                if held
            },
            "told": {
                key: {str(series): [t.onset, t.severity, t.confirmed] for series, t in sorted(told.items())}
                for key, told in sorted(self.told.items())
                if told
            },
        }

    def as_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the rest."""
        return {"closes": self.closes.values, "since": self.since}


def _watched(rule: Rule, series: Sequence[Series]) -> Bool:
    every = rule.symbols == rule.sources == EVERYTHING
    return np.full(len(series), True) if every else np.array([rule.watches(each) for each in series], np.bool_)


def new_rule_state(series: int = 0) -> RuleState:
    """Return the state of series of which the rules know nothing."""
    return RuleState(History(CLOSE_TERMS, np.empty((len(CLOSE_TERMS), series, 0))), np.full(series, -1, np.int64))


def restored(
    arrays: dict[str, npt.NDArray[np.generic]], facts: dict[str, dict[str, dict[str, list[object]]]], series: int
) -> RuleState:
    """Return the state of what ``as_arrays`` and ``as_facts`` gave; a new one where a state knew no rules yet."""
    state = new_rule_state(series)
    if arrays:
        state.closes.values, state.since = arrays["closes"], arrays["since"]  # type: ignore[assignment]  # as saved
    for key, held in facts.get("holds", {}).items():
        state.holds[key] = {int(number): Hold(*values) for number, values in held.items()}  # type: ignore[arg-type]  # as saved
    for key, told in facts.get("told", {}).items():
        state.told[key] = {int(number): ToldRule(*values) for number, values in told.items()}  # type: ignore[arg-type]  # as saved
    return state
