"""Rules over bars: as a plain loop has them, and the same however the bars come."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, SOURCE, START_MS, bars, made_state, minutes_from
from tests.unit.analytics.rules.plainly import Bar, Step, episodes
from volwatch.analytics.bars import BarTable
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.minutes import Advanced, advance
from volwatch.analytics.results import FLAG_REOPEN, FLAG_SOURCE_GAP
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.state import EngineState
from volwatch.analytics.volatility import MINUTE_ESTIMATORS

DAY_MS = 24 * 60 * MINUTE_MS
RULES: tuple[Rule, ...] = (
    Move("one", percent=0.4, minutes=1),
    Move("five", percent=0.6, minutes=5, min_trades=20),
    Move("thirty", percent=1.0, minutes=30, exit_fraction=0.5),
    Move("first", percent=0.5, minutes=5, symbols=("S0",)),
    VolatilityAbove("ewma", threshold=0.25),
    VolatilityAbove("cc", threshold=0.3, estimator="cc", exit_fraction=1.0),
)
CONFIG = EngineConfig(rules=RULES)
SERIES = 3


def walks(seed: int) -> BarTable:
    """Return three series of random walks over two sessions: one with holes, one with a halt of 45 minutes."""
    random = np.random.Generator(np.random.PCG64(seed))
    parts = []
    for series in range(SERIES):
        start = np.concatenate([minutes_from(START_MS, 150), minutes_from(START_MS + DAY_MS, 60)])
        if series == 1:
            start = start[random.random(len(start)) > 0.3]
        if series == 2:
            start = start[(start < START_MS + 60 * MINUTE_MS) | (start > START_MS + 105 * MINUTE_MS)]
        steps = random.standard_normal(len(start)) * np.where(random.random(len(start)) < 0.05, 6e-3, 1e-3)
        middle = 100 * np.exp(np.cumsum(steps))
        parts.append(bars(start, middle=middle, spread=1e-3, trades=random.integers(1, 60, len(start)), series=series))
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in BarTable.__slots__}
    return BarTable(**columns)


def told(made: Advanced) -> list[tuple[str, Step]]:
    """Return the events of the rules under their names."""
    signals = made.signals
    return [
        (
            one.rule.name,
            (
                int(signals.series[one.event.row]),
                int(signals.start[one.event.row]),
                one.event.state,
                one.event.onset,
                one.event.peak,
            ),
        )
        for one in made.rules
    ]


def state_of(config: EngineConfig = CONFIG) -> EngineState:
    return made_state(*["XNYS"] * SERIES, config=config)


def finally_of(state: EngineState, table: BarTable, config: EngineConfig = CONFIG) -> Advanced:
    return advance(state, table, config, np.ones(len(table), np.bool_), final=True)


def bars_of(made: Advanced) -> dict[int, list[Bar]]:
    """Return the bars of each series as the loop takes them."""
    table = made.bars.table.take(made.regular)
    apart = (table.flags & (FLAG_REOPEN | FLAG_SOURCE_GAP)) > 0
    found: dict[int, list[Bar]] = {}
    for row, series in enumerate(table.series.tolist()):
        own = found.setdefault(series, [])
        start = int(table.start[row])
        own.append(
            Bar(
                start,
                float(table.high[row]),
                float(table.low[row]),
                float(table.close[row]),
                int(table.trades[row]),
                begins=not own or start - own[-1].start > DAY_MS / 2,
                apart=bool(apart[row]),
                volatility=dict(zip(MINUTE_ESTIMATORS, made.volatility.value[row].tolist(), strict=True)),
            )
        )
    return found


def expected_of(made: Advanced) -> list[tuple[str, Step]]:
    """Return what a loop over each series says of the same bars."""
    return [
        (rule.name, step)
        for rule in RULES
        for series, own in bars_of(made).items()
        if rule.watches((SOURCE, f"S{series}"))
        for step in episodes(rule, series, own)
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rules_find_what_a_plain_loop_over_the_bars_finds(seed: int) -> None:
    made = finally_of(state_of(), walks(seed))
    assert sorted(told(made)) == sorted(expected_of(made))
    assert {name for name, _ in told(made)} == {rule.name for rule in RULES}
    assert (made.bars.table.flags & FLAG_REOPEN).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 20), cuts=st.lists(st.integers(0, 1_600), max_size=6))
def test_bars_in_any_pieces_make_the_same_events(seed: int, cuts: list[int]) -> None:
    table, whole, state = walks(seed), state_of(), state_of()
    expected = told(finally_of(whole, table))
    edges = [-1, *(START_MS + cut * MINUTE_MS for cut in sorted(cuts)), 2**60]
    found = []
    for first, last in pairwise(edges):
        found += told(finally_of(state, table.take((table.start >= first) & (table.start < last))))
    assert sorted(found) == sorted(expected)
    assert state.rules.as_facts() == whole.rules.as_facts()
    assert state.rules.closes.values.tobytes() == whole.rules.closes.values.tobytes()
    assert state.rules.since.tobytes() == whole.rules.since.tobytes()


def test_what_may_still_change_leaves_no_trace_in_the_rules_state() -> None:
    state, table = state_of(), walks(4)
    finally_of(state, table.take(table.start < START_MS + 50 * MINUTE_MS))
    before = state.rules.as_facts(), state.rules.closes.values.tobytes(), state.rules.since.tobytes()
    rest = table.take(table.start >= START_MS + 50 * MINUTE_MS)
    assert advance(state, rest, CONFIG, np.ones(len(rest), np.bool_), final=False).rules
    assert (state.rules.as_facts(), state.rules.closes.values.tobytes(), state.rules.since.tobytes()) == before


def test_the_volatility_of_an_open_bar_opens_nothing() -> None:
    table = walks(5)
    complete = np.zeros(len(table), np.bool_)
    found = {one.rule.name for one in advance(state_of(), table, CONFIG, complete, final=False).rules}
    assert found == {"one", "five", "thirty", "first"}


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 50), upper=st.floats(0, 0.05), lower=st.floats(0, 0.05), more=st.integers(0, 20),
    minute=st.integers(8, 140),
)  # fmt: skip
def test_a_move_of_an_open_bar_is_a_move_of_the_whole_bar(
    seed: int, upper: float, lower: float, more: int, minute: int
) -> None:
    table = walks(seed)
    table = table.take((table.series == 0) & (table.start <= START_MS + minute * MINUTE_MS))
    last = np.arange(len(table)) == len(table) - 1
    grown = replace(
        table,
        high=np.where(last, table.high * (1 + upper), table.high),
        low=np.where(last, table.low * (1 - lower), table.low),
        trades=np.where(last, table.trades + more, table.trades),
    )
    config = EngineConfig(rules=RULES[:4])

    def opened(bars: BarTable) -> set[tuple[str, int]]:
        made = advance(state_of(config), bars, config, ~last, final=False)
        return {(name, step[1]) for name, step in told(made) if step[2] == "OPEN"}

    assert opened(table) <= opened(grown)


def test_a_rule_watches_only_the_series_that_it_is_for() -> None:
    series = {step[0] for name, step in told(finally_of(state_of(), walks(1))) if name == "first"}
    assert series == {0}


def test_without_rules_nothing_is_kept_and_nothing_happens() -> None:
    config = EngineConfig()
    state = state_of(config)
    assert finally_of(state, walks(1), config).rules == ()
    assert state.rules.closes.width == 0


def test_the_default_detector_is_not_changed_by_rules() -> None:
    table = walks(6)
    made, plain = finally_of(state_of(), table), finally_of(state_of(EngineConfig()), table, EngineConfig())
    assert made.signals.statistic.tobytes() == plain.signals.statistic.tobytes()
    assert made.volatility.value.tobytes() == plain.volatility.value.tobytes()
