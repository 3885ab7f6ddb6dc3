"""From a statistic to alerts, worked by hand: threshold, hysteresis, rest, sessions."""

import numpy as np
import pytest

from volwatch.analytics.groups import grouped
from volwatch.analytics.rules.held import Hold
from volwatch.analytics.rules.hold import Statistic, follow
from volwatch.analytics.rules.rule import Move

RULE = Move("m", percent=10.0, exit_fraction=0.5)
NAN = np.nan


def happened(
    *values: float, begins: tuple[int, ...] = (), not_open: tuple[int, ...] = (), few: tuple[int, ...] = (),
    held: Hold | None = None, watched: bool = True,
) -> tuple[list[tuple[int, str, int, float]], Hold | None]:  # fmt: skip
    """Return what happened at which bar of one series, its onset (the bar's number) and peak; and what is held."""
    place = np.arange(len(values))
    bars = Statistic(
        np.array(values), ~np.isin(place, not_open), np.where(np.isin(place, few), 1, 2), np.isin(place, begins), place
    )
    groups = grouped(np.zeros(len(values), np.int64))
    after, events = follow(RULE, groups, {} if held is None else {0: held}, np.array([watched]), bars)
    return [(event.row, event.state, event.onset, event.peak) for event in events], after.get(0)


def test_an_alert_opens_at_the_threshold_and_ends_below_a_fraction_of_it() -> None:
    events, held = happened(0.09, 0.1, 0.07, 0.12, 0.05, 0.049)
    assert events == [(1, "OPEN", 1, 0.1), (5, "CLOSED", 1, 0.12)]
    assert held == Hold(False, 1, 0.12, 4, "MEDIUM")


def test_what_is_undefined_neither_opens_nor_ends() -> None:
    assert happened(NAN, 0.2, NAN, NAN, 0.01)[0] == [(1, "OPEN", 1, 0.2), (4, "CLOSED", 1, 0.2)]


@pytest.mark.parametrize(("bars_between", "second"), [(8, 11), (9, 11), (10, 12), (12, 14)])
def test_no_new_alert_opens_within_ten_bars_of_an_onset(bars_between: int, second: int) -> None:
    events, _ = happened(0.0, 0.2, *[0.0] * bars_between, 0.2, 0.2, 0.2)
    assert events[-1][:2] == (second, "OPEN")


def test_a_session_ends_an_alert_and_the_rest() -> None:
    events, _ = happened(0.2, 0.3, 0.4, 0.2, begins=(0, 2))
    assert events == [(0, "OPEN", 0, 0.2), (2, "CLOSED", 0, 0.3), (2, "OPEN", 2, 0.4)]


def test_a_bar_after_a_halt_or_of_few_trades_opens_nothing_but_holds() -> None:
    assert happened(0.2, 0.2, not_open=(0,), few=(1,)) == ([], Hold(False, 0, 0.0, 10, "MEDIUM"))
    assert happened(0.2, 0.3, 0.0, few=(1,))[0] == [(0, "OPEN", 0, 0.2), (2, "CLOSED", 0, 0.3)]


def test_an_alert_that_is_held_goes_on() -> None:
    held = Hold(True, -70, 0.15, 3, "MEDIUM")
    assert happened(0.2, 0.0, held=held) == ([(1, "CLOSED", -70, 0.2)], Hold(False, -70, 0.2, 5, "MEDIUM"))
    resting = Hold(False, -70, 0.15, 7, "MEDIUM")
    assert happened(0.2, 0.2, 0.2, 0.2, held=resting)[0] == [(2, "OPEN", 2, 0.2)]


def test_a_series_that_the_rule_is_not_for_is_left_alone() -> None:
    assert happened(0.2, 0.3, watched=False) == ([], None)
