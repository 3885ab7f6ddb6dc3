"""Acceptance at its exact limits, and the folding of prints into bars against a naive one."""

from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, START_MS, Print, prints
from volwatch.analytics.bars import (
    FLAG_OHLC,
    REASONS,
    BarTable,
    add_trades,
    bar_key,
    distinct,
    empty_table,
    judge,
    marks,
    merge,
)
from volwatch.analytics.trades import Trades

DAY_MS = 24 * 3_600_000
LATENESS_MS = 120_000
BAR_END_MS = START_MS + MINUTE_MS

PRINTS = st.lists(
    st.tuples(
        st.integers(START_MS, START_MS + 4 * MINUTE_MS),
        st.floats(0.01, 1e6),
        st.one_of(st.just(0.0), st.floats(1e-3, 1e9)),
    ),
    max_size=30,
)


def reason_of(trades: Trades, watermark: int | None = None, quotes_allowed: bool = False) -> str:
    """Return why the only trade is not taken."""
    mark = trades.received_at if watermark is None else np.array([watermark])
    return REASONS[judge(trades, mark, LATENESS_MS, np.array([quotes_allowed]))[0]]


def table_of(rows: Iterable[Print], table: BarTable | None = None, watermark: int = START_MS) -> BarTable:
    """Return the table with the prints of one series added."""
    trades = prints(*rows)
    n = len(trades)
    return add_trades(table or empty_table(), trades, np.zeros(n, np.int64), np.full(n, watermark))


def bits(table: BarTable) -> dict[str, bytes]:
    """Return each column by its bits."""
    return {column.name: getattr(table, column.name).tobytes() for column in fields(BarTable)}


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (1e-8, ""),
        (np.nextafter(1e-8, 0), "BAD_PRICE"),
        (np.nextafter(1e10, 0), ""),
        (1e10, "BAD_PRICE"),
        (0.0, "BAD_PRICE"),
        (-1.0, "BAD_PRICE"),
        (np.nan, "BAD_PRICE"),
        (np.inf, "BAD_PRICE"),
    ],
)
def test_a_price_is_taken_within_what_the_warehouse_holds(price: float, reason: str) -> None:
    assert reason_of(prints((START_MS, price, 1.0))) == reason


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (5e-324, ""),
        (np.nextafter(1e12, 0), ""),
        (1e12, "BAD_SIZE"),
        (-5e-324, "BAD_SIZE"),
        (np.nan, "BAD_SIZE"),
        (np.inf, "BAD_SIZE"),
        (0.0, "ZERO_SIZE"),
        (-0.0, "ZERO_SIZE"),
    ],
)
def test_a_size_is_taken_within_what_the_warehouse_holds(size: float, reason: str) -> None:
    assert reason_of(prints((START_MS, 10.0, size))) == reason


def test_size_zero_is_a_price_where_the_source_quotes() -> None:
    assert reason_of(prints((START_MS, 10.0, 0.0)), quotes_allowed=True) == ""


@pytest.mark.parametrize(
    ("age_ms", "reason"),
    [(-5_000, ""), (-5_001, "FUTURE"), (DAY_MS - 1, ""), (DAY_MS, "TOO_OLD")],
)
def test_event_time_is_held_against_the_records_own_receipt(age_ms: int, reason: str) -> None:
    """The watermark stays behind the bar, so that lateness has no say."""
    trades = prints((START_MS, 10.0, 1.0), received_at=START_MS + age_ms)
    assert reason_of(trades, watermark=START_MS) == reason


@pytest.mark.parametrize(
    ("watermark", "reason"),
    [(BAR_END_MS + LATENESS_MS - 1, ""), (BAR_END_MS + LATENESS_MS, "LATE")],
)
@pytest.mark.parametrize("within_bar_ms", [0, MINUTE_MS - 1])
def test_a_trade_is_late_from_the_moment_its_bar_is_final(watermark: int, reason: str, within_bar_ms: int) -> None:
    assert reason_of(prints((START_MS + within_bar_ms, 10.0, 1.0)), watermark) == reason


def test_the_first_reason_of_several_is_told() -> None:
    far = START_MS + 2 * DAY_MS
    assert [
        reason_of(prints((START_MS, -1.0, -1.0), received_at=far)),
        reason_of(prints((START_MS, 1.0, -1.0), received_at=far)),
        reason_of(prints((START_MS, 1.0, 0.0), received_at=far)),
        reason_of(prints((START_MS, 1.0, 1.0), received_at=far)),
    ] == ["BAD_PRICE", "BAD_SIZE", "ZERO_SIZE", "TOO_OLD"]


def test_each_trade_is_judged_by_itself() -> None:
    trades = prints((START_MS, 10.0, 1.0), (START_MS, np.nan, 1.0), (START_MS, 10.0, 1.0))
    reasons = judge(trades, trades.received_at, LATENESS_MS, np.zeros(3, np.bool_))
    assert [REASONS[code] for code in reasons] == ["", "BAD_PRICE", ""]


def test_a_bar_by_hand() -> None:
    table = table_of([(START_MS + 1, 10.0, 2.0), (START_MS + 9, 12.0, 1.0), (START_MS + 20, 9.0, 1.0)])
    assert {column.name: getattr(table, column.name).tolist() for column in fields(BarTable)} == {
        "key": [START_MS // MINUTE_MS],
        "open": [10.0],
        "high": [12.0],
        "low": [9.0],
        "close": [9.0],
        "volume": [4.0],
        "notional": [41.0],
        "trades": [3],
        "first_time": [START_MS + 1],
        "last_time": [START_MS + 20],
        "first_offset": [0],
        "last_offset": [2],
        "revision": [0],
        "flags": [0],
        "priced_volume": [4.0],
    }
    assert table.vwap.tolist() == [10.25]


def test_open_and_close_go_by_event_time_and_then_by_arrival() -> None:
    table = table_of(
        [
            (START_MS + 30, 5.0, 1.0),
            (START_MS + 10, 1.0, 1.0),
            (START_MS + 50, 8.0, 1.0),
            (START_MS + 10, 2.0, 1.0),
            (START_MS + 50, 9.0, 1.0),
            (START_MS + 40, 6.0, 1.0),
        ]
    )
    assert (table.open.tolist(), table.close.tolist()) == ([1.0], [9.0])


def test_an_equal_time_in_a_later_call_came_later() -> None:
    table = table_of([(START_MS, 2.0, 1.0)], table_of([(START_MS, 1.0, 1.0)]))
    assert (table.open.tolist(), table.close.tolist()) == ([1.0], [2.0])


def test_an_out_of_order_trade_changes_the_range_but_not_the_close() -> None:
    before = table_of([(START_MS + 10, 5.0, 1.0), (START_MS + 50, 6.0, 1.0)])
    after = table_of([(START_MS + 30, 9.0, 1.0)], before)
    assert (after.open.tolist(), after.high.tolist(), after.close.tolist()) == ([5.0], [9.0], [6.0])


def test_a_minute_holds_its_start_and_not_its_end() -> None:
    table = table_of([(START_MS - 1, 1.0, 1.0), (START_MS, 2.0, 1.0), (BAR_END_MS - 1, 3.0, 1.0), (BAR_END_MS, 4, 1)])
    assert (table.start.tolist(), table.close.tolist()) == (
        [START_MS - MINUTE_MS, START_MS, BAR_END_MS],
        [1.0, 3.0, 4.0],
    )


def test_quotes_alone_make_a_bar_without_a_vwap() -> None:
    table = table_of([(START_MS, 5.0, 0.0), (START_MS + 1, 7.0, 0.0)])
    assert np.isnan(table.vwap).tolist() == [True]
    assert (table.high.tolist(), table.volume.tolist(), table.trades.tolist()) == ([7.0], [0.0], [2])


@given(price=st.floats(1e-8, 9e9), sizes=st.lists(st.floats(1e-9, 9e11), min_size=1, max_size=8))
def test_the_vwap_of_one_price_is_that_price(price: float, sizes: list[float]) -> None:
    assert table_of([(START_MS, price, size) for size in sizes]).vwap.tolist() == [price]


def test_the_largest_trades_there_are_give_finite_sums() -> None:
    price, size = float(np.nextafter(1e10, 0)), float(np.nextafter(1e12, 0))
    table = table_of([(START_MS, price, size)] * 1_000)
    assert table.volume.tolist() == [pytest.approx(1e15, rel=1e-12)]
    assert table.vwap.tolist() == [price]


@pytest.mark.parametrize(("watermark", "revision"), [(BAR_END_MS + 4_999, 0), (BAR_END_MS + 5_000, 1)])
def test_a_trade_revises_its_bar_once_the_bar_was_shown(watermark: int, revision: int) -> None:
    assert table_of([(START_MS, 1.0, 1.0)], watermark=watermark).revision.tolist() == [revision]


def test_revisions_count_the_trades_that_amended_the_bar() -> None:
    table = table_of([(START_MS, 1.0, 1.0)])
    for _ in range(2):
        table = table_of([(START_MS, 1.0, 1.0)], table, watermark=BAR_END_MS + 60_000)
    assert (table.revision.tolist(), table.trades.tolist()) == ([2], [3])


def test_one_print_given_as_ohlc_marks_the_bar() -> None:
    zero = np.zeros(1, np.int64)
    given_so = add_trades(empty_table(), prints((START_MS, 1.0, 1.0), ohlc=True), zero, zero)
    assert table_of([(START_MS, 2.0, 1.0)], given_so).flags.tolist() == [FLAG_OHLC]
    assert table_of([(START_MS, 2.0, 1.0)]).flags.tolist() == [0]


def test_a_bar_knows_the_least_and_the_largest_offset_of_its_trades() -> None:
    zero = np.zeros(1, np.int64)
    table = add_trades(empty_table(), prints((START_MS, 1.0, 1.0), first_offset=7), zero, zero)
    table = add_trades(table, prints((START_MS + 1, 1.0, 1.0), first_offset=3), zero, zero)
    assert (table.first_offset.tolist(), table.last_offset.tolist()) == ([3], [7])


@settings(max_examples=60)
@given(rows=PRINTS)
def test_bars_equal_a_naive_folding(rows: list[Print]) -> None:
    table = table_of(rows)
    by_bar = sorted(((row[0] // MINUTE_MS, arrival, row) for arrival, row in enumerate(rows)), key=lambda one: one[0])
    expected = []
    for minute, group in groupby(by_bar, key=lambda one: one[0]):
        arrived = [row for _, _, row in group]
        in_time = sorted(arrived, key=lambda row: row[0])
        prices = [price for _, price, _ in arrived]
        volume = 0.0
        for _, _, size in arrived:
            volume += size
        expected.append((minute, in_time[0][1], max(prices), min(prices), in_time[-1][1], volume, len(arrived)))
    columns = (table.start // MINUTE_MS, table.open, table.high, table.low, table.close, table.volume, table.trades)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == expected


@settings(max_examples=60)
@given(rows=PRINTS, data=st.data())
def test_prints_added_in_any_chunks_give_the_same_bits(rows: list[Print], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5))
    table = empty_table()
    whole = prints(*rows)
    for first, last in pairwise([0, *sorted(cuts), len(rows)]):
        part = whole.take(slice(first, last))
        table = add_trades(table, part, np.zeros(len(part), np.int64), np.full(len(part), START_MS))
    assert bits(table) == bits(table_of(rows))


@settings(max_examples=60)
@given(rows=PRINTS)
def test_every_bar_keeps_its_order(rows: list[Print]) -> None:
    table = table_of(rows)
    assert (np.diff(table.key) > 0).all()
    assert (table.low <= np.minimum(table.open, table.close)).all()
    assert (table.high >= np.maximum(table.open, table.close)).all()
    traded = table.volume > 0
    assert np.array_equal(~np.isnan(table.vwap), traded)
    assert ((table.vwap >= table.low) & (table.vwap <= table.high))[traded].all()
    assert (table.trades > 0).all()


@given(series=st.integers(0, 2**30 - 1), minute=st.integers(0, 2**33 - 1))
def test_a_key_holds_its_series_and_its_start(series: int, minute: int) -> None:
    table = empty_table()
    table.key = bar_key(np.array([series]), np.array([minute * MINUTE_MS]))
    assert (table.series.tolist(), table.start.tolist()) == ([series], [minute * MINUTE_MS])


def test_bars_of_two_series_stay_apart_and_in_order() -> None:
    trades = prints((START_MS, 1.0, 1.0), (START_MS, 2.0, 1.0), (BAR_END_MS, 3.0, 1.0))
    table = add_trades(empty_table(), trades, np.array([1, 0, 1]), np.full(3, START_MS))
    assert (table.series.tolist(), table.close.tolist()) == ([0, 1, 1], [2.0, 1.0, 3.0])


def unpriced(rows: Iterable[Print], table: BarTable | None = None, watermark: int = START_MS) -> BarTable:
    """Return the table with prints added that make volume and no price."""
    trades = prints(*rows, first_offset=50)
    n = len(trades)
    return add_trades(
        table or empty_table(), trades, np.zeros(n, np.int64), np.full(n, watermark), np.ones(n, np.bool_)
    )


def test_volume_alone_changes_the_volume_the_offsets_and_the_revision() -> None:
    before = table_of([(START_MS + 10, 10.0, 2.0), (START_MS + 20, 12.0, 2.0)])
    after = unpriced([(START_MS, 99.0, 6.0), (START_MS + 30, 1.0, 1.0)], before, watermark=BAR_END_MS + 5_000)
    changed = {name for name, column in bits(after).items() if column != bits(before)[name]}
    assert changed == {"volume", "last_offset", "revision"}
    assert (after.volume.tolist(), after.priced_volume.tolist(), after.vwap.tolist()) == ([11.0], [4.0], [11.0])


def test_volume_that_comes_before_the_first_price_leaves_no_trace_in_it() -> None:
    row = (START_MS + 10, 10.0, 2.0)
    table = table_of([row], unpriced([(START_MS, 99.0, 6.0)]))
    priced = bits(table_of([row]))
    same = {name for name, column in bits(table).items() if column == priced[name]}
    assert same == {column.name for column in fields(BarTable)} - {"volume", "last_offset"}


def test_a_row_of_volume_alone_has_no_trade_and_no_vwap() -> None:
    table = unpriced([(START_MS, 99.0, 6.0)])
    assert (table.trades.tolist(), table.volume.tolist()) == ([0], [6.0])
    assert np.isnan([*table.vwap, *table.open, *table.close]).all()


@settings(max_examples=60)
@given(rows=PRINTS, without=PRINTS, data=st.data())
def test_the_vwap_stays_within_the_bar_whatever_volume_is_added(
    rows: list[Print], without: list[Print], data: st.DataObject
) -> None:
    """And it is that of the prices alone, to the last bit, wherever the volume comes between them."""
    whole = prints(*rows, *without)
    order = np.array(data.draw(st.permutations(range(len(whole)))), np.intp)
    order = np.sort(order[: len(rows)]) if data.draw(st.booleans()) else order
    shuffled, alone = whole.take(order), order >= len(rows)
    zero = np.zeros(len(shuffled), np.int64)
    table = add_trades(empty_table(), shuffled, zero, zero, alone)
    kept = np.flatnonzero(~alone)
    expected = add_trades(empty_table(), shuffled.take(kept), zero[kept], zero[kept])
    table = table.take(table.trades > 0)
    assert table.vwap.tobytes() == expected.vwap.tobytes()
    traded = table.priced_volume > 0
    assert ((table.vwap >= table.low) & (table.vwap <= table.high))[traded].all()


@pytest.mark.parametrize(("codes", "is_mark"), [((), False), (("12",), False), (("mark",), True), (("1", "gap"), True)])
def test_marks_and_gaps_are_no_trades(codes: tuple[str, ...], is_mark: bool) -> None:
    record = replace(prints((START_MS, 1.0, 1.0)), conditions=(codes,))
    assert marks(record).tolist() == [is_mark]


def test_joining_two_parts_restores_the_table() -> None:
    table = table_of([(START_MS + minute * MINUTE_MS, float(minute + 1), 1.0) for minute in range(5)])
    odd = np.arange(5) % 2 == 1
    assert bits(table.take(odd).join(table.take(~odd))) == bits(table)


def test_nothing_added_changes_nothing() -> None:
    table = table_of([(START_MS, 1.0, 1.0)])
    assert bits(merge(table, empty_table())) == bits(table)
    assert bits(table_of([], table)) == bits(table)
    assert len(table_of([])) == 0


@given(
    series=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    spread=st.sampled_from([2, 100_000]),
    data=st.data(),
)
def test_keys_are_told_apart_whether_they_lie_dense_or_far_apart(
    series: list[int], spread: int, data: st.DataObject
) -> None:
    n = len(series)
    minutes = data.draw(st.lists(st.integers(0, spread), min_size=n, max_size=n))
    key = bar_key(np.array(series, np.int64), START_MS + np.array(minutes, np.int64) * MINUTE_MS)
    keys, slot = distinct(key)
    expected_keys, expected_slot = np.unique(key, return_inverse=True)
    assert (keys.tolist(), slot.tolist()) == (expected_keys.tolist(), expected_slot.tolist())
