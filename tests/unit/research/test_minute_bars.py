from pathlib import Path

import pytest

from volwatch.analytics.bars import FLAG_OHLC
from volwatch.errors import BadInput
from volwatch.research.minute_bars import iso_of, read_minute_bars

HEADER = "symbol,ts_utc,open,high,low,close,volume,trades"
START_MS = 1_767_623_400_000


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_bars_come_ordered_by_symbol_and_start_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "bars.csv",
        "B,2026-01-05T14:30:00Z,10,12,9,11,5,3",
        "A,2026-01-05T14:31:00Z,20,22,19,21,6,4",
        "A,2026-01-05T15:30:00+01:00,30,32,29,31,0,2",
    )
    bars = read_minute_bars(path)
    table = bars.table
    assert bars.symbols == ("A", "B")
    assert table.series.tolist() == [0, 0, 1]
    assert iso_of(table.start) == ["2026-01-05T14:30:00Z", "2026-01-05T14:31:00Z", "2026-01-05T14:30:00Z"]
    assert table.close.tolist() == [31, 21, 11]
    assert table.volume.tolist() == [0, 6, 5]
    assert table.trades.tolist() == [2, 4, 3]
    assert table.flags.tolist() == [0, 0, 0]


def test_bars_without_trades_are_ones_that_are_given_by_their_extremes(tmp_path: Path) -> None:
    path = write(tmp_path / "bars.csv", "A,2026-01-05T14:30:00Z,10,12,9,11", header="symbol,ts_utc,open,high,low,close")
    table = read_minute_bars(path).table
    assert (table.start[0], table.trades[0], table.volume[0], table.flags[0]) == (START_MS, 4, 0, FLAG_OHLC)


def test_every_kind_of_fault_is_told_at_once_with_its_first_row(tmp_path: Path) -> None:
    path = write(
        tmp_path / "bars.csv",
        ",2026-01-05T14:30:00Z,10,12,9,11,5,3",
        "A,yesterday,10,12,9,11,5,3",
        "A,2026-01-05T14:30:30Z,10,12,9,11,5,3",
        "A,2026-01-05T14:31:00Z,10,12,9,11,5,3",
        "A,2026-01-05T14:31:00Z,10,12,9,11,5,3",
        "A,2026-01-05T14:32:00Z,10,12,0,11,5,3",
        "A,2026-01-05T14:33:00Z,10,10.5,9,11,5,3",
        "A,2026-01-05T14:34:00Z,10,12,10.5,11,5,3",
        "A,2026-01-05T14:35:00Z,10,12,9,11,-1,3",
        "A,2026-01-05T14:36:00Z,10,12,9,11,5,0",
        "A,2026-01-05T14:37:00Z,10,12,9,,5,inf",
    )
    with pytest.raises(BadInput) as caught:
        read_minute_bars(path)
    assert [fault.removeprefix(f"{path} ") for fault in caught.value.faults] == [
        "row 1 ('', '2026-01-05T14:30:00Z') has no symbol",
        "row 2 ('A', 'yesterday') has a ts_utc that is no ISO time",
        "row 3 ('A', '2026-01-05T14:30:30Z') has a ts_utc that is not on a full minute: bars of one minute, please",
        "row 5 ('A', '2026-01-05T14:31:00Z') has the symbol and ts_utc of a row above",
        "row 6 ('A', '2026-01-05T14:32:00Z') has a price that is missing or not above 0 (2 rows)",
        "row 7 ('A', '2026-01-05T14:33:00Z') has an open or close outside of low to high (2 rows)",
        "row 9 ('A', '2026-01-05T14:35:00Z') has a volume that is missing or below 0",
        "row 10 ('A', '2026-01-05T14:36:00Z') has trades that are no whole number of at least 1 (2 rows)",
    ]
