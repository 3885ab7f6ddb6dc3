"""What a user may watch: a rule's parameters, the series that it is for, and the version that they make."""

import hashlib
import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from volwatch.analytics.trades import Series

KIND = "RULE"
EVERYTHING = ("*",)
MOST_MINUTES = 390


@dataclass(frozen=True, slots=True)
class Rule:
    """What all rules have.

    Attributes
    ----------
    name : the detector's name of the alerts that it raises.
    severity : LOW, MEDIUM or HIGH, of each of them.
    symbols, sources : patterns of file names; a series is watched that matches one of each.
    min_trades : prints that a bar needs to open an alert.
    exit_fraction : of the threshold, below which an alert ends.
    """

    name: str
    severity: str = "MEDIUM"
    symbols: tuple[str, ...] = EVERYTHING
    sources: tuple[str, ...] = EVERYTHING
    min_trades: int = 2
    exit_fraction: float = 0.8

    @property
    def enter(self) -> float:
        """The statistic at which an alert opens."""
        raise NotImplementedError

    @property
    def leave(self) -> float:
        """The statistic below which it ends."""
        return self.exit_fraction * self.enter

    @property
    def version(self) -> str:
        """Eight hexadecimal digits that change with any parameter: a changed rule raises other alerts."""
        return _digest(self)

    @property
    def key(self) -> str:
        """What the state knows the rule by."""
        return f"{self.name}:{self.version}"

    def watches(self, series: Series) -> bool:
        """Return whether the rule is for a series."""
        return matches(self.sources, series[0]) and matches(self.symbols, series[1])


@dataclass(frozen=True, slots=True)
class VolatilityAbove(Rule):
    """An estimator's annualised volatility reaches a fixed level, a decimal: 0.8 is 80 %."""

    threshold: float = 1.0
    estimator: str = "ewma"

    @property
    def enter(self) -> float:
        """The level."""
        return self.threshold


@dataclass(frozen=True, slots=True)
class Move(Rule):
    """The price is so many percent away, up or down, from where it stood some minutes before."""

    percent: float = 5.0
    minutes: int = 5

    @property
    def enter(self) -> float:
        """The move, a decimal."""
        return self.percent / 100


@lru_cache(1_000)
def _digest(rule: Rule) -> str:
    facts = json.dumps([type(rule).__name__, asdict(rule)], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:8]


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Return whether a name matches one of some patterns of file names."""
    return patterns == EVERYTHING or any(fnmatchcase(name, pattern) for pattern in patterns)
