"""``volwatch estimate``, as it is run: files in, files out, and what it says."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import DATA, VOLATILITY_COLUMNS
from volwatch import cli
from volwatch.analytics.volatility import DAILY_ESTIMATORS, NULL_REASONS, RANGE_ESTIMATORS
from volwatch.research.estimate import Asked, ewma_line, windowed_values
from volwatch.research.ohlc import bars_of

MSFT = DATA / "ohlc_msft_daily.csv"
AAPL = DATA / "ohlc_aapl_daily_raw_with_splits.csv"
WINDOWED = [name for name in DAILY_ESTIMATORS if name != "ewma"]
Made = pd.DataFrame


def estimate(path: Path, output: Path, estimator: str, window: int = 20, *options: str, per_year: float = 252) -> Made:
    words = [str(path), "--estimator", estimator, "--periods-per-year", str(per_year), "-o", str(output), *options]
    if estimator != "ewma":
        words += ["--window", str(window)]
    assert cli.main(["estimate", *words]) == 0
    return pd.read_csv(output)


def days(count: int) -> list[str]:
    return [str(day) for day in np.datetime64("2026-01-05") + np.arange(count)]


def walk(count: int, seed: int = 1) -> pd.DataFrame:
    """Return valid daily bars of a random walk."""
    random = np.random.Generator(np.random.PCG64(seed))
    close = 100 * np.exp(np.cumsum(random.standard_normal(count) * 0.02))
    open_ = np.append(100, close[:-1]) * np.exp(random.standard_normal(count) * 0.005)
    high = np.maximum(open_, close) * np.exp(random.random(count) * 0.01)
    low = np.minimum(open_, close) * np.exp(-random.random(count) * 0.01)
    return pd.DataFrame({"date": days(count), "open": open_, "high": high, "low": low, "close": close})


def run(frame: pd.DataFrame, tmp_path: Path, estimator: str, window: int, *options: str, per_year: float = 1) -> Made:
    frame.to_csv(tmp_path / "bars.csv", index=False)
    return estimate(tmp_path / "bars.csv", tmp_path / "out.csv", estimator, window, *options, per_year=per_year)


def naive(frame: pd.DataFrame, estimator: str, end: int, window: int) -> float:
    """Return the volatility of one window by the formulas as they are written, term by term."""
    rows = range(end - window + 1, end + 1)
    o, h, low, c = ([float(value) for value in frame[name]] for name in ("open", "high", "low", "close"))
    overnight = {i: math.log(o[i] / c[i - 1]) for i in rows if i}
    returns = [math.log(c[i] / c[i - 1]) for i in rows if i]
    day = {i: math.log(c[i] / o[i]) for i in rows}
    wide = {i: math.log(h[i] / low[i]) for i in rows}
    gk = {i: wide[i] ** 2 / 2 - (2 * math.log(2) - 1) * day[i] ** 2 for i in rows}
    rs = [
        math.log(h[i] / c[i]) * math.log(h[i] / o[i]) + math.log(low[i] / c[i]) * math.log(low[i] / o[i]) for i in rows
    ]

    def sample(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return sum((value - mean) ** 2 for value in values) / (len(values) - 1)

    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    variances = {
        "cc": lambda: sample(returns),
        "cc0": lambda: sum(r * r for r in returns) / window,
        "parkinson": lambda: sum(w * w for w in wide.values()) / (4 * window * math.log(2)),
        "garman-klass": lambda: sum(gk.values()) / window,
        "gk-yang-zhang": lambda: sum(overnight[i] ** 2 + gk[i] for i in rows) / window,
        "rogers-satchell": lambda: sum(rs) / window,
        "yang-zhang": lambda: (
            sample(list(overnight.values())) + k * sample(list(day.values())) + (1 - k) * sum(rs) / window
        ),
    }
    return math.sqrt(variances[estimator]())


@pytest.mark.parametrize("estimator", sorted(VOLATILITY_COLUMNS))
def test_the_file_has_the_fifty_digit_values(estimator: str, tmp_path: Path) -> None:
    made = estimate(MSFT, tmp_path / "out.csv", estimator)
    expected = pd.read_csv(DATA / "mpvol_msft_daily_n20_N252.csv")
    assert made["date"].tolist() == expected["date"].tolist()
    np.testing.assert_allclose(made["value"], expected[VOLATILITY_COLUMNS[estimator]], rtol=1e-12, atol=0)
    missing = expected[VOLATILITY_COLUMNS[estimator]].isna()
    assert made["null_reason"].fillna("").tolist() == np.where(missing, "INSUFFICIENT_DATA", "").tolist()
    assert (made["n_obs"] == 20).tolist() == (~missing).tolist()


@pytest.mark.parametrize("decay", [0.94, 0.97])
def test_the_file_has_the_normalised_ewma_from_the_first_return_on(decay: float, tmp_path: Path) -> None:
    made = estimate(MSFT, tmp_path / "out.csv", "ewma", 0, "--decay", str(decay))
    expected = pd.read_csv(DATA / "ewma_msft_daily.csv")[f"normalised_lam{decay}"]
    np.testing.assert_allclose(made["value"], np.sqrt(252 * expected), rtol=1e-12, atol=0)
    assert made["n_obs"].tolist() == list(range(len(made)))
    assert made["null_reason"].tolist()[:2] == ["INSUFFICIENT_DATA", pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize("estimator", WINDOWED)
@given(seed=st.integers(0, 2**32), window=st.integers(2, 9))
def test_every_window_has_the_value_of_the_formula(estimator: str, seed: int, window: int) -> None:
    frame = walk(12, seed)
    bars = bars_of(frame, pd.Series(pd.to_datetime(frame["date"], utc=True)))
    per_bar, reason, n_obs = windowed_values(bars, Asked(estimator, window, window, 1.0, 0.94))
    first = window if estimator in ("cc", "cc0", "gk-yang-zhang", "yang-zhang") else window - 1
    assert [NULL_REASONS[code] for code in reason] == ["INSUFFICIENT_DATA"] * first + [""] * (12 - first)
    assert n_obs[first:].tolist() == [window] * (12 - first)
    expected = [naive(frame, estimator, end, window) for end in range(first, 12)]
    np.testing.assert_allclose(np.sqrt(per_bar[first:]), expected, rtol=1e-10)


def test_two_returns_by_hand(tmp_path: Path) -> None:
    """Returns ln 1.5 and −ln 1.5: mean 0, 2·(ln 1.5)² over n − 1 = 1; four periods a year double the deviation."""
    frame = pd.DataFrame({"date": days(3), "open": 1.0, "high": 2.0, "low": 1.0, "close": [1.0, 1.5, 1.0]})
    made = run(frame, tmp_path, "cc", 2, per_year=4)
    assert made["value"].tolist()[2] == pytest.approx(2 * math.sqrt(2) * math.log(1.5), rel=1e-15)
    zero = run(frame, tmp_path, "cc0", 2, per_year=4)
    assert zero["value"].tolist()[2] == pytest.approx(2 * math.log(1.5), rel=1e-15)


def test_each_row_says_what_its_value_is_of(tmp_path: Path) -> None:
    made = run(walk(3), tmp_path, "cc", 2, per_year=252)
    assert list(made) == ["date", "value", "null_reason", "n_obs", "estimator", "window", "periods_per_year"]
    assert made.iloc[2, 3:].tolist() == [2, "cc", 2, 252.0]
    ewma = run(walk(3), tmp_path, "ewma", 0, "--decay", "0.94", per_year=98_280)
    assert ewma.iloc[2, 3:].tolist() == [2, "ewma", 32, 98_280.0]


def test_the_time_column_is_given_back_as_it_was(tmp_path: Path) -> None:
    times = ["2026-01-05T14:30:00Z", "2026-01-05T14:31:00+00:00", "2026-01-05 14:32:00Z"]
    made = run(walk(3).drop(columns="date").assign(ts_utc=times), tmp_path, "cc", 2)
    assert made["ts_utc"].tolist() == times


@pytest.mark.parametrize("estimator", DAILY_ESTIMATORS)
def test_a_constant_price_has_no_volatility(estimator: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": days(6), "open": 0.1, "high": 0.1, "low": 0.1, "close": 0.1})
    assert run(frame, tmp_path, estimator, 3)["value"].tolist()[-1] == 0.0


def test_a_one_way_crash_is_invisible_to_rogers_and_satchell(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"date": days(2), "open": [9.0, 6.0], "high": [9.0, 6.0], "low": [6.0, 3.0], "close": [6.0, 3.0]}
    )
    assert run(frame, tmp_path, "rogers-satchell", 2)["value"].tolist()[-1] == 0.0


@pytest.mark.parametrize("estimator", DAILY_ESTIMATORS)
def test_windows_with_a_bar_that_contradicts_itself_are_null(estimator: str, tmp_path: Path) -> None:
    frame = walk(14)
    frame.loc[6, "high"] = 1.0  # far below its low
    made = run(frame, tmp_path, estimator, 3)
    needs_close_before = estimator in ("cc", "cc0", "gk-yang-zhang", "yang-zhang")
    last = {"ewma": 7}.get(estimator, 9 if needs_close_before else 8)
    assert np.flatnonzero(made["null_reason"] == "INVALID_OHLC").tolist() == list(range(6, last + 1))
    assert made["value"].isna().tolist() == made["null_reason"].notna().tolist()


def test_a_spike_that_left_the_window_leaves_nothing_behind(tmp_path: Path) -> None:
    frame = walk(40)
    spiked = frame.copy()
    spiked.loc[5, ["high", "close"]] = 1e9
    calm = run(frame, tmp_path, "cc", 4)["value"]
    assert run(spiked, tmp_path, "cc", 4)["value"].tolist()[10:] == calm.tolist()[10:]


def test_the_return_over_a_split_never_enters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = estimate(AAPL, tmp_path / "out.csv", "cc").set_index("date")
    assert "suspected splits: 2000-06-21 (2:1), 2005-02-28 (2:1)" in capsys.readouterr().err
    rows = [made.index.tolist().index(date) for date in ("2000-06-21", "2005-02-28")]
    held = np.concatenate([np.arange(row, row + 20) for row in rows])
    assert set(made["n_obs"].iloc[held]) == {19}
    assert set(made["null_reason"].iloc[held]) == {"INSUFFICIENT_DATA"}
    assert made["value"].iloc[20:].drop(made.index[held]).notna().all()


def test_fewer_terms_can_be_allowed(tmp_path: Path) -> None:
    made = estimate(AAPL, tmp_path / "out.csv", "cc", 20, "--min-obs", "19")
    row = made.index[made["date"] == "2005-02-28"][0]
    close = pd.read_csv(AAPL)["close"].to_numpy()
    returns = np.diff(np.log(close[row - 20 : row]))
    assert made["value"][row] == pytest.approx(returns.std(ddof=1) * np.sqrt(252), rel=1e-9)
    assert made["n_obs"][row] == 19


@pytest.mark.parametrize("estimator", WINDOWED)
def test_adjusted_for_splits_the_series_has_no_break(estimator: str, tmp_path: Path) -> None:
    """Its values are those of the same prices in today's shares."""
    made = estimate(AAPL, tmp_path / "out.csv", estimator, 20, "--adjust-splits")
    frame = pd.read_csv(AAPL)
    later = np.where(frame["date"] < "2000-06-21", 4.0, np.where(frame["date"] < "2005-02-28", 2.0, 1.0))
    for name in ("open", "high", "low", "close"):
        frame[name] /= later
    frame.to_csv(tmp_path / "adjusted.csv", index=False)
    expected = estimate(tmp_path / "adjusted.csv", tmp_path / "expected.csv", estimator)
    assert made["value"].tolist() == pytest.approx(expected["value"].tolist(), rel=1e-12, nan_ok=True)
    assert made["value"].iloc[20:].notna().all()


def test_range_estimators_of_few_trades_are_null(tmp_path: Path) -> None:
    frame = walk(6).assign(trades=[19, 19, 19, 20, 20, 20])
    for estimator in WINDOWED:
        found = run(frame, tmp_path, estimator, 2)["null_reason"].fillna("").tolist()[2:]
        few = "TOO_FEW_TRADES" if estimator in RANGE_ESTIMATORS else ""
        assert found == [few, few, "", ""], estimator


def test_the_ewma_goes_on_after_a_missing_term() -> None:
    """λ = 1/2: squares 4, then none, then 1: (4/2 + 1)/(1/2 + 1) = 2."""
    line = ewma_line(np.array([np.nan, 4.0, np.nan, 1.0]), np.full(4, 0.5))
    np.testing.assert_array_equal(line, [np.nan, 4.0, 4.0, 2.0])


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = tmp_path / "bars.csv", tmp_path / "none" / "out.csv"
    path.write_text("date,open,high,low,close\n2026-01-06,1,1,1,1\n2026-01-05,1,1,1,1\n2026-01-05,1,1,1,1\n")
    words = ["--estimator", "sigma", "--window", "1", "--periods-per-year", "0", "--decay", "1", "--adjusted"]
    assert cli.main(["estimate", str(path), *words, "-o", str(output)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "volwatch estimate: 8 fault(s) in what it was given",
        f"  - --estimator: no 'sigma', there are {', '.join(DAILY_ESTIMATORS)}",
        "  - --window: a whole number of at least 2, not '1'",
        "  - --periods-per-year: a number above 0, not '0'",
        "  - --decay: a number between 0 and 1, both excluded, not '1'",
        f"  - {output}: there is no directory {output.parent}",
        f"  - --adjusted: {path} has no column 'adj_close'",
        f"  - {path} row 3: date '2026-01-05' is there twice",
        f"  - {path} row 2: date '2026-01-05' is before that of the row above",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("date,open,high,low\n2026-01-05,1,1,1\n", "has no column 'close'"),
        ("date,open,high,low,close\n2026-01-05,1,1,1,one\n", "line 2: close is 'one', which is no number"),
        ("date,open,high,low,close\n", "has no row"),
        ("", "has no column 'date' or 'ts_utc'"),
        ("date,open,high,low,close\nsome day,1,1,1,1\n", "row 1: date 'some day' is no ISO date or time"),
    ],
)
def test_a_bad_file_is_told_and_nothing_is_written(
    text: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "bars.csv", tmp_path / "out.csv"
    path.write_text(text)
    words = ["--estimator", "cc", "--window", "2", "--periods-per-year", "252", "-o", str(output)]
    assert cli.main(["estimate", str(path), *words]) == 2
    assert f"  - {path} {fault}" in capsys.readouterr().err
    assert not output.exists()


def test_what_came_of_it_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = walk(10)
    frame.loc[9, "low"] = -1.0
    run(frame, tmp_path, "cc", 4)
    assert capsys.readouterr() == (
        "",
        "volwatch estimate: 10 rows, 5 values, 5 NULL (4 INSUFFICIENT_DATA, 1 INVALID_OHLC); 1 bars invalid\n",
    )


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["estimate", "--help"])
    said = capsys.readouterr().out
    assert all(
        word in said for word in (*DAILY_ESTIMATORS, "annualised decimal", "cc of 20 needs 21 prices", "example:")
    )
