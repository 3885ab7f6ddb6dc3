"""The market that the benchmarks are run on: prints of the simulator, the same in every run."""

from functools import cache

from tests.integration.worlds import simulated
from volwatch.trade import Trade

SYMBOLS = 50
MINUTES = 60
MESSAGES = 500_000
"""Trades that go through servers."""


@cache
def trades(count: int) -> list[Trade]:
    """Return about as many prints of an hour, in order of arrival."""
    return simulated(MINUTES, SYMBOLS, rate=count / (MINUTES * 60))
