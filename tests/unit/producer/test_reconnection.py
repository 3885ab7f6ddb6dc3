"""Waits double, vary by chance, and begin anew after a connection that held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.producer.reconnection import Reconnection


def test_waits_double_from_a_second_to_a_minute() -> None:
    reconnection = Reconnection(lambda: 0.5)
    assert [reconnection.wait_seconds(0.0) for _ in range(9)] == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60])


def test_a_wait_is_up_to_a_fifth_shorter_or_longer() -> None:
    assert Reconnection(lambda: 0.0).wait_seconds(0.0) == pytest.approx(0.8)
    assert Reconnection(lambda: 0.75).wait_seconds(0.0) == pytest.approx(1.1)


def test_a_connection_that_held_a_minute_begins_the_waits_anew() -> None:
    reconnection = Reconnection(lambda: 0.5)
    waits = [reconnection.wait_seconds(held) for held in (0.0, 59.9, 60.0, 0.0)]
    assert waits == pytest.approx([1, 2, 1, 2])


def test_what_the_server_wants_is_the_least() -> None:
    reconnection = Reconnection(lambda: 0.5)
    assert [reconnection.wait_seconds(0.0, 30.0), reconnection.wait_seconds(0.0, 0.5)] == pytest.approx([30, 2])


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 100)), max_size=2_000))
def test_no_wait_is_outside_the_bounds(turns: list[tuple[float, float]]) -> None:
    draws = iter([draw for draw, _ in turns])
    reconnection = Reconnection(lambda: next(draws))
    assert all(0.8 <= reconnection.wait_seconds(held) < 72.0 + 1e-9 for _, held in turns)
