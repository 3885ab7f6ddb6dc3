import os
import signal
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.unit.producer.fakes import START_MS, ListSource, some_trade
from volwatch.errors import BadTrade
from volwatch.producer.faults import Garbage, SwitchedSimulator, Switches, spoil
from volwatch.producer.simulator import Simulator
from volwatch.producer.source import Batch, Label
from volwatch.trade import Trade, decode

GOOD = some_trade(5)


def simulator() -> Simulator:
    return Simulator("gbm", 1, 2, 50.0, START_MS)


def read(source: SwitchedSimulator, until_ms: int) -> Batch:
    batch = source.read(until_ms)
    assert batch is not None
    return batch


@pytest.fixture
def handlers() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_signals_work_the_switches() -> None:
    switches = Switches.on_signals()
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    first = (switches.spike_wanted, switches.stalled)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert (first, switches.stalled) == ((True, True), False)


def test_a_spike_is_injected_once_where_it_was_asked_for() -> None:
    switches = Switches()
    switched = SwitchedSimulator(simulator(), switches, "SIM02")
    read(switched, START_MS + 500)
    switches.spike_wanted = True
    labels = [label for second in range(1, 5) for label in read(switched, START_MS + second * 1_000).labels]
    assert labels == [Label("SIM02", "burst", START_MS + 1_000, START_MS + 181_000, 8.0)]
    assert not switches.spike_wanted


def test_trades_of_a_stall_are_lost_and_the_others_are_as_ever() -> None:
    switches = Switches()
    switched, plain = SwitchedSimulator(simulator(), switches, "SIM01"), simulator()
    with capture_logs() as logs:
        before = read(switched, START_MS + 1_000).trades
        switches.stalled = True
        during = read(switched, START_MS + 2_000).trades
        switches.stalled = False
        after = read(switched, START_MS + 3_000).trades
    given = plain.read(START_MS + 3_000).trades
    lost = len(given) - len(before) - len(after)
    assert (during, before, after) == ([], given[: len(before)], given[len(before) + lost :])
    assert [(line["event"], line.get("lost_trades")) for line in logs] == [("stall_began", None), ("stall_ended", lost)]


@pytest.mark.parametrize("kind", ["not_json", "nan_price"])
def test_some_garbage_is_no_trade_record(kind: str) -> None:
    with pytest.raises(BadTrade, match="MALFORMED"):
        decode(spoil(GOOD, kind))


@pytest.mark.parametrize(
    ("kind", "price", "event_delay_ms"),
    [("negative_price", -101.25, -3), ("future_time", 101.25, 600_000), ("late_trade", 101.25, -600_000)],
)
def test_some_garbage_is_a_record_that_makes_no_sense(kind: str, price: float, event_delay_ms: int) -> None:
    bad = decode(spoil(GOOD, kind))
    assert (bad.price, bad.event_time - bad.received_at) == (price, event_delay_ms)


def test_garbage_is_mixed_in_by_its_share_and_counted_by_kind() -> None:
    trades = [some_trade(seq, START_MS + seq) for seq in range(10_000)]
    garbage = Garbage(ListSource([Batch(trades, more=False)]), 0.05, seed=1)
    batch = garbage.read(0)
    assert batch is not None
    assert batch.trades == trades
    assert len(batch.garbage) == garbage.sent.total() == pytest.approx(500, rel=0.2)
    assert set(garbage.sent) == {"not_json", "negative_price", "nan_price", "future_time", "late_trade"}


def test_garbage_is_received_no_earlier_than_the_trades_before_it() -> None:
    trades = [some_trade(seq, START_MS + seq) for seq in range(1_000)]
    batch = Garbage(ListSource([Batch(trades, more=False)]), 0.5, seed=1).read(0)
    assert batch is not None
    assert {trade.received_at for trade in readable(batch.garbage)} == {START_MS + 999}


def readable(records: tuple[tuple[str, bytes], ...]) -> Iterator[Trade]:
    for _, value in records:
        try:
            yield decode(value)
        except BadTrade:
            continue


def test_a_source_without_trades_or_at_its_end_is_left_as_it_is() -> None:
    empty = Batch([], more=False)
    garbage = Garbage(ListSource([empty]), 1.0, seed=1)
    assert [garbage.read(0), garbage.read(0)] == [empty, None]
