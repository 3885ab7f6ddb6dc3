"""The engines of several partitions: each record once, in order, to the engine of its partition."""

from collections.abc import Sequence

import msgspec
import pytest

from tests.integration.worlds import simulated
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import save
from volwatch.analytics.trades import from_records
from volwatch.detector.engines import Engines
from volwatch.receiving import Run
from volwatch.trade import Trade, encode
from volwatch.warehouse.detector_state import Start

CONFIG = EngineConfig()
TRADES = simulated(80, symbols=2, rate=2.0, spike_minute=70)
BEGINNING = Start(None, 0, 0, 0, is_own=False)


def run_of(trades: Sequence[Trade], first_offset: int, partition: int = 3) -> Run:
    offsets = range(first_offset, first_offset + len(trades))
    return Run(partition, offsets, [encode(trade) for trade in trades], 1_000)


@pytest.fixture
def engines() -> Engines:
    engines = Engines()
    engines.enter(3, BEGINNING, CONFIG)
    return engines


def in_chunks(engines: Engines, size: int, from_offset: int = 0) -> list[tuple[str, int, bool]]:
    """Return the steps of final bars that are told when records come so many at a time."""
    steps = []
    for first in range(from_offset, len(TRADES), size):
        for told in engines.take([run_of(TRADES[first : first + size], first)]).told:
            steps += [(step.state, step.bar, step.final) for step in told.steps]
    return [step for step in steps if step[2]]


def test_records_in_any_portions_leave_the_state_that_one_call_does(engines: Engines) -> None:
    steps = in_chunks(engines, 97)
    whole = Engine(CONFIG)
    told = whole.process(from_records(TRADES)).transitions
    assert steps == [(step.state, step.bar, step.final) for step in told if step.final] != []
    stand = engines.stands[3]
    stand.engine.state.shown = whole.state.shown  # what was told of bars that may change depends on the portions
    assert (save(stand.engine.state), stand.next_offset) == (save(whole.state), len(TRADES))


def test_what_was_taken_already_is_left_out(engines: Engines) -> None:
    engines.take([run_of(TRADES[:500], 0)])
    again = engines.take([run_of(TRADES[400:600], 400)])
    assert (again.trades, engines.stands[3].next_offset) == (100, 600)
    other = Engines()
    other.enter(3, BEGINNING, CONFIG)
    other.take([run_of(TRADES[:500], 0)])
    other.take([run_of(TRADES[500:600], 500)])
    assert save(other.stands[3].engine.state) == save(engines.stands[3].engine.state)


def test_an_engine_goes_on_from_a_saved_state(engines: Engines) -> None:
    steps = in_chunks(engines, 50)
    half = len(TRADES) // 2
    first = Engines()
    first.enter(3, BEGINNING, CONFIG)
    before = in_chunks_until(first, half)
    second = Engines()
    second.enter(3, Start(save(first.stands[3].engine.state), half, 0, 2, is_own=True), CONFIG)
    assert before + in_chunks(second, 61, half) == steps
    assert (second.stands[3].revision, second.stands[3].saved_offset) == (2, half)


def in_chunks_until(engines: Engines, end: int) -> list[tuple[str, int, bool]]:
    told = engines.take([run_of(TRADES[:end], 0)]).told
    return [(step.state, step.bar, step.final) for each in told for step in each.steps if step.final]


def test_several_runs_of_a_partition_are_one_step_and_partitions_do_not_mix(engines: Engines) -> None:
    engines.enter(4, BEGINNING, CONFIG)
    taken = engines.take([run_of(TRADES[:10], 0), run_of(TRADES[:5], 0, partition=4), run_of(TRADES[10:20], 10)])
    assert taken.trades == 25
    assert [engines.stands[partition].next_offset for partition in (3, 4)] == [20, 5]


def test_records_of_a_partition_that_is_not_ours_are_left_to_its_owner(engines: Engines) -> None:
    assert engines.take([run_of(TRADES[:10], 0, partition=9)]).trades == 0
    engines.leave([3, 9])
    assert engines.take([run_of(TRADES[:10], 0)]).trades == 0


def test_what_is_no_trade_is_counted_and_passed_over(engines: Engines) -> None:
    good = [encode(trade) for trade in TRADES[:2]]
    taken = engines.take([Run(3, range(5, 8), [good[0], b"{", good[1]], 900)])
    assert (taken.trades, taken.rejected, taken.oldest_ms) == (2, 1, 900)
    assert taken.newest_event_ms == TRADES[1].event_time
    assert engines.stands[3].next_offset == 8


def test_the_newest_receipt_of_each_source_is_that_of_any_partition(engines: Engines) -> None:
    engines.enter(4, BEGINNING, CONFIG)
    late = msgspec.structs.replace(TRADES[0], received_at=TRADES[0].received_at + 5_000)
    engines.take([run_of([TRADES[0]], 0), run_of([late], 0, partition=4)])
    assert engines.watermarks == {"simulator": late.received_at}
