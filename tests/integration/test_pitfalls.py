"""The pitfall that only a real database shows: what aggregates make of NULL."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.worlds import START_MS, end_mark, own_world, simulated
from volwatch.local.stack import Stack
from volwatch.warehouse.reader import open_reader
from volwatch.warehouse.readings import Series, Span

MINUTES = 30


def test_pitfall_28_a_missing_value_is_null_with_a_reason_and_never_zero(stack: Stack) -> None:
    """Mistake: a 0 in the column drags averages down; without a count they hide what AVG skips. Right: NULL with a
    reason in each row, and the reader leaves none of them out."""
    trades = simulated(minutes=MINUTES)
    with own_world(stack) as world:
        world.put_all([*trades, end_mark(trades[-1])])
        world.run()
        [(rows, defined, reasons, zeros, average)] = world.select(
            """SELECT count(*), count(value), count(null_reason), count(*) FILTER (WHERE value = 0 OR value = 'NaN'),
                   avg(value) FROM stock_volatility WHERE bar_seconds = 60 AND estimator = 'cc' AND final"""
        )
        start = datetime.fromtimestamp(START_MS / 1000, UTC)
        with closing(open_reader(world.warehouse, connections=1, application_name="test")) as reader:
            told = reader.volatility(
                Series("simulator", "SIM01"), Span(start, start + timedelta(minutes=MINUTES), 60, 60), ["cc"]
            )
    assert (rows, defined + reasons, zeros) == (MINUTES, MINUTES, 0)
    assert 0 < defined < MINUTES
    assert (len(told), told["value"].isna().sum(), told["null_reason"].notna().sum()) == (MINUTES, reasons, reasons)
    assert average == pytest.approx(told["value"].mean(), rel=1e-12)
    assert told["value"].fillna(0.0).mean() < 0.9 * average
