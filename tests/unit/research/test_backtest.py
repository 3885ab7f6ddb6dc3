"""``volwatch backtest``, as it is run: files in, files out, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.analytics.made import MINUTE_MS, START_MS, minutes_from, noise
from tests.unit.research.labelled import write_labels
from volwatch import cli
from volwatch.analytics.calendars import DAY_MS
from volwatch.analytics.config import EngineConfig
from volwatch.errors import Transient
from volwatch.research import backtest
from volwatch.research.backtest import COLUMNS
from volwatch.research.minute_bars import iso_of
from volwatch.research.raw import Found

ENTER = EngineConfig().enter
BURSTS = {"CALM": [], "WILD": [200, 300]}


def bars_frame(start: int = START_MS, minutes: int = 390) -> pd.DataFrame:
    """Return a session of a calm symbol, and of one with two bursts of three minutes, ×12."""
    parts = []
    for seed, (symbol, onsets) in enumerate(BURSTS.items()):
        spread = np.exp(noise(seed + 5, minutes, 0.1))
        for onset in onsets:
            spread[onset : onset + 3] *= 12
        columns = {"open": 100.0, "high": 100 * np.exp(spread / 2), "low": 100 * np.exp(-spread / 2), "close": 100.0}
        times = iso_of(minutes_from(start, minutes))
        parts.append(pd.DataFrame({"symbol": symbol, "ts_utc": times, **columns, "volume": 300, "trades": 30}))
    return pd.concat(parts)


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    bars_frame().to_csv(tmp_path / "bars.csv.gz", index=False)
    return tmp_path / "bars.csv.gz"


def alerts(*words: Any, output: Path) -> pd.DataFrame:
    assert cli.main(["backtest", *map(str, words), "-o", str(output)]) == 0
    return pd.read_csv(output)


def test_each_onset_is_a_row_with_its_sentence(bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = alerts(bars, output=tmp_path / "alerts.csv")
    assert found.columns.tolist() == [*COLUMNS]
    expected = iso_of(START_MS + np.array([200, 300]) * MINUTE_MS)
    assert found[["symbol", "ts_utc"]].to_numpy().tolist() == [["WILD", time] for time in expected]
    for time, statistic, why in found[["ts_utc", "statistic", "why"]].to_numpy().tolist():
        assert statistic >= ENTER
        assert why.startswith(f"WILD {time[11:16]}Z: 1-min range")
        assert f"(S={statistic:.1f}, enters at {ENTER:g}; 30 trades; price 100 → 100)" in why
    assert found["kind"].tolist() == ["VOLATILITY"] * 2
    assert (found["closed_utc"] > found["ts_utc"]).all()
    said = f"volwatch backtest: 780 bars of 2 symbols in 1 sessions of XNYS; 2 onsets at {ENTER:g}\n"
    assert capsys.readouterr().err == said


def test_the_order_of_the_rows_does_not_matter(bars: Path, tmp_path: Path) -> None:
    first = alerts(bars, output=tmp_path / "first.csv")
    pd.read_csv(bars).sample(frac=1, random_state=1).to_csv(tmp_path / "shuffled.csv", index=False)
    alerts(tmp_path / "shuffled.csv", output=tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()
    assert len(first) == 2


def test_a_symbol_is_judged_the_same_whoever_stands_beside_it(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = alerts(bars, output=tmp_path / "together.csv")
    monkeypatch.setattr(backtest, "_SYMBOLS_AT_ONCE", 1)
    pd.testing.assert_frame_equal(alerts(bars, output=tmp_path / "apart.csv"), together)


def test_several_levels_are_told_apart_and_a_higher_one_raises_no_more(bars: Path, tmp_path: Path) -> None:
    found = alerts(bars, "--enter", "3", "--enter", "500", "--enter", "4", output=tmp_path / "alerts.csv")
    assert found.columns[0] == "enter"
    assert found["enter"].unique().tolist() == [3.0, 4.0]
    assert (found["statistic"] >= found["enter"]).all()


def test_no_onset_is_a_file_without_rows(bars: Path, tmp_path: Path) -> None:
    assert alerts(bars, "--enter", "500", output=tmp_path / "alerts.csv").empty


def test_sessions_that_no_exchange_has_are_found_from_the_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The second day is a Saturday.
    two = pd.concat([bars_frame(START_MS + 4 * DAY_MS), bars_frame(START_MS + 5 * DAY_MS)])
    two.to_csv(tmp_path / "bars.csv", index=False)
    found = alerts(tmp_path / "bars.csv", output=tmp_path / "alerts.csv")
    assert found["ts_utc"].str[:10].unique().tolist() == ["2026-01-09", "2026-01-10"]
    assert "in 2 sessions found from the bars; 4 onsets" in capsys.readouterr().err
    named = alerts(tmp_path / "bars.csv", "--calendar", "XNYS", output=tmp_path / "named.csv")
    assert named["ts_utc"].str[:10].unique().tolist() == ["2026-01-09"]
    assert "in 1 sessions of XNYS, 780 bars outside of them not judged" in capsys.readouterr().err


def test_a_sweep_prints_and_draws_what_each_level_gives(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, end = iso_of(START_MS + np.array([200, 202]) * MINUTE_MS)
    events = [("WILD", "burst_x5", start, end), ("CALM", "null_gbm", "", "")]
    labels = write_labels(tmp_path / "labels", events, days=1, first="2026-01-05")
    words = [
        "--sweep",
        "--labels",
        str(labels),
        "--curve",
        str(tmp_path / "curve.html"),
        "--enter",
        "5",
        "--enter",
        "4",
    ]
    assert cli.main(["backtest", str(bars), *words]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    # One of two onsets is labelled, over two symbol-days; the calm symbol raised none.
    common = "2 1.000 0.500 [0.013, 2.786] 0.000 [0.000, 3.689] none 1.000 0.500 0.667 0"
    assert [line.split() for line in lines] == [f"{level} {common}".split() for level in (4, 5)]
    assert (tmp_path / "curve.html").stat().st_size > 1_000_000


def test_a_sweep_without_labels_counts_onsets(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["backtest", str(bars), "--sweep"]) == 0
    told = capsys.readouterr()
    header, *lines = told.out.splitlines()
    assert header.split() == ["enter", "onsets", "per", "day"]
    assert told.err.splitlines()[-1] == "volwatch backtest: drawn in bars.curve.html"
    assert Path("bars.curve.html").stat().st_size > 1_000_000
    assert [line.split()[0] for line in lines] == [f"{3 + step / 10:g}" for step in range(21)]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bars.csv").write_text("symbol,ts_utc,open,high,low\nA,2026-01-05T14:30:00Z,1,1,1\n")
    words = ["--enter", "-1", "--calendar", "MOON", "--labels", str(tmp_path / "none"), "--curve", "c.png"]
    assert cli.main(["backtest", str(tmp_path / "bars.csv"), *words]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "volwatch backtest: 9 fault(s) in what it was given",
        "  - --enter: a number above 0, not '-1'",
        "  - --labels: only with --sweep",
        "  - --curve: only with --sweep",
        "  - -o ALERTS.csv: only --sweep can do without",
        "  - --curve: c.png: the suffix must be .html",
        "  - --calendar: there is no 'MOON': XNYS, 24/7, 24/5, XLON, XTKS …, or auto",
        f"  - {tmp_path / 'none'}: there is no such directory or file of labels",
        f"  - {tmp_path / 'bars.csv'} has no column 'close'",
        f"  - {tmp_path / 'bars.csv'} has the columns symbol, ts_utc, open, high, low",
    ]


def test_bars_or_the_raw_zone_is_asked_for_never_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["backtest", "--sweep"]) == 2
    assert "give either BARS.csv.gz or --raw" in capsys.readouterr().err
    words = ["--raw", "x..y", "--sweep", "--calendar", "24/7", "--enter", "4", "--enter", "5"]
    assert cli.main(["backtest", *words]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  - --raw: not with --sweep",
        "  - --raw: one --enter only",
        "  - --raw: each symbol has the calendar of its form, no --calendar",
        "  - --raw: START..END, as in 2026-01-05T14:30..2026-01-05T21:00 (UTC), not 'x..y'",
    ]


RAW = ["backtest", "--raw", "2026-01-05T14:30..2026-01-05T21:00", "-o"]


def _with_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"VOLWATCH_RAWZONE_{name}", "store:9000")


def test_the_raw_zone_is_named_by_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*RAW, str(tmp_path / "alerts.csv")]) == 2
    assert "VOLWATCH_RAWZONE_ENDPOINT is not set" in capsys.readouterr().err


def test_the_raw_zone_gives_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_store(monkeypatch)
    asked: list[object] = []

    def found(_: object, *rest: object) -> Found:
        asked.extend(rest[:2])
        return Found(objects=3, trades=1_200, faults=["trades/x: BAD_GZIP: no gzip"])

    monkeypatch.setattr(backtest, "raw_steps", found)
    assert cli.main([*RAW, str(tmp_path / "alerts.csv")]) == 0
    assert asked == [START_MS, START_MS + 390 * MINUTE_MS]
    assert (tmp_path / "alerts.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert capsys.readouterr().err.splitlines() == [
        "volwatch backtest: 1,200 trades in 3 objects; 0 onsets",
        "  left out: trades/x: BAD_GZIP: no gzip",
    ]


def test_a_store_that_does_not_answer_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with_a_store(monkeypatch)

    def away(*_: object) -> Found:
        raise Transient("no route")

    monkeypatch.setattr(backtest, "raw_steps", away)
    assert cli.main([*RAW, str(tmp_path / "alerts.csv")]) == 1
    assert capsys.readouterr().err == "volwatch backtest: the raw zone does not answer: no route\n"
    assert list(tmp_path.iterdir()) == []
