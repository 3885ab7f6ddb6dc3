import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.calendars import calendar_named
from volwatch.errors import Misconfigured
from volwatch.producer.ohlc import ohlc_trades
from volwatch.producer.source import Rejected
from volwatch.trade import Trade

XNYS = calendar_named("XNYS")
HEADER = "date,open,high,low,close,volume,adj_close"


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def read(*lines: str) -> list[Trade | Rejected]:
    return list(ohlc_trades(lines, "MSFT", "replay-msft", XNYS))


def prints(*lines: str) -> list[tuple[int, float, float]]:
    return [(row.event_time, row.price, row.size) for row in read(*lines) if isinstance(row, Trade)]


def test_a_daily_bar_becomes_four_prints_inside_the_session_of_its_date() -> None:
    assert prints(HEADER, "2003-03-03,24.02,24.12,23.4,23.54,50653500,15.7") == [
        (at("2003-03-03T14:30:00Z"), 24.02, 12_663_375.0),
        (at("2003-03-03T16:40:00Z"), 24.12, 12_663_375.0),
        (at("2003-03-03T18:50:00Z"), 23.4, 12_663_375.0),
        (at("2003-03-03T21:00:00Z") - 1, 23.54, 12_663_375.0),
    ]


def test_the_extreme_nearer_to_the_open_comes_first() -> None:
    low_first = prints("date,open,high,low,close", "2003-03-03,10,14,9,12")
    assert [price for _, price, _ in low_first] == [10.0, 9.0, 14.0, 12.0]


def test_sessions_follow_daylight_saving_and_half_days() -> None:
    lines = [HEADER, "2023-11-24,1,1,1,1,4,1", "2023-07-03,1,1,1,1,4,1"]
    times = [time for time, _, _ in prints(*lines)]
    assert [times[index] for index in (0, 3, 4, 7)] == [
        at("2023-07-03T13:30:00Z"),
        at("2023-07-03T17:00:00Z") - 1,
        at("2023-11-24T14:30:00Z"),
        at("2023-11-24T18:00:00Z") - 1,
    ]


def test_a_one_minute_bar_becomes_four_prints_inside_its_minute() -> None:
    start_ms = at("2026-01-05T14:30:00Z")
    assert prints("ts_utc,open,high,low,close,volume", "2026-01-05T14:30:00Z,5,6,4,5.5,8") == [
        (start_ms, 5.0, 2.0),
        (start_ms + 20_000, 6.0, 2.0),
        (start_ms + 40_000, 4.0, 2.0),
        (start_ms + 59_999, 5.5, 2.0),
    ]


@pytest.mark.parametrize("volume", ["0", ""])
def test_a_bar_without_volume_has_prints_of_size_one(volume: str) -> None:
    assert {size for _, _, size in prints(HEADER, f"2003-03-03,24.02,24.12,23.4,23.54,{volume},1")} == {1.0}


def test_records_are_marked_numbered_and_received_a_millisecond_later() -> None:
    rows = read(HEADER, "2003-03-03,24.02,24.12,23.4,23.54,4,1")
    trades = [row for row in rows if isinstance(row, Trade)]
    assert [(t.source, t.symbol, t.conditions, t.trade_id, t.received_at - t.event_time, t.seq) for t in trades] == [
        ("replay-msft", "MSFT", ("ohlc",), None, 1, seq) for seq in range(4)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2003-03-03,x,24.12,23.4,23.54,1,1", "MALFORMED"),
        ("2003-03-03,24.02", "MALFORMED"),
        ("2003-03-03,nan,24.12,23.4,23.54,1,1", "MALFORMED"),
        ("3rd of March,24.02,24.12,23.4,23.54,1,1", "MALFORMED"),
        ("2003-03-03,24.02,24.12,23.4,23.54,many,1", "MALFORMED"),
        ("2003-03-03,24.02,24.12,0,23.54,1,1", "BAD_PRICE"),
        ("2003-03-03,24.02,23.0,23.4,23.54,1,1", "INVALID_OHLC"),
        ("2003-03-03,24.02,24.12,23.6,23.54,1,1", "INVALID_OHLC"),
        ("2003-03-03,24.02,24.12,23.4,23.54,-1,1", "BAD_SIZE"),
        ("2003-03-02,24.02,24.12,23.4,23.54,1,1", "NO_SESSION"),
        ("2003-03-04,24.02,24.12,23.4,23.54,1,1", "DUPLICATE_BAR"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason_and_the_rest_goes_on(row: str, reason: str) -> None:
    good = "2003-03-04,23.58,23.66,23.06,23.07,8,1"
    rejected, *trades = read(HEADER, good, row)
    assert isinstance(rejected, Rejected)
    assert (rejected.key, rejected.reason, json.loads(rejected.record)["row"]) == ("MSFT", reason, 3)
    assert trades == read(HEADER, good)


def test_a_time_without_a_zone_is_rejected() -> None:
    rows = read("ts_utc,open,high,low,close", "2026-01-05T14:30:00,5,6,4,5.5", "noon,5,6,4,5.5")
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["MALFORMED", "MALFORMED"]


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(Misconfigured) as raised:
        read("day,open,high,close")
    assert raised.value.faults == [
        "the file of bars has no column 'low'",
        "the file of bars has neither a column 'date' nor 'ts_utc'",
    ]


prices = st.floats(0.01, 1e6)
quadruples = st.tuples(prices, prices, prices, prices)


@given(st.lists(quadruples, min_size=1, max_size=5))
def test_the_prints_of_a_bar_make_the_bar_again(quads: list[tuple[float, float, float, float]]) -> None:
    bars = [(a, max(a, b, c, d), min(a, b, c, d), b) for a, b, c, d in quads]
    lines = [f"2026-01-05T14:{30 + minute}:00Z,{o!r},{h!r},{lo!r},{c!r}" for minute, (o, h, lo, c) in enumerate(bars)]
    made: dict[int, list[float]] = {}
    for time, price, _ in prints("ts_utc,open,high,low,close", *lines):
        made.setdefault(time // 60_000, []).append(price)
    assert [(points[0], max(points), min(points), points[-1]) for points in made.values()] == bars
