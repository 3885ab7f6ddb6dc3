"""Which bars have changed: those of a series of which any bar is new or other, and all once the state has moved on."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.analytics.made import START_MS, bars, made_state
from volwatch.analytics.bars import BarTable
from volwatch.analytics.seen import Seen
from volwatch.analytics.state import EngineState


@pytest.fixture
def table() -> BarTable:
    """Return two bars each of two series."""
    return bars(np.array([START_MS, START_MS + 60_000] * 2), series=np.array([0, 0, 1, 1]))


@pytest.fixture
def state() -> EngineState:
    return made_state("XNYS", "XNYS")


@pytest.fixture
def seen(table: BarTable, state: EngineState) -> Seen:
    seen = Seen()
    assert seen.changed(table, complete(table), state).all()
    return seen


def complete(table: BarTable, *rows: int) -> np.ndarray:
    return np.isin(np.arange(len(table)), rows)


def test_what_is_as_it_was_has_not_changed(seen: Seen, table: BarTable, state: EngineState) -> None:
    assert not seen.changed(table, complete(table), state).any()


@pytest.mark.parametrize("column", ["high", "close", "trades", "flags", "revision"])
def test_a_series_has_changed_with_any_of_its_bars(
    seen: Seen, table: BarTable, state: EngineState, column: str
) -> None:
    values = getattr(table, column).copy()
    values[3] += 1
    changed = replace(table, **{column: values})
    assert seen.changed(changed, complete(table), state).tolist() == [False, False, True, True]
    assert not seen.changed(changed, complete(table), state).any()


def test_a_bar_that_has_ended_has_changed(seen: Seen, table: BarTable, state: EngineState) -> None:
    assert seen.changed(table, complete(table, 0), state).tolist() == [True, True, False, False]


def test_a_series_has_changed_with_a_new_bar(seen: Seen, table: BarTable, state: EngineState) -> None:
    assert seen.changed(table.take(slice(0, 3)), complete(table)[:3], state).tolist() == [False] * 3
    assert seen.changed(table, complete(table), state).tolist() == [False, False, True, True]


def test_all_have_changed_with_the_state(seen: Seen, table: BarTable, state: EngineState) -> None:
    seen.forget()
    assert seen.changed(table, complete(table), state).all()
    state.gap_series, state.gap_since = np.array([0]), np.array([START_MS])
    assert seen.changed(table, complete(table), state).all()
