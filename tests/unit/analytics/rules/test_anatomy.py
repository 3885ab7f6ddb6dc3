"""One bar under one rule in plain arithmetic: it comes to what the engine says, bar by bar, and says why none opens."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, START_MS, bars, made_state, minutes_from
from volwatch.analytics.bars import BarTable
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.minutes import advance
from volwatch.analytics.results import FLAG_SOURCE_GAP
from volwatch.analytics.rules.anatomy import RuleAnatomy, dissect_rule
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.state import EngineState, save

DAY_MS = 24 * 60 * MINUTE_MS
FIVE = Move("five", percent=0.8, minutes=5)
RULES: tuple[Rule, ...] = (
    Move("one", percent=0.4, minutes=1, min_trades=30),
    FIVE,
    Move("twelve", percent=1.0, minutes=12, exit_fraction=0.5),
    VolatilityAbove("ewma", threshold=0.4),
    VolatilityAbove("cc", threshold=0.5, estimator="cc", exit_fraction=1.0),
)
CONFIG = EngineConfig(rules=RULES)


def wild(seed: int) -> BarTable:
    """Return a random walk over two sessions, with holes, a halt, jumps, and gaps of its source."""
    random = np.random.Generator(np.random.PCG64(seed))
    start = np.concatenate([minutes_from(START_MS, 80), minutes_from(START_MS + DAY_MS, 30)])
    start = start[random.random(len(start)) > 0.15]
    start = start[(start < START_MS + 45 * MINUTE_MS) | (start > START_MS + 55 * MINUTE_MS)]
    steps = random.standard_normal(len(start)) * np.where(random.random(len(start)) < 0.08, 8e-3, 1e-3)
    table = bars(start, middle=100 * np.exp(np.cumsum(steps)), trades=random.integers(1, 60, len(start)))
    table.flags[random.random(len(start)) < 0.04] |= FLAG_SOURCE_GAP
    return table


def go_on(state: EngineState, table: BarTable) -> None:
    advance(state, table, CONFIG, np.ones(len(table), np.bool_), final=True)


def told(table: BarTable, rules_a_bar: int) -> list[RuleAnatomy]:
    """Return the anatomy of each bar under so many rules in turn, with the state taken on bar by bar."""
    state, found = made_state("XNYS"), []
    for row in range(len(table)):
        bar = table.take(slice(row, row + 1))
        for turn in range(row, row + rules_a_bar):
            rule = RULES[turn % len(RULES)]
            anatomy = dissect_rule(rule, state, bar, CONFIG, complete=True, final=True)
            assert anatomy is not None
            found.append(anatomy)
        go_on(state, bar)
    return found


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_bar_of_a_wild_market_comes_to_what_the_engine_says(seed: int) -> None:
    assert [anatomy for anatomy in told(wild(seed), 1) if not anatomy.agrees] == []


def test_a_wild_market_shows_every_way_a_bar_can_be_judged() -> None:
    found = told(wild(3), len(RULES))
    assert {anatomy.rule.name for anatomy in found if anatomy.opened} == {rule.name for rule in RULES}
    reasons = Counter(" ".join(text.split()[:2]) for anatomy in found for text in anatomy.hindrances)
    below = {text for text in reasons if text.endswith(" %")}
    assert below
    assert set(reasons) - below == {"there is", "it has", "the bar", "an alert", "within 10"}


def calm(minutes: int) -> EngineState:
    """Return the state behind so many equal bars."""
    state = made_state("24/7")
    go_on(state, bars(minutes_from(START_MS, minutes), spread=1e-3))
    return state


def test_the_steps_of_a_move_by_hand() -> None:
    bar = bars([START_MS + 20 * MINUTE_MS], middle=99.0, spread=np.array([0.0]))
    anatomy = dissect_rule(FIVE, calm(20), bar, CONFIG, complete=False, final=False)
    assert anatomy is not None
    assert (anatomy.reference_start, anatomy.facts.reference) == (START_MS + 15 * MINUTE_MS, 100.0)
    assert [anatomy.up, anatomy.down] == pytest.approx([-0.01, 0.01])
    assert (anatomy.facts.statistic, anatomy.told) == (anatomy.down, anatomy.down)
    assert (anatomy.opened, anatomy.hindrances, anatomy.agrees) == (True, (), True)


def test_where_a_minute_has_no_bar_a_move_is_measured_from_the_one_before() -> None:
    table = bars(START_MS + np.array([18, 21]) * MINUTE_MS, middle=np.array([100.5, 101.0]))
    anatomy = dissect_rule(FIVE, calm(15), table, CONFIG, complete=True, final=True)
    assert anatomy is not None
    assert (anatomy.reference_start, anatomy.facts.reference) == (START_MS + 14 * MINUTE_MS, 100.0)
    assert (anatomy.opened, anatomy.agrees) == (True, True)


def test_a_move_across_a_halt_has_nothing_to_be_measured_by() -> None:
    bar = bars([START_MS + 23 * MINUTE_MS], middle=101.0)
    anatomy = dissect_rule(FIVE, calm(15), bar, CONFIG, complete=True, final=True)
    assert anatomy is not None
    assert (anatomy.breaks, anatomy.reference_start, anatomy.opened, anatomy.agrees) == (True, None, False, True)
    assert anatomy.hindrances[0] == "there is nothing to measure it by"


def test_a_bar_behind_others_is_judged_as_after_them_and_the_state_stays() -> None:
    state = calm(20)
    before = save(state)
    table = bars(START_MS + np.arange(20, 23) * MINUTE_MS, middle=np.array([100.0, 100.0, 101.0]))
    anatomy = dissect_rule(FIVE, state, table, CONFIG, complete=True, final=False)
    assert save(state) == before
    go_on(state, table.take(slice(0, 2)))
    alone = dissect_rule(FIVE, state, table.take(slice(2, 3)), CONFIG, complete=True, final=False)
    assert repr(alone) == repr(anatomy)  # a NaN is equal to itself
    assert anatomy is not None
    assert anatomy.opened


def test_the_volatility_of_an_open_bar_decides_nothing() -> None:
    state, rule = calm(40), RULES[3]
    bar = bars([START_MS + 40 * MINUTE_MS], middle=105.0)
    ended, still_open = (
        dissect_rule(rule, state, bar, CONFIG, complete=complete, final=False) for complete in (True, False)
    )
    assert ended is not None
    assert still_open is not None
    assert (ended.opened, ended.agrees) == (True, True)
    assert (still_open.opened, still_open.agrees) == (False, True)
    assert still_open.hindrances == ("there is nothing to measure it by",)


def test_a_bar_outside_regular_hours_is_not_judged() -> None:
    early = bars([START_MS - 60 * MINUTE_MS])
    assert dissect_rule(FIVE, made_state("XNYS"), early, CONFIG, complete=True, final=True) is None
