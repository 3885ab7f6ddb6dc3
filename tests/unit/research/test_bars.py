"""``volwatch bars`` against bars that two other programs made, and against what files can be."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from volwatch import finnhub
from volwatch.analytics.bars import REASONS
from volwatch.cli import main
from volwatch.research import bars

DATA = Path(__file__).parents[2] / "data"
RECORDED = DATA / "dirty_trades.jsonl"
EXPECTED = json.loads((DATA / "dirty_trades_expected.json").read_text())
START_MS = 1_767_623_400_000
NUMBERS = ("bar_start_ms", "open", "high", "low", "close", "volume", "trades")

THEIR_NAMES = {
    "BAD_PRICE": ("inf_price", "nan_price", "neg_price", "null_price", "string_price", "zero_price"),
    "BAD_SIZE": ("neg_volume",),
    "FUTURE": ("future_ts",),
    "MALFORMED": ("missing_t",),
    "UNKNOWN_SYMBOL": ("unknown_symbol",),
}


def line(arrival_ms: int, *items: dict[str, Any]) -> str:
    return json.dumps({"arrival_ms": START_MS + arrival_ms, "message": {"type": "trade", "data": items}})


def a_print(event_ms: int, price: float = 100.0, size: float = 1, symbol: str = "A", **other: Any) -> dict[str, Any]:
    return {"s": symbol, "p": price, "t": START_MS + event_ms, "v": size, **other}


def bars_of(folder: Path, lines: list[str], *options: str) -> tuple[list[list[str]], list[list[str]]]:
    """Run the tool; return the rows of bars and of rejects, without their headers."""
    (folder / "in.jsonl").write_text("\n".join(lines))
    assert main(["bars", str(folder / "in.jsonl"), "-o", str(folder / "out.csv"), *options]) == 0
    return rows_of(folder / "out.csv")[1:], rows_of(folder / "out.rejects.csv")[1:]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def recorded_bars(output: Path, *options: str) -> pd.DataFrame:
    known = ",".join(EXPECTED["known_symbols"])
    assert main(["bars", str(RECORDED), "-o", str(output), "--symbols", known, *options]) == 0
    return pd.read_csv(output)


def test_the_bars_of_a_dirty_feed_are_exactly_those_that_other_programs_made(tmp_path: Path) -> None:
    expected = pd.read_csv(DATA / "dirty_trades_expected_bars.csv")
    made = recorded_bars(tmp_path / "out.csv", "--no-outlier-filter", "--lateness", "120")
    assert list(made.columns) == list(expected.columns) == list(bars.COLUMNS)
    assert made["symbol"].tolist() == expected["symbol"].tolist()
    for name in NUMBERS:
        assert made[name].tolist() == expected[name].tolist(), name
    assert made["vwap"].tolist() == pytest.approx(expected["vwap"].tolist(), rel=1e-14, abs=0)  # given with 15 digits


def test_the_rejects_of_a_dirty_feed_are_counted_as_other_programs_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recorded_bars(tmp_path / "out.csv", "--no-outlier-filter")
    expected = {reason: sum(EXPECTED["rejected"][name] for name in names) for reason, names in THEIR_NAMES.items()}
    assert sum(map(len, THEIR_NAMES.values())) == len(EXPECTED["rejected"])
    expected["LATE"] = EXPECTED["late_beyond_allowance"]
    rejects = rows_of(tmp_path / "out.rejects.csv")
    assert rejects[0] == ["arrival_ms", "reason", "trade"]
    assert Counter(reason for _, reason, _ in rejects[1:]) == expected
    assert made["trades"].sum() == EXPECTED["accepted_in_time"]
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"messages   {EXPECTED['messages']} (trade 396, ping 9, error 2)"
    assert told[1].startswith(f"resent     {EXPECTED['resent_messages']} messages")
    assert told[2] == "accepted   1,145 trades in 204 bars"
    assert told[3] == f"rejected   {sum(expected.values())}"
    assert [row.split() for row in told[4:]] == [[reason, str(expected[reason])] for reason in sorted(expected)]


def test_every_trade_of_a_message_that_is_new_is_in_a_bar_or_a_reject(tmp_path: Path) -> None:
    made = recorded_bars(tmp_path / "out.csv")
    rejects = rows_of(tmp_path / "out.rejects.csv")[1:]
    seen: set[str] = set()
    count = 0
    for text in RECORDED.read_text().splitlines():
        items = json.loads(text)["message"].get("data", [])
        count += 0 if str(items) in seen else len(items)
        seen.add(str(items))
    assert made["trades"].sum() + len(rejects) == count


@pytest.mark.parametrize("block_bytes", [1, 1500])
def test_the_size_of_the_blocks_changes_no_bar_and_no_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    lines = RECORDED.read_text().splitlines()[:80]
    whole = bars_of(tmp_path, lines)
    monkeypatch.setattr(bars, "_BLOCK_BYTES", block_bytes)
    made, rejects = bars_of(tmp_path, lines)
    assert made == whole[0]
    assert sorted(rejects) == sorted(whole[1])


def test_a_bar_by_hand(tmp_path: Path) -> None:
    made, rejects = bars_of(
        tmp_path,
        [
            line(1_000, a_print(900, 100.0, 2), a_print(900, 103.0, 0.5)),
            line(61_000, a_print(60_000, 99.0, 4)),
            line(62_000, a_print(500, 101.0, 1), a_print(59_999, 102.5, 1), a_print(30_000, 98.5, 1)),
        ],
        "--no-outlier-filter",
    )
    # Σ p·v = 200 + 51.5 + 101 + 102.5 + 98.5 = 553.5, Σ v = 5.5
    first = ["A", str(START_MS), "101.0", "103.0", "98.5", "102.5", "5.5", repr(553.5 / 5.5), "5"]
    assert made == [first, ["A", str(START_MS + 60_000), "99.0", "99.0", "99.0", "99.0", "4", "99.0", "1"]]
    assert rejects == []


def test_lateness_decides_which_trade_comes_too_late(tmp_path: Path) -> None:
    lines = [line(0, a_print(0, 100.0)), line(70_000, a_print(70_000, 101.0)), line(70_001, a_print(1, 99.0))]
    assert [row[8] for row in bars_of(tmp_path, lines, "--lateness", "11")[0]] == ["2", "1"]
    made, rejects = bars_of(tmp_path, lines, "--lateness", "10")
    assert [row[8] for row in made] == ["1", "1"]
    late = '{"s":"A","p":99,"t":1767623400001,"v":1,"c":[]}'
    assert rejects == [[str(START_MS + 70_001), "LATE", late]]


def test_a_bad_print_is_left_out_unless_it_is_wanted(tmp_path: Path) -> None:
    prices = [100.0, 100.01] * 10 + [102.0] + [100.0, 100.01] * 5
    lines = [line(1000 * index, a_print(1000 * index, price)) for index, price in enumerate(prices)]
    made, rejects = bars_of(tmp_path, lines)
    assert [(row[3], row[8]) for row in made] == [("100.01", "30")]
    assert [row[:2] for row in rejects] == [[str(START_MS + 20_000), "OUTLIER"]]
    made, rejects = bars_of(tmp_path, lines, "--no-outlier-filter")
    assert [(row[3], row[8]) for row in made] == [("102.0", "31")]
    assert rejects == []


def test_a_bad_print_at_the_very_end_is_rejected_too(tmp_path: Path) -> None:
    prices = [100.0, 100.01] * 10 + [102.0]
    lines = [line(1000 * index, a_print(1000 * index, price)) for index, price in enumerate(prices)]
    made, rejects = bars_of(tmp_path, lines)
    assert [(row[3], row[8]) for row in made] == [("100.01", "20")]
    assert [row[1] for row in rejects] == ["OUTLIER"]


def test_symbols_are_ordered_and_may_have_points_and_colons(tmp_path: Path) -> None:
    symbols = ["OANDA:EUR_USD", "BRK.B", "BINANCE:BTCUSDT", 'Ä,"ö"']
    made, _ = bars_of(tmp_path, [line(0, *(a_print(0, symbol=symbol) for symbol in symbols))])
    assert [row[0] for row in made] == sorted(symbols)


def test_without_symbols_all_are_known(tmp_path: Path) -> None:
    lines = [line(0, a_print(0, symbol="A"), a_print(0, symbol="B"))]
    assert [row[0] for row in bars_of(tmp_path, lines)[0]] == ["A", "B"]
    made, rejects = bars_of(tmp_path, lines, "--symbols", "B,C")
    assert [row[0] for row in made] == ["B"]
    assert rejects == [[str(START_MS), "UNKNOWN_SYMBOL", json.dumps(a_print(0, symbol="A"))]]


def test_a_price_update_without_a_trade_is_in_no_bar(tmp_path: Path) -> None:
    made, rejects = bars_of(tmp_path, [line(0, a_print(0, 100.0), a_print(1, 120.0, 0))])
    assert [row[3] for row in made] == ["100.0"]
    assert [row[1] for row in rejects] == ["ZERO_SIZE"]


def test_a_trade_from_the_future_moves_no_clock(tmp_path: Path) -> None:
    lines = [line(0, a_print(0)), line(1, a_print(3_600_000)), line(2, a_print(1, 101.0))]
    made, rejects = bars_of(tmp_path, lines, "--lateness", "0")
    assert [row[8] for row in made] == ["2"]
    assert [row[1] for row in rejects] == ["FUTURE"]


def test_a_trade_just_ahead_of_the_last_arrival_is_in_a_final_bar_too(tmp_path: Path) -> None:
    made, _ = bars_of(tmp_path, [line(59_000, a_print(64_000))])
    assert [row[1] for row in made] == [str(START_MS + 60_000)]


def test_bars_of_a_day_are_not_among_those_of_a_minute(tmp_path: Path) -> None:
    days_ms = [86_400_000 * day for day in range(4)]
    made, _ = bars_of(tmp_path, [line(time_ms, a_print(time_ms, symbol="X:Y")) for time_ms in days_ms])
    assert [row[1] for row in made] == [str(START_MS + time_ms) for time_ms in days_ms]


@pytest.mark.parametrize("first_ms", [0, 253_402_300_799_999])
def test_times_at_the_ends_of_the_calendar_are_bars_like_others(tmp_path: Path, first_ms: int) -> None:
    made, _ = bars_of(tmp_path, [line(first_ms - START_MS, a_print(first_ms - START_MS))])
    assert made == [["A", str(first_ms - first_ms % 60_000), "100.0", "100.0", "100.0", "100.0", "1", "100.0", "1"]]


@pytest.mark.parametrize(
    "bad",
    [
        "no JSON",
        "{}",
        "[]",
        '{"arrival_ms": 1767623400000}',
        '{"message": {"type": "ping"}}',
        '{"arrival_ms": "1767623400000", "message": {"type": "ping"}}',
        '{"arrival_ms": -1, "message": {"type": "ping"}}',
        '{"arrival_ms": NaN, "message": {"type": "ping"}}',
        '{"arrival_ms": 1767623400000, "message": {"type": "trade", "data": [',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_a_reject_without_arrival_and_the_others_stay(tmp_path: Path, bad: str) -> None:
    made, rejects = bars_of(tmp_path, [bad, line(0, a_print(0)), "", bad])
    assert [row[8] for row in made] == ["1"]
    assert rejects == [["", "MALFORMED", bad]] * 2


def test_a_message_that_is_none_is_a_reject_with_its_arrival(tmp_path: Path) -> None:
    _, rejects = bars_of(tmp_path, ['{"arrival_ms": 1767623400000, "message": "hello\\nNaN"}'])
    assert rejects == [["1767623400000", "MALFORMED", '"hello\\nNaN"']]


def test_a_file_without_trades_makes_a_table_without_rows(tmp_path: Path) -> None:
    assert bars_of(tmp_path, ['{"arrival_ms": 1767623400000, "message": {"type": "ping"}}']) == ([], [])
    assert rows_of(tmp_path / "out.csv") == [list(bars.COLUMNS)]


def test_parquet_holds_the_same_numbers(tmp_path: Path) -> None:
    text = recorded_bars(tmp_path / "out.csv").astype({"volume": "float64"})
    known = ",".join(text["symbol"].unique())
    assert main(["bars", str(RECORDED), "-o", str(tmp_path / "p.parquet"), "--symbols", known]) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "p.parquet"), text, check_exact=True)
    assert rows_of(tmp_path / "p.rejects.csv") == rows_of(tmp_path / "out.rejects.csv")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "in.jsonl line 1: there is no line in it"),
        (b"\n \n", "in.jsonl line 1: there is no line in it"),
        (b"symbol,price\nA,1\n", "in.jsonl line 1: "),
        (b"\x1f\x8b\x00\xff\n", "in.jsonl line 1: "),
        (b'{"p": 1}\n' * 101 + RECORDED.read_bytes(), "in.jsonl line 1: no key 'arrival_ms'"),
    ],
)
def test_a_file_of_another_kind_is_one_clear_fault_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, complaint: str
) -> None:
    (tmp_path / "in.jsonl").write_bytes(content)
    assert main(["bars", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert complaint in told[1]
    assert told[1].endswith(
        'give a JSON object a line, {"arrival_ms": …, "message": {…}}; volwatch bars --help shows one'
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_everything_that_is_wrong_with_the_options_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--lateness", "-1", "--symbols", ",", "-o", str(tmp_path / "out.txt")]
    assert main(["bars", str(tmp_path), *options]) == 2
    assert [row.split(":")[0] for row in capsys.readouterr().err.splitlines()[1:]] == [
        "  - --lateness",
        f"  - {tmp_path / 'out.txt'}",
        f"  - {tmp_path} is no file",
        "  - --symbols",
    ]


def test_rejects_that_have_no_place_are_a_fault_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out.rejects.csv").mkdir()
    assert main(["bars", str(RECORDED), "-o", str(tmp_path / "out.csv")]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [f"  - {tmp_path / 'out.rejects.csv'} cannot be written"]
    assert not (tmp_path / "out.csv").exists()


def test_the_help_explains_every_reason_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bars", "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    for word in {*finnhub.REASONS, *REASONS[1:], *bars.COLUMNS} - {"CONDITION"}:
        assert word in told, word
