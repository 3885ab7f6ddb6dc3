"""Onsets of alerts against the events of a labelled set: what was found, what was false, how late. Pure.

``volwatch score`` and the dashboard count by the same rules, those of quant.md section 4.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.trades import Int64
from volwatch.market.labels import NULL, Labels

GRACE_MINUTES, TAIL_MINUTES = 5, 20


class Ratio(NamedTuple):
    """What was counted, and in how many events, onsets or symbol-days."""

    counted: int
    exposure: int

    @property
    def value(self) -> float | None:
        """The one over the other; None where there was nothing to count in."""
        return self.counted / self.exposure if self.exposure else None


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
    def precision(self) -> Ratio:
        """Hits over hits and false alarms."""
        return Ratio(self.hits, self.hits + self.false)

    @property
    def recall(self) -> Ratio:
        """Hits over events."""
        return Ratio(self.hits, self.events)

    @property
    def false_per_symbol_day(self) -> Ratio:
        """False alarms per symbol and evaluation day."""
        return Ratio(self.false, self.symbol_days)

    def delay_minutes(self, quantile: float) -> float | None:
        """Return a quantile of the delays, interpolated (type 7); None where no event was found."""
        return float(np.quantile(np.array(self.delays, np.float64), quantile)) if self.delays else None


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
