"""The dashboard's benchmark: that it asks everything, and that it sees a difference."""

from typing import Any

import pandas as pd
import pytest

from dashboard.reading import ACTS, DashboardReader
from tests.benchmarks import dashboard as benchmark
from tests.benchmarks.measure import Unequal
from tests.benchmarks.warehouse_market import SYMBOLS
from tests.dashboard.fakes import market, some_alert
from volwatch.errors import Misconfigured


class Counted:
    """A reader that notes what it is asked."""

    def __init__(self) -> None:
        self._market = market()
        self.asked: list[str] = []

    def totals(self) -> None:
        self.asked.append("totals")

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._market, name)


def test_every_question_of_a_page_is_asked_and_nothing_is_done() -> None:
    reader: Any = Counted()
    for question in benchmark.questions(reader).values():
        question()
    questions = {name for name in vars(DashboardReader) if not name.startswith("_")}
    assert set(reader.asked) == (questions - ACTS) | {"totals"}


def test_a_question_of_which_the_benchmark_knows_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DashboardReader, "weather", lambda _reader, town: town, raising=False)
    with pytest.raises(Misconfigured, match="what weather asks for is not known to the benchmark: town"):
        benchmark.questions(Counted())  # type: ignore[arg-type]


def test_the_95th_percentile_is_of_the_rounds_behind_the_first() -> None:
    times = iter([0.0, 0.1, 1.0, 1.2, 2.0, 2.1])
    assert benchmark.p95_ms(some_alert, 3, lambda: next(times)) == pytest.approx(190.0)


def test_first_pages_that_say_different_things_are_seen() -> None:
    rows = [[f"S{number:03}", 1.0, 0.2, 0.3, 1.5] for number in range(SYMBOLS)]
    page = pd.DataFrame(rows, columns=["symbol", "close", "cc", "ewma", "statistic"])
    benchmark.check(page.iloc[::-1], page)
    with pytest.raises(Unequal):
        benchmark.check(page.assign(close=2.0), page)
    with pytest.raises(Unequal):
        benchmark.check(page.iloc[1:], page.iloc[1:])
