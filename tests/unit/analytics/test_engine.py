"""The engine's invariants: cutting, restarting, provisional against final, no clock, undefined is NULL."""

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.bars import BarTable
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Bars, Result, Signals, Transition, Volatility
from volwatch.analytics.state import restore, save
from volwatch.analytics.trades import Trades, concatenate, from_records
from volwatch.operations.trace import mark

CONFIG = EngineConfig()
MakeTrades = Callable[..., Trades]
Outputs = dict[str, list[tuple[object, ...]]]


def rows_of(result: Result, part: Bars | Volatility | Signals, final: bool) -> list[tuple[object, ...]]:
    """Return rows as tuples under their series' names, numbers by their bits."""
    columns = arrays_of(part)
    if isinstance(part, Bars):
        columns = arrays_of(part.table) + columns
    series = part.table.series if isinstance(part, Bars) else part.series
    rows = np.flatnonzero(part.final == final)
    return [(result.series[series[row]], *(column[row].tobytes() for column in columns[1:])) for row in rows]


def arrays_of(part: Bars | BarTable | Volatility | Signals) -> list[np.ndarray]:
    """Return the columns of a part."""
    values = [getattr(part, column.name) for column in fields(part)]
    return [value for value in values if isinstance(value, np.ndarray)]


def final_outputs(results: Iterable[Result]) -> Outputs:
    """Return all that is final, in an order that does not depend on the calls."""
    told: Outputs = {"bars": [], "days": [], "volatility": [], "signals": [], "rejected": [], "transitions": []}
    for result in results:
        told["bars"] += [(row, bars.bar_seconds) for bars in result.bars for row in rows_of(result, bars, True)]
        told["volatility"] += [row for part in result.volatility for row in rows_of(result, part, True)]
        told["signals"] += rows_of(result, result.signals, True)
        told["transitions"] += [(step,) for step in result.transitions if step.final and step.state != "RETRACTED"]
        told["rejected"] += [(int(code),) for code in result.rejected.reason]
    for name in ("bars", "volatility", "signals"):
        told[name].sort(key=repr)
    return told


def run(engine: Engine, trades: Trades, cuts: Iterable[int] = ()) -> list[Result]:
    """Process trades in the calls that the cuts make."""
    edges = [0, *sorted(cuts), len(trades)]
    return [engine.process(trades.take(slice(a, b))) for a, b in pairwise(edges)]


@settings(max_examples=8, deadline=None)
@given(data=st.data(), seed=st.integers(0, 3), stock=st.booleans())
def test_any_cutting_of_the_trades_gives_identical_final_outputs(
    market: MakeTrades, data: st.DataObject, seed: int, stock: bool
) -> None:
    trades = market(seed=seed, source="feed" if stock else "simulator", spike_minute=75)
    cuts = data.draw(st.lists(st.integers(0, len(trades)), max_size=12))
    whole = final_outputs(run(Engine(CONFIG), trades))
    assert whole == final_outputs(run(Engine(CONFIG), trades, cuts))
    assert len(whole["bars"]) > 150
    assert whole["rejected"]


def test_trade_by_trade_equals_all_at_once(market: MakeTrades) -> None:
    trades = market(symbols=2, minutes=66, per_minute=2, spike_minute=62)
    assert final_outputs(run(Engine(CONFIG), trades)) == final_outputs(run(Engine(CONFIG), trades, range(len(trades))))


@settings(max_examples=5, deadline=None)
@given(cut=st.integers(0, 1200))
def test_a_restored_state_goes_on_bit_by_bit(market: MakeTrades, cut: int) -> None:
    trades = market(spike_minute=75)
    steady = Engine(CONFIG)
    expected = run(steady, trades, [cut])
    first = Engine(CONFIG)
    results = [first.process(trades.take(slice(0, cut)))]
    second = Engine(CONFIG, restore(save(first.state)))
    results.append(second.process(trades.take(slice(cut, None))))
    assert final_outputs(expected) == final_outputs(results)
    assert save(steady.state) == save(second.state)


def test_a_late_trade_inside_the_allowance_changes_only_what_is_provisional(market: MakeTrades) -> None:
    trades = market(minutes=40, per_minute=10)
    engine = Engine(CONFIG)
    engine.process(trades)
    table = engine.state.minute_bars
    frozen = replace_pending(save(engine.state))
    tardy = trades.take(slice(len(trades) - 1, None))
    tardy = replace(
        tardy, event_time=table.start[:1] + 30_000, price=np.array([101.0]), code=table.series[:1].astype(np.int32)
    )
    result = engine.process(tardy)
    assert not result.rejected.reason.size
    assert frozen == replace_pending(save(engine.state))
    amended = engine.state.minute_bars
    assert amended.revision[0] == table.revision[0] + 1
    assert amended.trades[0] == table.trades[0] + 1


def replace_pending(saved: bytes) -> bytes:
    """Return a saved state without the bars that may still change, and without what was told of them."""
    state = restore(saved)
    state.minute_bars = state.minute_bars.take(np.empty(0, np.intp))
    state.shown = {}
    return save(state)


def test_a_trade_whose_bar_is_final_is_late(market: MakeTrades) -> None:
    trades = market(minutes=10)
    engine = Engine(CONFIG)
    engine.process(trades)
    old = replace(trades.take(slice(len(trades) - 1, None)), event_time=trades.event_time[:1])
    assert engine.process(old).rejected.reason.tolist() == [6]


def test_a_future_event_time_moves_no_watermark(market: MakeTrades) -> None:
    trades = market(minutes=10)
    engine = Engine(CONFIG)
    engine.process(trades)
    before = dict(engine.state.watermarks)
    last = trades.take(slice(len(trades) - 1, None))
    result = engine.process(replace(last, event_time=last.event_time + 10**9))
    assert result.rejected.reason.tolist() == [5]
    assert before == engine.state.watermarks


def test_a_quiet_symbols_bars_become_final_with_the_others() -> None:
    trades = quiet_and_busy()
    result = Engine(CONFIG).process(trades)
    minutes = result.bars[0]
    assert [result.series[index][1] for index in minutes.table.series] == ["QUIET", "BUSY"]


def quiet_and_busy() -> Trades:
    """One trade of QUIET, then BUSY for four minutes."""
    start = 1_767_623_400_000
    times = np.array([start, *(start + 60_000 * minute for minute in range(4))], np.int64)
    n = len(times)
    return Trades(
        series=(("simulator", "BUSY"), ("simulator", "QUIET")),
        code=np.array([1, 0, 0, 0, 0], np.int32),
        event_time=times,
        received_at=times,
        price=np.full(n, 10.0),
        size=np.ones(n),
        conditions=((),),
        condition_code=np.zeros(n, np.int32),
        offset=np.arange(n, dtype=np.int64),
    )


def test_a_replay_of_old_times_is_not_late_beside_a_live_source(market: MakeTrades) -> None:
    engine = Engine(CONFIG)
    live = market(minutes=5)
    engine.process(live)
    old = market(minutes=5, source="replay-old")
    shift = 10**11
    old = replace(old, event_time=old.event_time - shift, received_at=old.received_at - shift)
    reasons = engine.process(old).rejected.reason
    assert 6 not in reasons.tolist()


def steps_of(results: Iterable[Result]) -> list[Transition]:
    """Return the transitions of all results, in order."""
    return [step for result in results for step in result.transitions]


def test_a_spike_opens_one_alert_that_is_confirmed_and_closed(market: MakeTrades) -> None:
    trades = market(minutes=140, per_minute=20, spike_minute=100)
    steps = steps_of(run(Engine(CONFIG), trades, range(0, len(trades), 50)))
    spiked = [step for step in steps if step.symbol == "S0"]
    opened = [step for step in spiked if step.state == "OPEN"]
    assert [(step.final, step.onset) for step in opened][:2] == [(False, opened[0].onset), (True, opened[0].onset)]
    assert (opened[0].onset - 1_767_623_400_000) // 60_000 in (100, 101)
    assert any(step.state == "CLOSED" and step.onset == opened[0].onset and step.final for step in spiked)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), spike=st.integers(62, 75))
def test_an_alert_of_the_open_bar_is_an_alert_of_the_full_bar(market: MakeTrades, seed: int, spike: int) -> None:
    """While trades are in order, nothing that the open bar raised is taken back."""
    trades = market(seed=seed, minutes=85, per_minute=8, spike_minute=spike, symbols=1)
    bar = trades.event_time // 60_000
    in_order = (trades.event_time == np.maximum.accumulate(trades.event_time)) & (trades.price > 0)
    trades = trades.take(np.flatnonzero(in_order))
    assert bar.size
    # The warm-up tells nothing: it goes in one call, and only what may open an alert goes a few trades at a time.
    warm = int(np.searchsorted(trades.event_time, trades.event_time[0] + 60 * 60_000))
    steps = steps_of(run(Engine(CONFIG), trades, range(warm, len(trades), 5)))
    assert not [step for step in steps if step.state == "RETRACTED"]
    opened = {step.onset for step in steps if step.state == "OPEN" and not step.final}
    last_final = max((step.bar for step in steps if step.final), default=0)
    confirmed = {step.onset for step in steps if step.state == "OPEN" and step.final}
    assert {onset for onset in opened if onset <= last_final} <= confirmed


def test_an_alert_that_a_late_trade_disproves_is_retracted(market: MakeTrades) -> None:
    """A print that says the price had moved a minute earlier takes the spike out of the onset bar."""
    calm = market(minutes=70, per_minute=20, symbols=1)
    calm = calm.take(np.flatnonzero((calm.price > 0) & (calm.event_time == np.maximum.accumulate(calm.event_time))))
    engine = Engine(CONFIG)
    engine.process(calm)
    end = int(calm.received_at[-1]) // 60_000 * 60_000 + 60_000
    jump = one(calm, end + 1_000, 130.0)
    raised = [step for at in (0, 500) for step in engine.process(one(calm, end + 1_000 + at, 130.0)).transitions]
    assert [(step.state, step.final) for step in raised] == [("OPEN", False)]
    tardy = replace(jump, event_time=np.array([end - 1_000]), received_at=np.array([end + 20_000]))
    engine.process(tardy)
    later = engine.process(one(calm, end + 400_000, 130.0))
    final = [(step.state, step.onset) for step in later.transitions if step.symbol == "S0" and step.final]
    assert ("RETRACTED", end) in final


def one(like: Trades, time_ms: int, price: float) -> Trades:
    """Return one trade of the first series."""
    only = like.take(slice(0, 1))
    at = np.array([time_ms], np.int64)
    return replace(only, event_time=at, received_at=at, price=np.array([price]), code=np.zeros(1, np.int32))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), flat=st.booleans())
def test_undefined_is_nan_exactly_where_there_is_a_reason(market: MakeTrades, seed: int, flat: bool) -> None:
    trades = market(seed=seed, minutes=50)
    if flat:
        trades = replace(trades, price=np.full(len(trades), 5.0))
    result = Engine(CONFIG).process(trades)
    for part in result.volatility:
        assert np.array_equal(np.isnan(part.value), part.reason != 0)
        assert not np.isinf(part.value).any()
    for bars in result.bars:
        table = bars.table
        assert (table.low <= np.minimum(table.open, table.close)).all()
        assert (table.high >= np.maximum(table.open, table.close)).all()
        vwap = table.vwap
        assert ((vwap >= table.low) & (vwap <= table.high)).all()


def test_no_trades_give_no_outputs() -> None:
    empty = quiet_and_busy().take(slice(0, 0))
    result = Engine(CONFIG).process(replace(empty, series=()))
    assert [len(bars.table) for bars in result.bars] == [0, 0, 0]
    assert result.transitions == ()


@pytest.mark.parametrize("changed", [EngineConfig(enter=5.0), EngineConfig(minute_window=5)])
def test_the_hash_of_the_configuration_changes_with_a_setting(changed: EngineConfig) -> None:
    assert changed.hash != CONFIG.hash


def test_a_mark_makes_the_last_bars_final_and_is_no_trade() -> None:
    engine = Engine(CONFIG)
    trades = quiet_and_busy()
    engine.process(trades)
    mark = replace(one(trades, int(trades.event_time[-1]) + 300_000, 10.0), size=np.zeros(1), conditions=(("mark",),))
    result = engine.process(mark)
    assert len(engine.state.minute_bars) == 0
    assert result.rejected.reason.size == 0
    assert result.bars[0].table.trades.tolist() == [1, 1, 1]


@settings(max_examples=5, deadline=None)
@given(cuts=st.sets(st.integers(0, 1200), min_size=1, max_size=5))
def test_traces_between_the_trades_change_nothing(market: MakeTrades, cuts: set[int]) -> None:
    """Their clock may be far ahead: they are of a source, and so of a watermark, of their own."""
    trades = market(seed=1, spike_minute=75)
    edges = [0, *sorted(cuts), len(trades)]
    parts = [trades.take(slice(first, last)) for first, last in pairwise(edges)]
    trace = from_records([mark(int(trades.received_at[-1]) + 86_400_000)])
    plain, traced = Engine(CONFIG), Engine(CONFIG)
    expected = [plain.process(part) for part in parts]
    results = [traced.process(concatenate([trace, part, trace])) for part in parts]
    assert final_outputs(results) == final_outputs(expected)
    assert [provisional(result) for result in results] == [provisional(result) for result in expected]
    assert traced.state.series.count(("trace", "TRACE")) == 1


def provisional(result: Result) -> list[list[tuple[object, ...]]]:
    """Return all rows that may still change."""
    parts: list[Bars | Volatility | Signals] = [*result.bars, *result.volatility, result.signals]
    return [sorted(rows_of(result, part, False), key=repr) for part in parts]
