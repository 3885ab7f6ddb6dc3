import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipeline.timing import Time
from volwatch.pipeline.call_budget import CALLS_PER_SECOND, CallBudget, OutOfTime


def most_within(calls: list[float], seconds: float) -> int:
    return max(sum(at <= other < at + seconds for other in calls) for at in calls)


@given(
    st.integers(1, 40),
    st.lists(st.floats(0.0, 20.0), min_size=1, max_size=80),
    st.lists(st.floats(0.0, 59.0), max_size=40),
)
def test_no_minute_and_no_second_sees_more_calls_than_it_may(
    per_minute: int, gaps: list[float], others: list[float]
) -> None:
    time = Time()
    spent = sorted(others, reverse=True)[-per_minute:]
    calls = [time.now - ago for ago in spent]
    budget = CallBudget(per_minute, 1e9, time.clock, time.sleep, spent)
    for gap in gaps:
        time.now += gap
        budget.take()
        calls.append(time.now)
    assert budget.calls == len(gaps)
    # The clock of the bucket has milliseconds.
    assert most_within(calls, 60.0 - 0.002) <= per_minute
    assert most_within(calls[len(spent) :], 1.0 - 0.002) <= CALLS_PER_SECOND


def test_calls_below_the_limits_wait_for_nothing() -> None:
    time = Time()
    budget = CallBudget(50, 45.0, time.clock, time.sleep)
    for _ in range(CALLS_PER_SECOND):
        budget.take()
    assert time.sleeps == []


def test_a_minute_of_calls_by_another_run_is_waited_for() -> None:
    time = Time()
    budget = CallBudget(2, 45.0, time.clock, time.sleep, spent=[50.0, 40.0])
    budget.take()
    assert time.now == pytest.approx(1_010.0, abs=0.01)


def test_what_would_come_after_the_end_is_refused_without_waiting() -> None:
    time = Time()
    budget = CallBudget(1, 45.0, time.clock, time.sleep)
    budget.take()
    with pytest.raises(OutOfTime):
        budget.take()
    assert (time.sleeps, budget.calls) == ([], 1)


def test_a_pause_that_reaches_to_the_end_is_refused() -> None:
    time = Time()
    budget = CallBudget(1, 45.0, time.clock, time.sleep)
    budget.pause(44.0)
    with pytest.raises(OutOfTime):
        budget.pause(1.0)
    assert time.sleeps == [44.0]
