"""Days of coarse history ahead of a simulated market: one print an hour and symbol, so that daily bars exist. Pure.

The path runs into the market's first price, so that nothing jumps where the coarse history ends.
"""

from collections.abc import Iterator

import numpy as np

from volwatch.market.calm import Floats
from volwatch.market.paths import Ticks, Traits
from volwatch.market.scenarios import stream

PRINTS_PER_DAY = 24
_HOUR_MS = 3_600_000
_DAY_MS = PRINTS_PER_DAY * _HOUR_MS
_MOST_LATENCY_MS = 40


def coarse_days(traits: Traits, seed: int, days: int) -> Iterator[Ticks]:
    """Yield the days before the market's start, oldest first, each ordered by receipt (times are negative)."""
    level = traits.log_price - sum((_hourly_moves(traits, seed, day).sum(axis=0) for day in range(days)), start=0.0)
    for day in range(days):
        paths = level + np.cumsum(_hourly_moves(traits, seed, day), axis=0)
        yield _prints(paths, seed, day, start_ms=(day - days) * _DAY_MS)
        level = paths[-1]


def _hourly_moves(traits: Traits, seed: int, day: int) -> Floats:
    """Return log returns of shape (hours, symbols)."""
    draws = stream(seed, "coarse moves", day).standard_normal((PRINTS_PER_DAY, len(traits.kinds)))
    moves: Floats = draws * traits.sigma_minute * np.sqrt(60.0)
    return moves


def _prints(paths: Floats, seed: int, day: int, start_ms: int) -> Ticks:
    rng = stream(seed, "coarse prints", day)
    hours = start_ms + np.arange(PRINTS_PER_DAY)[:, None] * _HOUR_MS
    event_ms = (hours + rng.integers(0, _HOUR_MS - _MOST_LATENCY_MS, paths.shape)).ravel()
    received_ms = event_ms + rng.integers(1, _MOST_LATENCY_MS, event_ms.shape)
    order = np.argsort(received_ms, kind="stable")
    symbol = np.tile(np.arange(paths.shape[1]), PRINTS_PER_DAY)
    price = np.maximum(np.rint(np.exp(paths).ravel() * 100), 1) / 100
    size = np.floor(1 + np.exp(3.5 + rng.standard_normal(event_ms.shape)))
    return Ticks(symbol[order], event_ms[order], received_ms[order], price[order], size[order])
