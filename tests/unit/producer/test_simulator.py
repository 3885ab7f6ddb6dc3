from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.producer.fakes import START_MS
from volwatch.errors import Misconfigured
from volwatch.producer.simulator import Simulator, symbol_names
from volwatch.producer.source import Label
from volwatch.trade import Trade

SPAN_MS = 400_000
SPIKE_MS = START_MS + 130_500


def simulator(scenario: str = "mixed", history_days: int = 0, rate: float = 20.0) -> Simulator:
    return Simulator(scenario, 7, 6, rate, START_MS, history_days=history_days, first_seq=1_000)


def read_until(source: Simulator, until_ms: int) -> tuple[list[Trade], list[Label]]:
    trades: list[Trade] = []
    labels: list[Label] = []
    more = True
    while more:
        batch = source.read(until_ms)
        trades += batch.trades
        labels += batch.labels
        more = batch.more
    return trades, labels


def read_at(source: Simulator, times_ms: Iterable[int]) -> tuple[list[Trade], list[Label]]:
    parts = [read_until(source, time_ms) for time_ms in times_ms]
    return [trade for trades, _ in parts for trade in trades], [label for _, labels in parts for label in labels]


WHOLE = read_until(simulator(history_days=1), START_MS + SPAN_MS)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(-86_400_000, SPAN_MS - 1), max_size=30).map(sorted))
def test_the_same_market_comes_however_it_is_read(cuts: list[int]) -> None:
    times = [START_MS + cut for cut in [*cuts, SPAN_MS]]
    assert read_at(simulator(history_days=1), times) == WHOLE


@pytest.mark.parametrize("rate", [2.0, 700.0, 40_000.0])
def test_it_is_cut_into_blocks_that_change_nothing_at_any_rate(rate: float) -> None:
    whole = read_until(simulator(rate=rate), START_MS + 2_000)
    assert read_at(simulator(rate=rate), range(START_MS, START_MS + 2_001, 50)) == whole


def test_a_trade_received_after_the_end_of_its_block_comes_with_the_next_one() -> None:
    trades, _ = read_until(simulator(rate=40_000.0), START_MS + 2_999)
    by_second = [[trade for trade in trades if (trade.event_time - START_MS) // 1_000 == second] for second in range(2)]
    assert [len(rows) for rows in by_second] == pytest.approx([40_000, 40_000], rel=0.01)
    assert all(any(trade.received_at // 1_000 > trade.event_time // 1_000 for trade in rows) for rows in by_second)


def test_another_seed_or_scenario_is_another_market() -> None:
    other = Simulator("mixed", 8, 6, 20.0, START_MS, history_days=1, first_seq=1_000)
    assert read_until(other, START_MS + SPAN_MS)[0] != WHOLE[0]


def test_another_start_is_the_same_market_at_another_time() -> None:
    later = Simulator("mixed", 7, 6, 20.0, START_MS + 5, first_seq=1_000)
    assert [trade.price for trade in read_until(later, START_MS + 5 + 60_000)[0]] == [
        trade.price for trade in read_until(simulator(), START_MS + 60_000)[0]
    ]


def test_trades_come_in_order_of_receipt_with_a_small_latency_and_running_numbers() -> None:
    trades = WHOLE[0]
    received = [trade.received_at for trade in trades]
    assert received == sorted(received)
    assert received[-1] <= START_MS + SPAN_MS
    assert {trade.received_at - trade.event_time for trade in trades} <= set(range(1, 41))
    assert [trade.seq for trade in trades] == list(range(1_000, 1_000 + len(trades)))


def test_history_and_market_meet_without_gap_or_overlap() -> None:
    coarse = [trade for trade in WHOLE[0] if trade.received_at < START_MS]
    assert (len(coarse), coarse[0].received_at >= START_MS - 86_400_000) == (24 * 6, True)
    for name in symbol_names(6):
        own = [trade for trade in WHOLE[0] if trade.symbol == name]
        before = [trade for trade in own if trade.received_at < START_MS][-1]
        after = next(trade for trade in own if trade.received_at >= START_MS)
        assert after.price == pytest.approx(before.price, rel=0.01)


def test_trades_are_what_the_record_promises() -> None:
    trade = WHOLE[0][-1]
    assert (trade.source, trade.conditions, trade.trade_id) == ("simulator", (), None)
    assert {trade.symbol for trade in WHOLE[0]} == {"SIM01", "SIM02", "SIM03", "SIM04", "SIM05", "SIM06"}


def test_nothing_is_handed_over_before_its_time() -> None:
    assert read_until(simulator(), START_MS - 1) == ([], [])


def test_a_spike_changes_its_symbol_from_the_next_second_on_and_nothing_before() -> None:
    plain = read_until(simulator("gbm"), START_MS + SPAN_MS)[0]
    spiked = simulator("gbm")
    trades, _ = read_until(spiked, SPIKE_MS)
    spiked.spike(SPIKE_MS, "SIM02")
    rest, labels = read_until(spiked, START_MS + SPAN_MS)
    assert labels == [Label("SIM02", "burst", START_MS + 131_000, START_MS + 311_000, 8.0)]
    pairs = list(zip(plain, trades + rest, strict=True))
    changed = [(calm, wild) for calm, wild in pairs if calm != wild]
    assert {(calm.symbol, wild.symbol) for calm, wild in changed} == {("SIM02", "SIM02")}
    assert 131_000 <= min(calm.event_time for calm, _ in changed) - START_MS < 133_000


def test_a_spike_multiplies_what_is_realised() -> None:
    spiked = simulator("gbm", rate=120.0)
    read_until(spiked, SPIKE_MS)
    spiked.spike(SPIKE_MS, "SIM01")
    plain, wild = (read_until(source, START_MS + SPAN_MS)[0] for source in (simulator("gbm", rate=120.0), spiked))
    assert span(wild) / span(plain) > 3


def span(trades: list[Trade]) -> float:
    prices = [trade.price for trade in trades if trade.symbol == "SIM01" and 0 <= trade.event_time - SPIKE_MS < 180_000]
    return max(prices) / min(prices) - 1


def test_labels_are_told_when_their_event_begins() -> None:
    source = Simulator("burst", 1, 6, 0.2, START_MS)
    told = [
        (label, until)
        for until in range(START_MS, START_MS + 12 * 3_600_000, 60_000)
        for label in read_until(source, until)[1]
    ]
    assert len(told) > 5
    assert all(until - 60_000 < label.start_ms <= until for label, until in told)


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    with pytest.raises(Misconfigured, match=r"no scenario 'storm'.*mixed"):
        Simulator("storm", 1, 1, 1.0, START_MS)


def test_names_sort_as_their_numbers_do() -> None:
    assert symbol_names(3) == ("SIM01", "SIM02", "SIM03")
    assert list(symbol_names(120)) == sorted(symbol_names(120))


def test_a_history_of_another_rate_has_fewer_trades_on_the_same_path() -> None:
    source = Simulator("gbm", 7, 2, 100.0, START_MS, history_seconds=120, history_rate=10.0)
    trades, _ = read_until(source, START_MS + 240_000)
    early = [trade for trade in trades if trade.received_at < START_MS + 120_000]
    late = [trade for trade in trades if trade.received_at >= START_MS + 120_100]
    assert len(early) == pytest.approx(1_200, rel=0.15)
    assert len(late) == pytest.approx(12_000, rel=0.15)
    last = next(trade.price for trade in reversed(early) if trade.symbol == "SIM01")
    first = next(trade.price for trade in late if trade.symbol == "SIM01")
    assert first == pytest.approx(last, rel=1e-3)
