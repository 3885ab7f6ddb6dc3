"""The engine's invariants: cutting, restarting, provisional against final, no clock, undefined is NULL."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, START_MS, Print, prints
from volwatch.analytics import conditions
from volwatch.analytics.bars import REASONS, BarTable, marks
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.filters import new_prints
from volwatch.analytics.results import (
    FLAG_SOURCE_GAP,
    FLAG_SUSPECT_PRINTS,
    Bars,
    Result,
    Signals,
    Transition,
    Volatility,
)
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
    return [(result.series[series[row]], *(bits(column[row]) for column in columns[1:])) for row in rows]


def bits(value: np.generic | str) -> bytes:
    """Return a number's bytes, or a text's."""
    return value.encode() if isinstance(value, str) else value.tobytes()


def arrays_of(part: Bars | BarTable | Volatility | Signals) -> list[np.ndarray]:
    """Return the columns of a part."""
    values = [getattr(part, column.name) for column in fields(part)]
    return [value for value in values if isinstance(value, np.ndarray)]


def final_outputs(results: Iterable[Result]) -> Outputs:
    """Return all that is final, in an order that does not depend on the calls."""
    names = ("bars", "days", "volatility", "signals", "rejected", "transitions", "unpriced", "unknown")
    told: Outputs = {name: [] for name in names}
    unknown: Counter[str] = Counter()
    for result in results:
        told["bars"] += [(row, bars.bar_seconds) for bars in result.bars for row in rows_of(result, bars, True)]
        told["volatility"] += [row for part in result.volatility for row in rows_of(result, part, True)]
        told["signals"] += rows_of(result, result.signals, True)
        told["transitions"] += [(step,) for step in result.transitions if step.final and step.state != "RETRACTED"]
        told["rejected"] += rejects_of(result)
        columns = arrays_of(result.unpriced)
        told["unpriced"] += [tuple(bits(column[row]) for column in columns) for row in range(len(result.unpriced))]
        unknown.update(result.unknown_conditions)
    for name in ("bars", "volatility", "signals", "rejected", "unpriced"):
        told[name].sort(key=repr)
    return told | {"unknown": sorted(unknown.items())}


def rejects_of(result: Result) -> list[tuple[int, str, str, str]]:
    """Return offset, symbol, price and reason of what a call rejected."""
    trades, reason = result.rejected.trades, result.rejected.reason
    return [
        (offset, trades.series[code][1], str(price), REASONS[why])
        for offset, code, price, why in zip(
            trades.offset.tolist(), trades.code.tolist(), trades.price.tolist(), reason.tolist(), strict=True
        )
    ]


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
        tardy, event_time=table.start[:1] + 30_000, price=table.close[:1], code=table.series[:1].astype(np.int32)
    )
    result = engine.process(tardy)
    assert not result.rejected.reason.size
    assert frozen == replace_pending(save(engine.state))
    amended = engine.state.minute_bars
    assert amended.revision[0] == table.revision[0] + 1
    assert amended.trades[0] == table.trades[0] + 1


def replace_pending(saved: bytes) -> bytes:
    """Return a saved state without the bars that may still change, what was told of them, and the newest prints."""
    state = restore(saved)
    state.prints = new_prints()
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
    raised = [step for at in (0, 300, 500) for step in engine.process(one(calm, end + 1_000 + at, 130.0)).transitions]
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


DIRTY = EngineConfig(condition_tables={"feed": "sip"})


def dirty(market: MakeTrades, seed: int) -> Trades:
    """Return a market with bad prints, jumps, sale conditions of every effect, bars given as ohlc, marks and gaps."""
    trades = market(seed=seed, minutes=90, per_minute=8, source="feed", spike_minute=75)
    random = np.random.Generator(np.random.PCG64(seed + 1))
    n = len(trades)
    chance = random.random(n)
    price = np.where(chance < 0.01, trades.price * 1.02, np.where(chance < 0.02, trades.price * 0.97, trades.price))
    price = np.where(np.arange(n) > n // 2, price * 1.05, price)
    vocabulary = ((), ("@", "F"), ("T",), ("I", "Z"), ("M",), ("?",), ("@", "?"), ("ohlc",), ("mark",), ("gap",))
    weights = np.array([70, 10, 6, 4, 3, 2, 2, 1, 1, 1]) / 100
    codes = random.choice(len(vocabulary), n, p=weights).astype(np.int32)
    return replace(trades, price=price, conditions=vocabulary, condition_code=codes)


@settings(max_examples=12, deadline=None)
@given(data=st.data(), seed=st.integers(0, 3))
def test_any_cutting_of_a_dirty_market_gives_identical_bars_and_rejects(
    market: MakeTrades, data: st.DataObject, seed: int
) -> None:
    trades = dirty(market, seed)
    cuts = data.draw(st.lists(st.integers(0, len(trades)), max_size=12))
    whole = final_outputs(run(Engine(DIRTY), trades))
    assert final_outputs(run(Engine(DIRTY), trades, cuts)) == whole
    assert {reason for *_, reason in whole["rejected"]} >= {"BAD_PRICE", "OUTLIER", "CONDITION"}
    assert [code for code, _ in whole["unknown"]] == ["?"]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_dirty_market_trade_by_trade_equals_all_at_once(market: MakeTrades, seed: int) -> None:
    trades = dirty(market, seed).take(slice(0, 400))
    cuts = range(len(trades))
    assert final_outputs(run(Engine(DIRTY), trades, cuts)) == final_outputs(run(Engine(DIRTY), trades))


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, 1440), seed=st.integers(0, 3))
def test_a_state_with_held_prints_goes_on_bit_by_bit(market: MakeTrades, cut: int, seed: int) -> None:
    trades = dirty(market, seed)
    steady = Engine(DIRTY)
    expected = run(steady, trades, [cut])
    first = Engine(DIRTY)
    results = [first.process(trades.take(slice(0, cut)))]
    second = Engine(DIRTY, restore(save(first.state)))
    results.append(second.process(trades.take(slice(cut, None))))
    assert final_outputs(expected) == final_outputs(results)
    assert save(steady.state) == save(second.state)


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, 1440), seed=st.integers(0, 3))
def test_taken_rejected_and_held_are_what_was_given(market: MakeTrades, cut: int, seed: int) -> None:
    trades = dirty(market, seed).take(slice(0, cut))
    engine = Engine(DIRTY)
    results = run(engine, trades, [cut // 2])
    rejected = np.concatenate([result.rejected.trades.offset for result in results])
    held = engine.state.prints.held.offset[~engine.state.prints.dropped]
    assert len(set(rejected) | set(held)) == len(rejected) + len(held)
    rest = np.flatnonzero(~(np.isin(trades.offset, [*rejected, *held]) | marks(trades)))
    tables = [result.unpriced for result in results] + [engine.state.minute_bars]
    for result in results:
        tables += [part.table.take(part.final) for part in result.bars if part.bar_seconds == 60]
    assert sum(table.volume.sum() for table in tables) == trades.size[rest].sum()
    priced = conditions.effects(trades, DIRTY.condition_tables)[rest] == conditions.NONE
    assert sum(int(table.trades.sum()) for table in tables) == priced.sum()


def calm_prints(*more: Print, received_at: int | None = None) -> Trades:
    """Return twenty prints of the first twenty seconds near 100, and those that follow."""
    calm = [(START_MS + 1_000 * second, 100.0 + 0.01 * (second % 3), 1.0) for second in range(20)]
    return prints(*calm, *more, received_at=received_at)


def after(engine: Engine, *rows: Print, first_offset: int = 100) -> Result:
    """Process prints of the calm series, each received when it happened."""
    return engine.process(prints(*rows, first_offset=first_offset))


def test_a_bad_print_leaves_its_bar_untouched() -> None:
    """Two percent up for one print; the bar, made final by a print four minutes later, is that without it."""
    rows = [(START_MS + 30_000, 102.0, 5.0), (START_MS + 40_000, 100.0, 1.0), (START_MS + 300_000, 100.0, 1.0)]
    trades = calm_prints(*rows)
    clean = trades.take(np.flatnonzero(trades.price != 102.0))
    result = Engine(CONFIG).process(trades)
    assert rejects_of(result) == [(20, "S0", "102.0", "OUTLIER")]
    assert final_outputs([result])["bars"] == final_outputs([Engine(CONFIG).process(clean)])["bars"]
    unfiltered = Engine(EngineConfig(outlier_filter=False)).process(trades)
    assert (unfiltered.rejected.reason.size, unfiltered.bars[0].table.high.tolist()) == (0, [102.0])


def test_a_jump_is_in_its_bar_from_its_third_print_on() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints())
    highs = []
    for number in range(4):
        assert not after(engine, (START_MS + 30_000 + number, 102.0 + 0.01 * number, 1.0)).rejected.reason.size
        highs.append((engine.state.minute_bars.high.tolist(), engine.state.minute_bars.trades.tolist()))
    assert highs == [([100.02], [20]), ([100.02], [20]), ([102.02], [23]), ([102.03], [24])]


def shown(result: Result) -> list[tuple[int, float, int, int]]:
    """Return minute, high, revision and flags of the bars that may still change."""
    table = result.bars[1].table
    minute = (table.start - START_MS) // MINUTE_MS
    columns = (minute, table.high, table.revision, table.flags)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_bar_is_shown_without_its_held_print_and_amended_when_that_is_readmitted() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints((START_MS + 50_000, 102.0, 1.0)))
    first = after(engine, (START_MS + 66_000, 102.0, 1.0))
    assert shown(first) == [(0, 100.02, 0, FLAG_SUSPECT_PRINTS)]
    assert shown(after(engine, (START_MS + 67_000, 102.0, 1.0))) == [(0, 102.0, 1, 0)]


def test_a_bar_is_suspect_no_more_when_its_print_is_dropped() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints((START_MS + 50_000, 102.0, 1.0)))
    assert shown(after(engine, (START_MS + 66_000, 100.0, 1.0))) == [(0, 100.02, 0, 0)]


def test_a_print_that_nothing_decides_before_its_bar_is_final_is_dropped_in_that_call() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints((START_MS + 50_000, 102.0, 1.0)))
    end = START_MS + MINUTE_MS + 120_000
    waiting = engine.process(mark_of(end - 1))
    assert (waiting.rejected.reason.size, waiting.bars[0].table.flags.tolist()) == (0, [])
    result = engine.process(mark_of(end))
    assert rejects_of(result) == [(20, "S0", "102.0", "OUTLIER")]
    assert result.bars[0].table.flags.tolist() == [FLAG_SUSPECT_PRINTS]
    assert rejects_of(after(engine, (end + 1, 100.0, 1.0))) == []


def mark_of(received_at: int, condition: str = "mark", event_time: int | None = None) -> Trades:
    """Return a record of the calm series that is no trade."""
    record = prints((received_at if event_time is None else event_time, 0.0, 0.0), received_at=received_at)
    return replace(record, conditions=((condition,),), offset=np.array([1_000]))


def test_bars_given_by_their_extremes_and_quotes_are_not_judged() -> None:
    engine = Engine(EngineConfig(quote_sources=("feed",)))
    engine.process(calm_prints())
    engine.process(prints((START_MS + 30_000, 120.0, 1.0), ohlc=True))
    after(engine, (START_MS + 31_000, 80.0, 0.0))
    assert (engine.state.minute_bars.high.tolist(), engine.state.minute_bars.low.tolist()) == ([120.0], [80.0])
    assert rejects_of(after(engine, (START_MS + 32_000, 102.0, 1.0), (START_MS + 33_000, 100.0, 1.0))) == [
        (100, "S0", "102.0", "OUTLIER")
    ]


def with_condition(rows: list[Print], *codes: str) -> Trades:
    """Return prints that all have the same conditions."""
    return replace(prints(*rows, first_offset=500), conditions=(codes,))


SIP = EngineConfig(condition_tables={"feed": "sip"})


def test_a_volume_only_print_makes_volume_and_no_price() -> None:
    engine = Engine(SIP)
    engine.process(prints((START_MS, 100.0, 1.0), (START_MS + 10, 101.0, 3.0)))
    engine.process(with_condition([(START_MS + 20, 50.0, 10.0)], "W"))
    table = engine.state.minute_bars
    assert (table.low.tolist(), table.close.tolist(), table.trades.tolist()) == ([100.0], [101.0], [2])
    assert (table.volume.tolist(), table.vwap.tolist(), table.last_time.tolist()) == ([14.0], [100.75], [START_MS + 10])


def test_a_minute_of_volume_alone_is_no_bar_and_is_told() -> None:
    engine = Engine(SIP)
    early = engine.process(with_condition([(START_MS, 50.0, 10.0), (START_MS + 5, 51.0, 2.0)], "W"))
    shown_early = engine.process(mark_of(START_MS + 70_000))
    result = engine.process(mark_of(START_MS + 180_000))
    assert [len(part.table) for one in (early, shown_early, result) for part in one.bars] == [0] * 9
    assert (result.unpriced.start.tolist(), result.unpriced.volume.tolist()) == ([START_MS], [12.0])
    assert (len(early.unpriced), len(engine.state.minute_bars)) == (0, 0)


def test_a_minute_of_volume_becomes_a_bar_with_its_first_price() -> None:
    engine = Engine(SIP)
    engine.process(with_condition([(START_MS, 50.0, 10.0)], "W"))
    engine.process(prints((START_MS + 10, 101.0, 3.0)))
    result = engine.process(mark_of(START_MS + 180_000))
    table = result.bars[0].table
    assert (table.open.tolist(), table.low.tolist(), table.volume.tolist()) == ([101.0], [101.0], [13.0])
    assert (table.first_time.tolist(), table.vwap.tolist(), len(result.unpriced)) == ([START_MS + 10], [101.0], 0)


def test_what_is_no_trade_by_its_condition_is_rejected_and_what_is_unknown_is_counted() -> None:
    result = Engine(SIP).process(with_condition([(START_MS, 100.0, 1.0)], "@", "M", "?"))
    assert (rejects_of(result), result.unknown_conditions) == ([(500, "S0", "100.0", "CONDITION")], {"?": 1})


def test_without_a_table_no_condition_excludes_anything() -> None:
    engine = Engine(CONFIG)
    result = engine.process(with_condition([(START_MS, 100.0, 1.0)], "M"))
    assert (result.rejected.reason.size, result.unknown_conditions) == (0, {})
    assert engine.state.minute_bars.close.tolist() == [100.0]


def test_a_gap_is_no_trade_and_flags_the_next_bar() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints())
    at = START_MS + 500_000
    told = engine.process(mark_of(at, "gap"))
    assert (told.rejected.reason.size, engine.state.gap_since.tolist()) == (0, [at])
    after(engine, (at + 1_000, 100.0, 1.0), (at + 61_000, 100.0, 1.0))
    result = engine.process(mark_of(at + 400_000))
    assert result.bars[0].table.flags.tolist() == [FLAG_SOURCE_GAP, 0]


def test_each_of_several_gaps_in_one_call_flags_its_bar() -> None:
    times = [START_MS + 600_000 * number for number in range(1, 4)]
    told = [(mark_of(at, "gap"), prints((at + 9, 100.0, 1.0)), mark_of(at + 300_000)) for at in times]
    [result] = run(Engine(CONFIG), concatenate([calm_prints(), *chain.from_iterable(told)]))
    tables = [part.table.take(part.final) for part in result.bars if part.bar_seconds == 60]
    assert [flags for table in tables for flags in table.flags.tolist()] == [0, *[FLAG_SOURCE_GAP] * 3]


def test_two_gaps_within_two_minutes_flag_a_bar_each() -> None:
    at = START_MS + 600_000
    told = [(mark_of(at + more, "gap"), prints((at + more + 9, 100.0, 1.0))) for more in (0, 60_000)]
    [result] = run(Engine(CONFIG), concatenate([calm_prints(), *chain.from_iterable(told), mark_of(at + 600_000)]))
    final = result.bars[0].table.take(result.bars[0].final)
    assert final.flags.tolist() == [0, FLAG_SOURCE_GAP, FLAG_SOURCE_GAP]


def test_gaps_of_a_series_without_trades_do_not_pile_up() -> None:
    engine = Engine(CONFIG)
    engine.process(calm_prints())
    for number in range(1, 6):
        engine.process(mark_of(START_MS + 600_000 * number, "gap"))
    assert engine.state.gap_since.tolist() == [START_MS + 600_000 * number for number in (4, 5)]


@pytest.mark.parametrize(("event_time", "noted"), [(0, -120_000), (2**50, 0)])
def test_a_gap_says_nothing_of_what_is_final_nor_of_what_is_to_come(event_time: int, noted: int) -> None:
    engine = Engine(CONFIG)
    engine.process(mark_of(START_MS, "gap", event_time=event_time))
    assert engine.state.gap_since.tolist() == [START_MS + noted]


def test_what_may_still_change_is_evaluated_without_a_trace(market: MakeTrades) -> None:
    engine = Engine(DIRTY)
    engine.process(dirty(market, 2))
    before = save(engine.state)
    assert len(engine.process(dirty(market, 2).take(slice(0, 0))).bars[1].table)
    assert save(engine.state) == before
