"""One reading for all who look: how old an answer may be, who waits for it, and what makes it new."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest

from dashboard.reading import ACTS, DashboardReader
from dashboard.sharing import SECONDS, UNSHARED, SharedReader
from volwatch.errors import Transient
from volwatch.warehouse.readings import AlertFilter, Series, Span

AAPL = Series("simulator", "AAPL")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Asked:
    """A reader that counts what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fault: Exception | None = None

    def __getattr__(self, name: str) -> Callable[..., object]:
        def answer(*_args: object, **_named: object) -> object:
            self.calls.append(name)
            if self.fault is not None:
                raise self.fault
            return pd.DataFrame({"call": [len(self.calls)]})

        return answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(asked: Asked, clock: Clock) -> SharedReader:
    return SharedReader(asked, 1.0, clock)  # type: ignore[arg-type]  # it answers to any name


def test_a_young_answer_serves_all_and_an_old_one_nobody(reader: SharedReader, asked: Asked, clock: Clock) -> None:
    assert [reader.alerts(AlertFilter(), 8)["call"][0] for _ in range(3)] == [1, 1, 1]
    clock.now = 1.0
    assert reader.alerts(AlertFilter(), 8)["call"][0] == 2
    assert asked.calls == ["alerts", "alerts"]


def test_another_question_has_another_answer(reader: SharedReader, asked: Asked) -> None:
    reader.alerts(AlertFilter(), 8)
    reader.alerts(AlertFilter(symbol="AAPL"), 8)
    reader.volatility(AAPL, Span(NOON, NOON, 60, 60), ["cc"])
    reader.volatility(AAPL, Span(NOON, NOON, 60, 60), ["cc", "ewma"])
    reader.volatility(AAPL, Span(NOON, NOON, 60, 60), ("cc",))
    assert asked.calls == ["alerts"] * 2 + ["volatility"] * 2


def test_what_is_slow_to_change_is_asked_for_seldom(reader: SharedReader, asked: Asked, clock: Clock) -> None:
    for clock.now in (0.0, SECONDS["ratios"] - 1, SECONDS["ratios"]):
        reader.ratios(NOON, NOON, 600)
    assert asked.calls == ["ratios"] * 2


def test_what_a_person_writes_is_seen_at_once(reader: SharedReader, asked: Asked) -> None:
    reader.alerts(AlertFilter(), 8)
    reader.acknowledge("id", "Ada", None)
    assert reader.alerts(AlertFilter(), 8)["call"][0] == 3
    reader.alert("id")
    reader.alert("id")
    assert asked.calls == ["alerts", "acknowledge", "alerts", "alert", "alert"]


def test_a_fault_is_told_and_not_kept(reader: SharedReader, asked: Asked) -> None:
    asked.fault = Transient("away")
    with pytest.raises(Transient):
        reader.freshness()
    asked.fault = None
    reader.freshness()
    assert asked.calls == ["freshness"] * 2


def test_what_one_does_to_a_frame_no_other_sees(reader: SharedReader) -> None:
    reader.hops().loc[0, "call"] = 99
    assert reader.hops()["call"].tolist() == [1]


def test_all_who_ask_at_once_wait_for_one_answer(clock: Clock) -> None:
    begun, go_on, calls = threading.Event(), threading.Event(), []

    class Slow:
        def hops(self) -> int:
            calls.append(1)
            begun.set()
            go_on.wait(10)
            return len(calls)

    reader = SharedReader(Slow(), 1.0, clock)  # type: ignore[arg-type]  # it is asked for nothing else
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(reader.hops())) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == [1] * 5


def test_old_answers_do_not_pile_up(reader: SharedReader, clock: Clock) -> None:
    for number in range(2_000):
        clock.now += 0.01
        reader.alerts(AlertFilter(), number)
    assert len(reader._answers) < 700


def test_the_names_are_those_of_a_reader() -> None:
    assert set(vars(DashboardReader)) >= ACTS | SECONDS.keys() | UNSHARED
