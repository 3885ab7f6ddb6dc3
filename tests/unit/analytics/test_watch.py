"""``Engine.watch`` against ``Engine.process``: the same transitions and the same state, however the trades come."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.fuzzed import MINUTE_BY_MINUTE, RULES, calls, world
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import save
from volwatch.analytics.trades import Trades

MakeTrades = Callable[..., Trades]


def portions(trades: Trades, size: int) -> Iterator[Trades]:
    """Yield trades so many at a time."""
    for first in range(0, len(trades), size):
        yield trades.take(slice(first, first + size))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(6))
def test_anything_a_feed_may_send_is_told_as_by_process(seed: int) -> None:
    made = world(seed, 12, 24, MINUTE_BY_MINUTE)
    watching, processing = Engine(made.config), Engine(made.config)
    seen: Counter[str] = Counter()
    for call in calls(made):
        for portion in portions(call, 40):
            told = watching.watch(portion)
            # As texts: what is undefined is NaN, which equals nothing.
            assert repr(told) == repr(list(processing.process(portion).transitions))
            seen.update(f"{step.state} {'final' if step.final else 'open'}" for step in told)
    assert save(watching.state) == save(processing.state)
    assert seen["OPEN open"]
    assert seen["OPEN final"]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 9), size=st.integers(1, 90), ruled=st.booleans())
def test_both_may_take_turns(market: MakeTrades, seed: int, size: int, ruled: bool) -> None:
    trades = market(seed=seed, symbols=4, per_minute=3, source="feed", spike_minute=75)
    config = EngineConfig(rules=RULES if ruled else ())
    mixed, processing = Engine(config), Engine(config)
    for number, portion in enumerate(portions(trades, size)):
        told = list(mixed.process(portion).transitions) if number % 3 == 0 else mixed.watch(portion)
        assert repr(told) == repr(list(processing.process(portion).transitions))
    assert save(mixed.state) == save(processing.state)
