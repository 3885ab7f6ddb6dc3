"""``volwatch score``, as it is run: by hand, and against another scorer on a benchmark that others made."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.research.labelled import write_alerts, write_labels
from volwatch import cli

ORACLE = Path(__file__).parents[3] / "../shared/oracle"
BENCHMARK, SCORER = ORACLE / "bench_A", ORACLE / "bench/score.py"

beside = pytest.mark.skipif(not SCORER.is_file(), reason="the labelled benchmark is not beside this checkout")


def score(alerts: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert cli.main(["score", str(alerts), str(labels), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return labels of an eventful symbol with two events, and of one without."""
    return write_labels(
        tmp_path / "set",
        [
            ("A", "jump", "2026-01-19T15:00:00Z", "2026-01-19T15:00:00Z"),
            ("A", "jump", "2026-01-20T15:00:00Z", "2026-01-20T15:09:00Z"),
            ("B", "null_gbm", "", ""),
        ],
    )


def test_a_score_by_hand(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts = write_alerts(
        tmp_path / "alerts.csv",
        [
            ("A", "2026-01-18T15:00:00Z"),  # a day of history
            ("A", "2026-01-19T15:03:00Z"),  # a hit, three minutes late
            ("A", "2026-01-19T15:20:00Z"),  # neutral
            ("A", "2026-01-20T15:30:00Z"),  # false, a minute too late to be neutral
            ("B", "2026-01-21T15:00:00Z"),  # false
        ],
    )
    found = score(alerts, small, capsys)
    intervals = found.pop("interval_95")
    assert found == {
        "precision": pytest.approx(1 / 3),
        "recall": 0.5,
        "f1": pytest.approx(0.4),
        "false_per_symbol_day": 0.2,
        "false_per_null_symbol_day": 0.2,
        "delay_median": 3.0,
        "delay_p90": 3.0,
        "recall_by_kind": {"jump": 0.5},
        "false_by_null": {"null_gbm": 0.2},
        "events": 2,
        "hits": 1,
        "false": 2,
        "neutral": 1,
        "symbol_days": 10,
        "null_symbol_days": 5,
    }
    # One of two: the exact binomial limits solve (1−p)² = 0.975 and p² = 0.975.
    assert intervals["recall"] == pytest.approx([1 - 0.975**0.5, 0.975**0.5])


def test_a_table_shows_the_same_with_counts(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts = write_alerts(tmp_path / "alerts.csv", [("A", "2026-01-19T15:03:00Z"), ("C", "2026-01-19T15:03:00Z")])
    assert cli.main(["score", str(alerts), str(small)]) == 0
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert printed.out.startswith("2 events of 2 symbols in 10 symbol-days; 1 hit, 0 false alarms, 0 further onsets\n")
    assert ["precision", "1.000", "[0.025,", "1.000]", "1", "of", "1"] in lines
    assert ["jump", "0.500", "[0.013,", "0.987]", "1", "of", "2"] in lines
    assert ["null_gbm", "0.000", "[0.000,", "0.738]", "0", "in", "5"] in lines
    assert printed.err == "volwatch score: not counted, for they have no label: C\n"


def test_no_alert_at_all_is_a_score_too(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = score(write_alerts(tmp_path / "alerts.csv", []), small, capsys)
    assert (found["recall"], found["precision"], found["f1"], found["delay_median"]) == (0.0, None, 0.0, None)


def test_faults_of_both_files_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts = tmp_path / "alerts.csv"
    alerts.write_text("symbol,ts_utc,enter\nA,soon,3.7\nA,2026-01-19T15:03:00Z,4\n")
    assert cli.main(["score", str(alerts), str(tmp_path / "nothing")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "volwatch score: 3 fault(s) in what it was given",
        f"  - {alerts} row 1: ts_utc 'soon' is no ISO time",
        f"  - {alerts} holds the onsets of several levels (3.7, 4): score one at a time",
        f"  - {tmp_path / 'nothing'}: there is no such directory or file of labels",
    ]


def theirs(alerts: Path) -> dict[str, Any]:
    """Return what the benchmark's own scorer says."""
    done = subprocess.run(
        [sys.executable, str(SCORER), str(BENCHMARK), str(alerts)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _around_the_labels(seed: int) -> Sequence[tuple[str, str]]:
    """Return onsets near the edges of the labels' windows, and some anywhere in the days."""
    random = np.random.Generator(np.random.PCG64(seed))
    labels = pd.read_csv(BENCHMARK / "labels.csv")
    eventful = labels.dropna(subset=["start_utc"])
    start, end = (pd.to_datetime(eventful[name]) for name in ("start_utc", "end_utc"))
    offsets = random.choice([-1, 0, 1, 4, 5, 6, 19, 20, 21], len(eventful))
    base = np.where(random.random(len(eventful)) < 0.3, start, end)
    near = pd.to_datetime(base, utc=True) + pd.to_timedelta(offsets, unit="min")
    anywhere = pd.Timestamp("2026-01-15", tz="UTC") + pd.to_timedelta(random.integers(0, 9 * 1_440, 60), unit="min")
    symbols = [*eventful["symbol"], *random.choice(labels["symbol"].unique(), 60)]
    keep = random.random(len(symbols)) < 0.7
    times = [*near, *anywhere]
    return [
        (symbol, f"{time:%Y-%m-%dT%H:%M:%SZ}") for symbol, time, kept in zip(symbols, times, keep, strict=True) if kept
    ]


@beside
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_scorer_gives_the_same_numbers(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts = write_alerts(tmp_path / "alerts.csv", _around_the_labels(seed))
    ours, other = score(alerts, BENCHMARK, capsys), theirs(alerts)
    assert ours["hits"] > 0
    assert ours["false"] > 0
    for name, value in other.items():
        # It rounds: rates to 4 digits, those by kind to 3.
        assert ours[name] == pytest.approx(value, abs=5.1e-4 if isinstance(value, dict) else 5.1e-5), name
