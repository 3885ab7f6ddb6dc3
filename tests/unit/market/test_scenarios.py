from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.market.scenarios import (
    PERIOD_SECONDS,
    QUIET_SECONDS,
    SCENARIOS,
    first_second,
    last_second,
    schedule,
    stream,
)

EVENTFUL = [name for name, scenario in SCENARIOS.items() if scenario.event_kinds]


@given(st.sampled_from(EVENTFUL), st.integers(0, 2**64 - 1), st.integers(0, 50), st.integers(1, 8))
def test_events_stay_in_their_period_and_those_of_a_symbol_stand_apart(
    name: str, seed: int, period: int, symbols: int
) -> None:
    events = schedule(SCENARIOS[name], seed, period, symbols)
    for symbol in range(symbols):
        own = [event for event in events if event.symbol == symbol]
        assert all(last_second(before) + 1_200 <= first_second(after) for before, after in pairwise(own))
    assert all(period * PERIOD_SECONDS < first_second(event) for event in events)
    assert all(last_second(event) < (period + 1) * PERIOD_SECONDS for event in events)
    assert {event.kind for event in events} <= set(SCENARIOS[name].event_kinds)


@given(st.sampled_from(EVENTFUL), st.integers(0, 1_000))
def test_a_label_lies_within_what_its_event_bends(name: str, seed: int) -> None:
    for event in schedule(SCENARIOS[name], seed, 1, 4):
        assert first_second(event) <= event.start_second < event.end_second
        assert event.kind == "jump" or event.end_second == last_second(event)


def test_the_first_hour_is_quiet() -> None:
    events = [event for seed in range(200) for event in schedule(SCENARIOS["burst"], seed, 0, 4)]
    assert min(first_second(event) for event in events) >= QUIET_SECONDS


@pytest.mark.parametrize("name", EVENTFUL)
def test_events_come_about_as_often_as_the_scenario_says(name: str) -> None:
    days, symbols = 50, 20
    count = sum(len(schedule(SCENARIOS[name], 1, period, symbols)) for period in range(4, 4 + 4 * days))
    assert count / (days * symbols) == pytest.approx(SCENARIOS[name].events_per_symbol_day, rel=0.15)


def test_a_calm_scenario_has_no_events() -> None:
    assert [schedule(SCENARIOS[name], 1, 5, 10) for name in SCENARIOS if name not in EVENTFUL] == [[]] * 6


def test_streams_of_other_purposes_or_places_share_no_numbers() -> None:
    paths = [("block", 0), ("block", 1), ("minute", 0), ("minute", 60), ("calm", 0)]
    assert len({float(stream(7, *path).random()) for path in paths}) == len(paths)
