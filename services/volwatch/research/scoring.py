"""Onsets of alerts against the events of a labelled set: what was found, what was false, and how sure that is.

Rules: quant.md section 4.4. Counts are of few events, so each number has its 95 % interval beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Int64
from volwatch.research.labels import NULL, Labels

GRACE_MINUTES, TAIL_MINUTES = 5, 20
_TAIL = 0.025  # of each side of a 95 % interval


class Estimate(NamedTuple):
    """A number and its 95 % interval; all None where nothing was counted."""

    value: float | None
    low: float | None
    high: float | None


_NOTHING = Estimate(None, None, None)


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted in one scenario, or in many.

    Attributes
    ----------
    events, hits : labelled events, and those that an onset found.
    false : onsets that belong to no event.
    neutral : further onsets of an event, or soon after it: neither right nor wrong.
    symbol_days : evaluation days, of all symbols.
    delays : minutes from the start of each event that was found to its first onset.
    """

    events: int = 0
    hits: int = 0
    false: int = 0
    neutral: int = 0
    symbol_days: int = 0
    delays: tuple[int, ...] = ()

    def plus(self, other: "Tally") -> "Tally":
        """Return both added up."""
        return Tally(
            self.events + other.events,
            self.hits + other.hits,
            self.false + other.false,
            self.neutral + other.neutral,
            self.symbol_days + other.symbol_days,
            self.delays + other.delays,
        )

    @property
    def precision(self) -> Estimate:
        """Hits over hits and false alarms."""
        return proportion(self.hits, self.hits + self.false)

    @property
    def recall(self) -> Estimate:
        """Hits over events."""
        return proportion(self.hits, self.events)

    @property
    def f1(self) -> Estimate:
        """The harmonic mean 2J/(1+J) of both, J = hits/(events + false alarms): a proportion, and so its interval."""
        value, low, high = proportion(self.hits, self.events + self.false)
        if value is None or low is None or high is None:
            return _NOTHING
        return Estimate(2 * value / (1 + value), 2 * low / (1 + low), 2 * high / (1 + high))

    @property
    def false_per_symbol_day(self) -> Estimate:
        """False alarms per symbol and evaluation day."""
        return rate(self.false, self.symbol_days)

    def delay(self, quantile: float) -> Estimate:
        """Return a quantile of the delays in minutes."""
        return quantile_of(self.delays, quantile)


def count(labels: Labels, onsets: Mapping[str, Int64]) -> dict[str, Tally]:
    """Return what onsets are worth, by scenario.

    Parameters
    ----------
    onsets : mapping
        Symbol to the starts of its onset bars, epoch ms, shape (n,). Symbols without labels do not count.
    """
    tallies: dict[str, Tally] = {}
    none = np.empty(0, np.int64)
    for symbol, events in labels.events.items():
        found = np.sort(onsets.get(symbol, none))
        counted = _count_one(events, found[found >= labels.first_ms], labels.days)
        scenario = labels.scenario[symbol]
        tallies[scenario] = tallies.get(scenario, Tally()).plus(counted)
    return tallies


def total(tallies: Mapping[str, Tally], prefix: str = "") -> Tally:
    """Return the sum of the scenarios whose names begin with a prefix."""
    whole = Tally()
    for scenario, tally in tallies.items():
        if scenario.startswith(prefix):
            whole = whole.plus(tally)
    return whole


def nulls(tallies: Mapping[str, Tally]) -> Tally:
    """Return the sum of the scenarios without events."""
    return total(tallies, NULL)


def _count_one(events: Int64, onsets: Int64, days: int) -> Tally:
    """Return the tally of one symbol, whose onsets ascend."""
    claimed = np.zeros(len(onsets), np.bool_)
    delays = []
    for start, end in events.tolist():
        inside = onsets[(onsets >= start) & (onsets <= end + GRACE_MINUTES * MINUTE_MS)]
        if len(inside):
            delays.append(int(inside[0] - start) // MINUTE_MS)
        claimed |= (onsets >= start) & (onsets <= end + TAIL_MINUTES * MINUTE_MS)
    false = int((~claimed).sum())
    # One onset may find two events that touch.
    neutral = max(len(onsets) - false - len(delays), 0)
    return Tally(len(events), len(delays), false, neutral, days, tuple(delays))


def proportion(successes: int, trials: int) -> Estimate:
    """Return successes/trials with the exact binomial interval (Clopper & Pearson 1934, Biometrika 26:404)."""
    from scipy.stats import beta  # type: ignore[import-untyped]  # it has no types

    if not trials:
        return _NOTHING
    failures = trials - successes
    low = float(beta.ppf(_TAIL, successes, failures + 1)) if successes else 0.0
    high = float(beta.ppf(1 - _TAIL, successes + 1, failures)) if failures else 1.0
    return Estimate(successes / trials, low, high)


def rate(events: int, exposure: float) -> Estimate:
    """Return events/exposure with the exact Poisson interval (Garwood 1936, Biometrika 28:437)."""
    from scipy.stats import chi2

    if not exposure:
        return _NOTHING
    low = float(chi2.ppf(_TAIL, 2 * events)) / 2 if events else 0.0
    high = float(chi2.ppf(1 - _TAIL, 2 * events + 2)) / 2
    return Estimate(events / exposure, low / exposure, high / exposure)


def quantile_of(values: Sequence[float], quantile: float) -> Estimate:
    """Return a quantile, interpolated (type 7), with the interval between the order statistics whose ranks are the 2.5
    and 97.5 % points of the binomial of (n, quantile): free of any law of the values."""
    from scipy.stats import binom

    if not values:
        return _NOTHING
    ordered, n = sorted(values), len(values)
    low, high = (int(binom.ppf(tail, n, quantile)) for tail in (_TAIL, 1 - _TAIL))
    middle = float(np.quantile(np.array(ordered, np.float64), quantile))
    return Estimate(middle, float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)]))
