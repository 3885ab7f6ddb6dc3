"""Markets for the engine's tests: trades made here, from a seed, without the simulator."""

from collections.abc import Callable

import numpy as np
import pytest

from volwatch.analytics.trades import Trades

START_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z, the open of a session of XNYS

MakeTrades = Callable[..., Trades]


def _market(
    seed: int = 1,
    symbols: int = 2,
    minutes: int = 100,
    per_minute: int = 6,
    source: str = "simulator",
    spike_minute: int | None = None,
    delay_ms: int = 40,
) -> Trades:
    """Return a random walk per symbol; some trades arrive late, a few out of order, a few are no good."""
    random = np.random.Generator(np.random.PCG64(seed))
    n = symbols * minutes * per_minute
    code = random.integers(0, symbols, n).astype(np.int32)
    event_time = np.sort(START_MS + random.integers(0, minutes * 60_000, n))
    sigma = np.full(n, 2e-4)
    if spike_minute is not None:
        hit = (event_time - START_MS) // 60_000
        sigma = np.where((hit >= spike_minute) & (hit < spike_minute + 3) & (code == 0), 4e-3, sigma)
    steps = random.standard_normal(n) * sigma
    price = np.empty(n)
    for symbol in range(symbols):
        rows = code == symbol
        price[rows] = np.round(100 * np.exp(np.cumsum(steps[rows])), 2)
    received_at = event_time + random.integers(0, delay_ms, n)
    tardy = random.random(n) < 0.02
    event_time = np.where(tardy, event_time - random.integers(0, 150_000, n), event_time)
    bad = random.random(n)
    price = np.where(bad < 0.002, np.nan, np.where(bad < 0.004, -1.0, price))
    return Trades(
        series=tuple((source, f"S{index}") for index in range(symbols)),
        code=code,
        event_time=event_time,
        received_at=np.maximum(received_at, 0),
        price=price,
        size=random.integers(1, 500, n).astype(np.float64),
        conditions=((), ("odd",)),
        condition_code=random.integers(0, 2, n).astype(np.int32),
        offset=np.arange(n, dtype=np.int64),
    )


@pytest.fixture(scope="session")
def market() -> MakeTrades:
    """Return the maker of markets."""
    return _market
