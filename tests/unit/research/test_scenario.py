"""``volwatch scenario``, as it is run: what is in the files, and that they are the same each time."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from volwatch import cli
from volwatch.analytics.backtest import in_session
from volwatch.analytics.calendars import calendar_named
from volwatch.market.sessions import SCENARIOS
from volwatch.research.labels import read_labels
from volwatch.research.minute_bars import read_minute_bars

NAMES = ["bars.csv.gz", "labels.csv", "manifest.json"]
SMALL = ("--symbols-per-scenario", "1", "--history-days", "1", "--days", "1")


def scenario(folder: Path, *options: str, seed: int = 7) -> Path:
    assert cli.main(["scenario", "--seed", str(seed), *SMALL, *options, "-o", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenario(tmp_path_factory.mktemp("scenario") / "new" / "market")


def test_a_seed_gives_the_same_bytes_and_another_gives_others(made: Path, tmp_path: Path) -> None:
    again, other = scenario(tmp_path / "again"), scenario(tmp_path / "other", seed=8)
    assert sorted(path.name for path in made.iterdir()) == NAMES
    for name in NAMES:
        assert (again / name).read_bytes() == (made / name).read_bytes()
        assert (other / name).read_bytes() != (made / name).read_bytes()


def test_the_manifest_says_what_was_made(made: Path) -> None:
    assert json.loads((made / "manifest.json").read_text()) == {
        "seed": 7,
        "shapes": "u",
        "symbols": 12,
        "warm_days": 1,
        "eval_days": 1,
        "first_eval_day": "2026-01-06",
        "bars_per_day": 390,
    }


def test_bars_are_written_as_people_write_them_by_symbol_and_time(made: Path) -> None:
    with gzip.open(made / "bars.csv.gz", "rt") as lines:
        header, first = next(lines), next(lines)
    assert header == "symbol,ts_utc,open,high,low,close,volume,trades\n"
    symbol, time, *prices, volume, trades = first.strip().split(",")
    assert (symbol, time) == ("S000", "2026-01-05T14:30:00Z")
    assert [len(price.partition(".")[2]) for price in prices] == [2] * 4
    assert volume.isdigit()
    assert trades.isdigit()
    frame = pd.read_csv(made / "bars.csv.gz")
    ordered = frame.sort_values(["symbol", "ts_utc"], ignore_index=True)
    pd.testing.assert_frame_equal(frame, ordered)


def test_the_tools_read_what_this_one_writes(made: Path) -> None:
    bars, labels = read_minute_bars(made / "bars.csv.gz"), read_labels(made)
    assert in_session(calendar_named("XNYS"), bars.table.start).all()
    assert set(bars.symbols) == set(labels.scenario)
    assert tuple(labels.scenario[symbol] for symbol in bars.symbols) == SCENARIOS
    assert (labels.days, np.datetime64(labels.first_ms, "ms")) == (1, np.datetime64("2026-01-06"))


def test_labels_are_of_bars_of_the_evaluation_days(made: Path) -> None:
    labels = pd.read_csv(made / "labels.csv", dtype=str, keep_default_na=False)
    assert labels.columns.tolist() == ["symbol", "scenario", "start_utc", "end_utc", "kind", "magnitude"]
    calm = labels[labels["scenario"].str.startswith("null")]
    assert calm[["start_utc", "end_utc", "kind", "magnitude"]].to_numpy().tolist() == [[""] * 4] * 5
    events = labels[labels["start_utc"] != ""]
    assert (events["kind"] == events["scenario"]).all()
    assert events["start_utc"].between("2026-01-06T14:50:00Z", "2026-01-06T20:59:00Z").all()
    assert (events["end_utc"] >= events["start_utc"]).all()
    assert (events["end_utc"] <= "2026-01-06T20:59:00Z").all()
    jumps = events[events["scenario"] == "jump"]
    assert (jumps["start_utc"] == jumps["end_utc"]).all()


def test_mixed_shapes_are_another_market_of_the_same_size(made: Path, tmp_path: Path) -> None:
    mixed = scenario(tmp_path / "mixed", "--shapes", "mixed")
    assert json.loads((mixed / "manifest.json").read_text())["shapes"] == "mixed"
    assert (mixed / "bars.csv.gz").read_bytes() != (made / "bars.csv.gz").read_bytes()


def test_what_cannot_be_made_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--seed", "-1", "--symbols-per-scenario", "0", "--history-days", "x", "--days", "0", "--shapes", "v"]
    assert cli.main(["scenario", *options, "-o", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "volwatch scenario: 5 fault(s) in what it was given",
        "  - --seed: a whole number of at least 0, not '-1'",
        "  - --symbols-per-scenario: a whole number of at least 1, not '0'",
        "  - --history-days: a whole number of at least 0, not 'x'",
        "  - --days: a whole number of at least 1, not '0'",
        "  - --shapes: u or mixed, not 'v'",
    ]
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["scenario", "--seed", "1", "-o", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
