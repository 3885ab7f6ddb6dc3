"""The benchmarks' own parts: how they measure, and that both sides of those without servers do the same work."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks import bars, engine, engine_by_symbol, engine_in_pandas
from tests.benchmarks.market import trades
from tests.benchmarks.measure import Measured, Unequal, measure
from volwatch.analytics.trades import from_records


def side(seconds: list[float]) -> Callable[[], tuple[float, str]]:
    """Return a side that takes so long, run by run."""
    runs = iter(seconds)
    return lambda: (next(runs), "same")


def accept(_made: str, _expected: str) -> None:
    """Find no difference."""


def test_medians_of_the_rounds_behind_the_warm_up_make_the_ratio() -> None:
    told: list[str] = []
    found = measure("x", "rows/s", 100, side([99.0, 1.0, 9.0, 2.0]), side([1.0, 4.0, 4.0, 5.0]), accept, told.append)
    assert found == Measured(name="x", ours=50.0, peer=25.0, ratio=2.0, unit="rows/s")
    assert told == ["x: warming up", "x: round 1 of 3", "x: round 2 of 3", "x: round 3 of 3"]


def test_sides_that_differ_give_no_ratio() -> None:
    def refuse(_made: str, _expected: str) -> None:
        raise Unequal("x")

    with pytest.raises(Unequal):
        measure("x", "rows/s", 1, side([1.0]), side([1.0]), refuse, lambda _line: None)


def test_the_bars_of_both_sides_are_the_same_and_a_difference_is_seen() -> None:
    columns = from_records(trades(20_000))
    made = bars.our_bars(columns)
    bars.check(made, bars.pandas_bars(bars.frame_of(columns)))
    with pytest.raises(Unequal):
        bars.check(made, bars.pandas_bars(bars.frame_of(replace(columns, size=columns.size + 1.0))))


def test_the_engine_and_pandas_agree_and_a_difference_is_seen() -> None:
    session = engine.made_session(8)
    made = engine.our_outcome(engine.fresh_state(8), engine.table_of(session))
    expected = engine_in_pandas.outcome(engine.frames_of(session), enter=3.7)
    engine.check(made, expected)
    engine.check(made, engine_by_symbol.outcome(engine.long_frame(session), enter=3.7))
    assert expected.opened.any()
    assert np.isnan(expected.volatility["parkinson"].to_numpy()[-1]).tolist() == [True, False, False, False] * 2
    with pytest.raises(Unequal):
        engine.check(made, replace(expected, statistic=expected.statistic + 1e-6))
