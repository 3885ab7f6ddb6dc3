"""Rules as docs/methods.md spells them out: one series after another, bar by bar."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove

Step = tuple[int, int, str, int, float]
"""Series, start of the bar, OPEN or CLOSED, onset, peak."""

REST_BARS = 10
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Bar:
    """A regular bar: ``begins`` a session, ``apart`` from the one before by a halt or a gap."""

    start: int
    high: float
    low: float
    close: float
    trades: int
    begins: bool
    apart: bool
    volatility: Mapping[str, float]


def statistics(rule: Rule, bars: Sequence[Bar]) -> list[float]:
    """Return a rule's statistic of the bars of one series."""
    if isinstance(rule, Move):
        return [move(bars[: place + 1], rule.minutes) for place in range(len(bars))]
    assert isinstance(rule, VolatilityAbove)
    return [bar.volatility[rule.estimator] for bar in bars]


def move(bars: Sequence[Bar], minutes: int) -> float:
    """Return the move of the last of some bars."""
    last, before = bars[-1], len(bars) - 1
    while before >= 0 and bars[before].start > last.start - minutes * MINUTE_MS:
        if bars[before].begins or bars[before].apart:
            return np.nan
        before -= 1
    if before < 0:
        return np.nan
    reference = bars[before].close
    return max(last.high / reference - 1, 1 - last.low / reference)


def episodes(rule: Rule, series: int, bars: Sequence[Bar]) -> Iterator[Step]:
    """Yield what happens to a rule's alerts of one series."""
    onset, peak, is_open, rested = 0, 0.0, False, REST_BARS
    for bar, value in zip(bars, statistics(rule, bars), strict=True):
        rested = REST_BARS if bar.begins else rested + 1
        if is_open and (bar.begins or value < rule.exit_fraction * rule.enter):
            is_open = False
            yield series, bar.start, "CLOSED", onset, peak
        if is_open:
            peak = max(peak, value) if value >= rule.enter else peak
        elif value >= rule.enter and not bar.apart and bar.trades >= rule.min_trades and rested >= REST_BARS:
            is_open, onset, peak, rested = True, bar.start, value, 0
            yield series, bar.start, "OPEN", onset, peak
