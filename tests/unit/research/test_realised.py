"""``volwatch realised``, as it is run: files in, files out, and what it says."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.oracle import DATA
from volwatch import cli
from volwatch.research.realised import MEASURES, measured

RETURNS = DATA / "sim_intraday_1min_A.csv"
# Ours -> column of realised_intraday_1min_A.csv.
COLUMNS = {"rv": "rv", "bv": "bv_unscaled", "medrv": "medrv", "tpq": "tpq", "jump_z": "z_ratio_max_bv_tp", "n": "n"}


def realise(path: Path, output: Path, *options: str) -> pd.DataFrame:
    assert cli.main(["realised", str(path), "-o", str(output), *options]) == 0
    return pd.read_csv(output)


def refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Return what is said to be wrong with a file."""
    path, output = tmp_path / "returns.csv", tmp_path / "out.csv"
    path.write_text(text)
    assert cli.main(["realised", str(path), "-o", str(output), *options]) == 2
    assert not output.exists()
    return [line.replace(f"{path}", "FILE") for line in capsys.readouterr().err.splitlines()[1:]]


@pytest.mark.parametrize("minutes", [1, 5])
def test_every_day_has_the_values_of_highfrequency(minutes: int, tmp_path: Path) -> None:
    """R prints a two-sided p; ours is 1 − Φ(z): half of it above z = 0, and the rest of 1 below."""
    made = realise(RETURNS, tmp_path / "out.csv", "--interval", str(minutes))
    expected = pd.read_csv(DATA / "realised_intraday_1min_A.csv")
    expected = expected[expected["bar_minutes"] == minutes].reset_index(drop=True)
    assert made["day"].tolist() == expected["day"].tolist()
    for ours, theirs in COLUMNS.items():
        np.testing.assert_allclose(made[ours], expected[theirs], rtol=1e-10, atol=0, err_msg=ours)
    half = expected["p_two_sided_ratio"] / 2
    np.testing.assert_allclose(made["jump_p"], np.where(made["jump_z"] > 0, half, 1 - half), rtol=1e-10)
    assert made["null_reason"].isna().all()
    assert set(made["interval_minutes"]) == {minutes}


def test_a_day_by_hand() -> None:
    """1, −2, 3: Σr² = 14, neighbours 1·2 + 2·3 = 8; one median, 2, of 3/(3−2) windows."""
    made = measured(np.array(["a"] * 3, object), np.arange(3), np.array([1.0, -2.0, 3.0]), 1).iloc[0]
    assert made["rv"] == 14.0
    assert made["bv"] == pytest.approx(4 * math.pi, rel=1e-15)
    assert made["medrv"] == pytest.approx(math.pi / (6 - 4 * math.sqrt(3) + math.pi) * 3 * 4, rel=1e-15)


def test_five_minutes_are_those_of_the_clock() -> None:
    """Minutes 3, 4 | 5, 9 | 10 of one day, and 10 of the next, which is another."""
    days = np.array(["a"] * 5 + ["b"], object)
    made = measured(days, np.array([3, 4, 5, 9, 10, 10]), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 5)
    assert made["day"].tolist() == ["a", "b"]
    assert made["n"].tolist() == [3, 1]
    assert made["rv"].tolist() == [3.0**2 + 7.0**2 + 5.0**2, 36.0]


def test_times_are_days_and_minutes_of_utc(tmp_path: Path) -> None:
    frame = pd.read_csv(RETURNS, nrows=780)
    start = pd.Timestamp("2026-01-05T14:30:00Z")
    times = start + pd.to_timedelta(frame["day"], "D") + pd.to_timedelta(frame["minute"], "min")
    frame.assign(ts_utc=times.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))[["ts_utc", "log_return"]].to_csv(
        tmp_path / "times.csv", index=False
    )
    made = realise(tmp_path / "times.csv", tmp_path / "out.csv", "--interval", "5")
    frame.to_csv(tmp_path / "days.csv", index=False)
    expected = realise(tmp_path / "days.csv", tmp_path / "expected.csv", "--interval", "5")
    assert made["day"].tolist() == ["2026-01-05", "2026-01-06"]
    assert made[[*MEASURES, "n"]].to_numpy().tolist() == expected[[*MEASURES, "n"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        ([0.01] * 39, "INSUFFICIENT_DATA"),
        ([0.01, 0.01, 0.0] * 20, "TOO_FEW_TRADES"),
        ([0.0] * 60, "ZERO_VARIANCE"),
    ],
)
def test_a_day_that_cannot_be_tested_says_why(returns: list[float], reason: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": "x", "minute": range(len(returns)), "log_return": returns})
    frame.to_csv(tmp_path / "returns.csv", index=False)
    made = realise(tmp_path / "returns.csv", tmp_path / "out.csv").iloc[0]
    assert (made["null_reason"], math.isnan(made["jump_z"]), math.isnan(made["jump_p"])) == (reason, True, True)
    assert made["rv"] == pytest.approx(sum(r * r for r in returns), rel=1e-12)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("day,minute\n0,0\n", "  - FILE has no column 'log_return'"),
        ("day,log_return\n0,0.1\n", "  - FILE has no column 'minute' beside 'day'"),
        ("minute,log_return\n0,0.1\n", "  - FILE has no column 'day' or 'ts_utc'"),
        ("day,minute,log_return\n0,0,up\n", "  - FILE line 2: log_return is 'up', which is no number"),
        ("day,minute,log_return\n0,0,1\n0,0,1\n", "  - FILE row 2: minute 0 of day '0' is there twice"),
        (
            "day,minute,log_return\n0,1,1\n0,0,1\n",
            "  - FILE row 2: minute 0 of day '0' is before that of the row above",
        ),
        ("day,minute,log_return\n0,0.5,1\n", "  - FILE row 1: minute 0.5 of day '0' is no whole minute"),
        ("day,minute,log_return\n0,,1\n", "  - FILE row 1: minute nan of day '0' is no whole minute"),
        (
            "day,minute,log_return\n0,0,1\n1,0,1\n0,1,1\n",
            "  - FILE row 3: day '0' comes again: its rows do not stand together",
        ),
        ("day,minute,log_return\n10,0,1\n9,0,1\n", "  - FILE row 2: day '9' is before that of the rows above"),
        (
            "day,minute,log_return\n2026-01-05,0,1\n2026-01-02,0,1\n",
            "  - FILE row 2: day '2026-01-02' is before that of the rows above",
        ),
        (
            "ts_utc,log_return\n2026-01-05T10:00Z,1\n2026-01-05T10:00Z,1\n",
            "  - FILE row 2: ts_utc '2026-01-05T10:00Z' is there twice",
        ),
        (
            "day,minute,log_return\n0,0,1\n0,1,\n",
            "  - FILE row 2: log_return is missing or not finite: leave such rows out",
        ),
        ("", "  - FILE has no column 'day' or 'ts_utc'"),
        ("day,minute,log_return\n", "  - FILE has no row"),
    ],
)
def test_a_bad_file_is_told_and_nothing_is_written(
    text: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(text, tmp_path, capsys)[0] == fault


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("day,minute,log_return\n0,1,1\n0,0,1\n", tmp_path, capsys, "--interval", "7") == [
        "  - --interval: 1 or 5 minutes, not '7'",
        "  - FILE row 2: minute 0 of day '0' is before that of the row above",
    ]


def test_what_came_of_it_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    realise(RETURNS, tmp_path / "out.csv")
    assert capsys.readouterr() == ("", "volwatch realised: 23,400 rows, 60 days; jump test 60 values, 0 NULL\n")


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["realised", "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in (*MEASURES, "ONE-sided", "not annualised", "example:"))
