"""One bar in plain arithmetic: it comes to what the engine says, bar by bar, and says why nothing opens."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import CONFIG, DAILY_CALENDARS, MINUTE_MS, START_MS, advance_final, bars, made_state
from volwatch.analytics.anatomy import Anatomy, dissect
from volwatch.analytics.bars import BarTable
from volwatch.analytics.detector import HIGH, LOW
from volwatch.analytics.results import FLAG_SOURCE_GAP
from volwatch.analytics.rules.override import Override
from volwatch.analytics.state import EngineState, save


def told(calendar: str, table: BarTable, first: int = 55) -> list[Anatomy]:
    """Return the anatomy of each bar from one on, with the state taken on bar by bar."""
    state, found = made_state(calendar), []
    advance_final(state, table.take(slice(0, first)))
    for row in range(first, len(table)):
        bar = table.take(slice(row, row + 1))
        anatomy = dissect(state, bar, CONFIG, complete=True, final=True)
        assert anatomy is not None
        found.append(anatomy)
        advance_final(state, bar)
    return found


def wild(seed: int, count: int) -> BarTable:
    """Return bars of a market with bursts, jumps, halts, gaps and nights, from one that has just opened."""
    random = np.random.Generator(np.random.PCG64(seed))
    steps = random.choice([1, 1, 1, 1, 2, 7, 14], count, p=[0.3, 0.3, 0.2, 0.1, 0.06, 0.03, 0.01]).cumsum() - 1
    day, minute = np.divmod(steps, 390)
    start = START_MS + (day * 1440 + minute) * MINUTE_MS
    loud = np.repeat(random.random(count // 5 + 1) < 0.12, 5)[:count]
    spread = 1e-3 * np.exp(0.3 * random.standard_normal(count) + loud * random.uniform(0, 4.5, count))
    table = bars(start, spread=spread, trades=random.integers(1, 40, count))
    table.close[:] = table.low + (table.high - table.low) * random.random(count)
    table.flags[random.random(count) < 0.04] |= FLAG_SOURCE_GAP
    return table


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), calendar=st.sampled_from(DAILY_CALENDARS))
def test_every_bar_of_a_wild_market_comes_to_what_the_engine_says(seed: int, calendar: str) -> None:
    found = told(calendar, wild(seed, 150))
    assert [anatomy for anatomy in found if not anatomy.agrees] == []


def test_a_wild_market_shows_every_way_a_bar_can_be_judged() -> None:
    found = [anatomy for seed in range(2) for anatomy in told("XNYS", wild(seed, 200))]
    apart = Counter(anatomy.apart for anatomy in found)
    assert set(apart) == {"", "REOPEN", "BLIND"}
    opened = [anatomy for anatomy in found if anatomy.opened]
    assert {anatomy.channel for anatomy in opened} == {"jump", "burst"}
    assert {anatomy.severity for anatomy in opened} >= {LOW, HIGH}
    assert {anatomy.hindrances for anatomy in opened} == {()}
    reasons = Counter(text.partition(" ")[0] for anatomy in found for text in anatomy.hindrances)
    assert set(reasons) == {"warm-up:", "S", "a", "the", "an", "within"}


def warm(count: int = 80) -> EngineState:
    """Return the state behind a calm of bars whose log range is that of 0.1 %."""
    state = made_state("24/7")
    advance_final(state, bars(START_MS + np.arange(count) * MINUTE_MS, spread=1e-3))
    return state


def test_the_steps_of_a_bar_by_hand() -> None:
    """A calm of equal bars has taught b = ln 0.001 and the least σ; a range of e times that is one unit above it."""
    state = warm(2_000)
    bar = bars([START_MS + 2_000 * MINUTE_MS], spread=np.array([1e-3 * np.e**1.5]))
    anatomy = dissect(state, bar, CONFIG, complete=True, final=True)
    assert anatomy is not None
    assert anatomy.reference == 100.0
    assert anatomy.log_range == pytest.approx(np.log(1e-3) + 1.5, rel=1e-12)
    assert anatomy.usual == 0.0
    assert anatomy.scale == pytest.approx(0.30, rel=1e-3)
    assert anatomy.baseline == pytest.approx(np.log(1e-3), rel=1e-12)
    assert anatomy.z == pytest.approx(1.5 / anatomy.scale)
    assert anatomy.burst == pytest.approx(0.4 * anatomy.z, abs=1e-12)
    assert anatomy.statistic == anatomy.z
    assert anatomy.ratio == pytest.approx(np.exp(0.5))
    assert (anatomy.opened, anatomy.channel, anatomy.severity) == (True, "jump", 2)
    assert dict(anatomy.rules) == {2: ("S >= 5",)}


def test_a_bar_behind_others_is_judged_as_after_them_and_the_state_stays() -> None:
    table = wild(3, 90)
    state = made_state("24/7")
    before = save(state)
    alone = told("24/7", table)[-1]
    assert dissect(state, table, CONFIG, complete=True, final=True) == alone
    assert save(state) == before


def test_the_move_of_an_open_bar_decides_nothing() -> None:
    bar = bars([START_MS + 80 * MINUTE_MS], spread=np.array([0.02]))
    bar.close[:] = bar.high
    ended, still_open = (dissect(warm(), bar, CONFIG, complete=complete, final=False) for complete in (True, False))
    assert ended is not None
    assert still_open is not None
    assert (still_open.move, ended.move > 0) == (0.0, True)
    assert (still_open.statistic, still_open.agrees, ended.agrees) == (ended.statistic, True, True)


def test_a_bar_outside_regular_hours_is_not_judged() -> None:
    early = bars([START_MS - 60 * MINUTE_MS])
    assert dissect(made_state("XNYS"), early, CONFIG, complete=True, final=True) is None


def test_a_series_with_a_threshold_of_its_own_is_judged_by_that() -> None:
    """A bar of S = 5 opens no alert where an override asks for 6, nor where it lets none open; elsewhere it does."""
    state = warm(2_000)
    bar = bars([START_MS + 2_000 * MINUTE_MS], spread=np.array([1e-3 * np.e**1.5]))
    found = {}
    given = {"other": Override("S9", enter=6.0), "six": Override(enter=6.0), "off": Override(off=True)}
    for name, override in given.items():
        anatomy = dissect(state, bar, replace(CONFIG, overrides=(override,)), complete=True, final=True)
        assert anatomy is not None
        assert anatomy.agrees
        found[name] = (anatomy.enter, anatomy.opened, anatomy.hindrances)
    assert found == {
        "other": (CONFIG.enter, True, ()),
        "six": (6.0, False, ("S = 5.000 is below 6",)),
        "off": (np.inf, False, ("an override lets the series open none",)),
    }
