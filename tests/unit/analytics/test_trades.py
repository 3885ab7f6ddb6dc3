import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import TIMESTAMP_MS, some_trade
from volwatch.analytics.trades import Trades, by_appearance, concatenate, from_records, no_trades
from volwatch.trade import Trade

Row = tuple[str, str, int, int, float, float, tuple[str, ...], int]

RECORDS = st.lists(
    st.builds(
        Trade,
        source=st.sampled_from(["simulator", "finnhub"]),
        symbol=st.sampled_from(["AAPL", "MSFT", "BRK.B"]),
        event_time=st.integers(TIMESTAMP_MS, TIMESTAMP_MS + 1_000),
        price=st.floats(1, 2),
        size=st.floats(0, 9),
        conditions=st.sampled_from([(), ("1",), ("1", "12")]),
        trade_id=st.none(),
        received_at=st.integers(TIMESTAMP_MS, TIMESTAMP_MS + 1_000),
        seq=st.integers(0, 9),
    ),
    max_size=12,
)


def rows_of(trades: Trades) -> list[Row]:
    """Return each trade with its names spelt out."""
    return [
        (*trades.series[code], event_time, received_at, price, size, trades.conditions[condition], offset)
        for code, event_time, received_at, price, size, condition, offset in zip(
            trades.code.tolist(),
            trades.event_time.tolist(),
            trades.received_at.tolist(),
            trades.price.tolist(),
            trades.size.tolist(),
            trades.condition_code.tolist(),
            trades.offset.tolist(),
            strict=True,
        )
    ]


@settings(max_examples=50)
@given(records=RECORDS)
def test_records_become_columns_in_their_order(records: list[Trade]) -> None:
    assert rows_of(from_records(records, first_offset=5)) == [
        (one.source, one.symbol, one.event_time, one.received_at, one.price, one.size, one.conditions, 5 + index)
        for index, one in enumerate(records)
    ]


@settings(max_examples=50)
@given(runs=st.lists(RECORDS, max_size=4))
def test_runs_with_codes_of_their_own_are_recoded_into_one(runs: list[list[Trade]]) -> None:
    columns = [from_records(run, first_offset=100 * index) for index, run in enumerate(runs)]
    joined = concatenate(columns)
    assert rows_of(joined) == [row for run in columns for row in rows_of(run)]
    assert len(set(joined.series)) == len(joined.series)


def test_some_rows_are_taken_in_the_order_asked_for() -> None:
    trades = from_records([some_trade(seq) for seq in range(4)])
    assert rows_of(trades.take(slice(1, 3))) == rows_of(trades)[1:3]
    assert trades.take(slice(2, 2)).series == trades.series


def test_a_run_without_a_trade_has_no_series() -> None:
    assert (rows_of(no_trades()), no_trades().series, len(no_trades())) == ([], (), 0)
    assert rows_of(concatenate([])) == []


@settings(max_examples=50)
@given(records=RECORDS, data=st.data())
def test_compact_trades_say_the_same_and_name_only_what_occurs(records: list[Trade], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, max(0, len(records) - 1)), max_size=5)) if records else []
    some = from_records(records).take(np.array(rows, np.intp))
    compact = some.compact()
    assert rows_of(compact) == rows_of(some)
    assert compact.series == tuple({row[:2]: None for row in rows_of(some)})
    assert compact.conditions == tuple({row[6]: None for row in rows_of(some)})


@settings(max_examples=50)
@given(records=RECORDS, data=st.data())
def test_rows_are_taken_as_asked_for_whether_they_are_one_run_or_not(records: list[Trade], data: st.DataObject) -> None:
    count = len(records)
    any_rows = st.lists(st.integers(0, count - 1), max_size=2 * count) if count else st.just([])
    first = data.draw(st.integers(0, count))
    one_run = st.just(list(range(first, data.draw(st.integers(first, count)))))
    rows = data.draw(any_rows | one_run)
    trades = from_records(records)
    assert rows_of(trades.take(np.array(rows, np.intp))) == [rows_of(trades)[row] for row in rows]


def test_a_run_of_most_rows_is_no_copy() -> None:
    trades = from_records([some_trade(seq) for seq in range(4)])
    assert np.shares_memory(trades.take(np.arange(1, 4)).price, trades.price)
    assert not np.shares_memory(trades.take(np.arange(3, 4)).price, trades.price)


@given(st.lists(st.integers(0, 5), max_size=20))
def test_codes_come_by_their_first_row(codes: list[int]) -> None:
    assert by_appearance(np.array(codes, np.int32), 6).tolist() == list(dict.fromkeys(codes))
