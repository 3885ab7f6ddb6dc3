"""The state is a value: saved and restored to the last bit, copied without a trace."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest

from tests.unit.analytics.made import CONFIG, SOURCE, bars, made_state, minutes_from
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import EngineState, Shown, add_series, restore, save
from volwatch.analytics.trades import Trades


@pytest.fixture(scope="module")
def lived(market: Callable[..., Trades]) -> EngineState:
    """Return the state after a market of stocks with a spike, and one of coins."""
    engine = Engine(CONFIG)
    engine.process(market(seed=5, minutes=90, spike_minute=85, source="feed"))
    engine.process(market(seed=6, minutes=20))
    engine.state.shown[1] = Shown(onset=1_767_623_400_000, kind=1, severity=3, confirmed=False)
    return engine.state


def test_a_saved_state_is_restored_to_the_last_bit(lived: EngineState) -> None:
    again = restore(save(lived))
    assert save(again) == save(lived)
    assert (again.series, again.calendars, again.watermarks, again.shown) == (
        lived.series,
        lived.calendars,
        lived.watermarks,
        lived.shown,
    )
    assert again.minutes.history.names == lived.minutes.history.names
    assert again.minutes.history.values.tobytes() == lived.minutes.history.values.tobytes()
    assert again.season.today.tobytes() == lived.season.today.tobytes()
    assert again.detector.baseline.tobytes() == lived.detector.baseline.tobytes()
    assert again.minute_bars.notional.tobytes() == lived.minute_bars.notional.tobytes()


def test_numbers_that_text_would_not_keep_are_kept(lived: EngineState) -> None:
    state = deepcopy(lived)
    odd = np.array([np.nan, -0.0, 5e-324, np.nextafter(1, 2)])
    state.detector.baseline = odd
    assert restore(save(state)).detector.baseline.tobytes() == odd.tobytes()


def test_the_same_state_has_the_same_bytes(lived: EngineState) -> None:
    assert save(lived) == save(deepcopy(lived))


def test_a_copy_may_be_advanced_without_a_trace(lived: EngineState, market: Callable[..., Trades]) -> None:
    before = save(lived)
    ahead = Engine(CONFIG, deepcopy(lived))
    ahead.process(market(seed=7, minutes=120, source="feed"))
    assert save(lived) == before
    assert save(ahead.state) != before


def test_names_of_any_script_survive() -> None:
    state = made_state()
    add_series(state, [("replay-x", 'BTC:"€\U0001f600')], ["24/7"])
    assert restore(save(state)).series == [("replay-x", 'BTC:"€\U0001f600')]


def test_room_for_more_series_leaves_the_others_as_they_were(lived: EngineState) -> None:
    state = deepcopy(lived)
    held = len(state.series)
    add_series(state, [(SOURCE, "NEW1"), (SOURCE, "NEW2")], ["XNYS", "24/7"])
    assert len(state.series) == len(state.calendars) == held + 2
    assert state.detector.bars.tolist() == [*lived.detector.bars.tolist(), 0, 0]
    assert state.season.profile[:held].tobytes() == lived.season.profile.tobytes()
    assert np.isnan(state.minutes.close[held:]).all()
    assert state.days.start[held:].tolist() == [-1, -1]
    assert state.minutes.history.values.shape[1] == held + 2


def test_a_state_without_series_is_restored() -> None:
    empty = Engine(CONFIG).state
    assert save(restore(save(empty))) == save(empty)


def test_pending_bars_are_part_of_the_state() -> None:
    state = made_state("XNYS")
    state.minute_bars = bars(minutes_from(0, 3))
    assert restore(save(state)).minute_bars.high.tolist() == state.minute_bars.high.tolist()
