"""``volwatch risk``, as it is run: files in, files out, and what it says."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.oracle import DATA
from volwatch import cli
from volwatch.research import risk
from volwatch.research.risk import MEASURES, Asked, returns_of, rolling_measures

MSFT = DATA / "ohlc_msft_daily.csv"
AAPL = DATA / "ohlc_aapl_daily_raw_with_splits.csv"


def measure(path: Path, output: Path, window: int, *options: str, per_year: float = 252) -> pd.DataFrame:
    words = ["--window", str(window), "--periods-per-year", str(per_year), "-o", str(output), *options]
    assert cli.main(["risk", str(path), *words]) == 0
    return pd.read_csv(output)


def run(closes: list[float], tmp_path: Path, window: int, *options: str, per_year: float = 4) -> pd.DataFrame:
    dates = np.datetime_as_string(np.datetime64("2026-01-05") + np.arange(len(closes))).tolist()
    pd.DataFrame({"date": dates, "close": closes}).to_csv(tmp_path / "prices.csv", index=False)
    return measure(tmp_path / "prices.csv", tmp_path / "out.csv", window, *options, per_year=per_year)


def test_the_sharpe_ratio_equals_empyrical_in_every_row(tmp_path: Path) -> None:
    made = measure(MSFT, tmp_path / "out.csv", 63).set_index("date")["sharpe"].dropna()
    expected = pd.read_csv(DATA / "rolling_sharpe63_empyrical_msft_daily.csv", index_col=0)["rolling_sharpe_63"]
    expected = expected.dropna()
    assert made.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=0)


def test_every_measure_is_that_of_its_own_window(tmp_path: Path) -> None:
    window, rate = 120, 0.03
    made = measure(MSFT, tmp_path / "out.csv", window, "--risk-free", str(rate)).set_index("date")
    price = pd.read_csv(MSFT, index_col="date")["adj_close"]
    for end in (window, 900, len(price) - 1):
        r = (price.iloc[end - window : end + 1].pct_change()).to_numpy()[1:]
        excess = r - rate / 252
        ratio = excess.mean() / r.std(ddof=1)
        value = np.append(1.0, np.cumprod(1 + r))
        quantile = np.quantile(r, 0.05)
        assert made.iloc[end][["sharpe", "sharpe_se", "sortino", "max_drawdown", "var_95", "es_95"]].tolist() == (
            pytest.approx(
                [
                    ratio * math.sqrt(252),
                    math.sqrt((1 + ratio**2 / 2) / window * 252),
                    excess.mean() / math.sqrt((np.minimum(excess, 0) ** 2).mean()) * math.sqrt(252),
                    (value / np.maximum.accumulate(value)).min() - 1,
                    -quantile,
                    -r[r <= quantile].mean(),
                ],
                rel=1e-9,
            )
        )


def test_two_returns_by_hand(tmp_path: Path) -> None:
    """+20 % and −10 %: mean 0.05, s = 0.3/√2, four periods a year; the deepest fall is the second return."""
    made = run([1.0, 1.2, 1.08], tmp_path, 2).iloc[2]
    assert made["sharpe"] == pytest.approx(0.05 / (0.3 / math.sqrt(2)) * 2, rel=1e-14)
    assert made["sortino"] == pytest.approx(0.05 / math.sqrt(0.01 / 2) * 2, rel=1e-14)
    assert made["max_drawdown"] == pytest.approx(-0.1, rel=1e-14)


def test_a_loss_at_the_first_return_is_a_drawdown(tmp_path: Path) -> None:
    assert run([1.0, 0.9, 0.95], tmp_path, 2)["max_drawdown"].tolist()[2] == pytest.approx(-0.1, rel=1e-14)


def test_a_window_needs_a_price_more_than_returns(tmp_path: Path) -> None:
    made = run([1.0, 1.2, 1.1, 1.3], tmp_path, 3)
    assert made["n_obs"].tolist() == [0, 1, 2, 3]
    assert made["sharpe_null_reason"].fillna("").tolist() == ["INSUFFICIENT_DATA"] * 3 + [""]


def test_each_measure_has_its_reason(tmp_path: Path) -> None:
    made = run([1.0, 1.2, 1.1], tmp_path, 2, "--risk-free", "0.01")
    assert list(made) == [
        "date",
        "sharpe",
        "sharpe_se",
        "sharpe_null_reason",
        *(column for name in MEASURES[1:] for column in (name, f"{name}_null_reason")),
        "n_obs",
        "window",
        "periods_per_year",
        "risk_free",
    ]
    assert made.iloc[2][["n_obs", "window", "periods_per_year", "risk_free"]].tolist() == [2, 2, 4.0, 0.01]
    assert made.iloc[2][[f"{name}_null_reason" for name in MEASURES]].fillna("").tolist() == [
        "",
        "",
        "",
        "INSUFFICIENT_DATA",  # 100 returns are the least for a tail
        "INSUFFICIENT_DATA",
    ]


@pytest.mark.parametrize("close", [1.0, 0.1, 3e7])
def test_a_constant_price_has_no_ratio(close: float, tmp_path: Path) -> None:
    made = run([close] * 4, tmp_path, 3).iloc[3]
    assert made[["sharpe_null_reason", "sortino_null_reason"]].tolist() == ["ZERO_VARIANCE"] * 2
    assert np.isnan(made[["sharpe", "sharpe_se", "sortino"]].astype(float)).tolist() == [True] * 3
    assert made["max_drawdown"] == 0.0


@pytest.mark.parametrize("close", [0.0, -1.0, math.nan, math.inf])
def test_windows_with_a_return_of_a_bad_price_are_null(close: float, tmp_path: Path) -> None:
    made = run([1.0, 1.1, 1.0, close, 1.1, 1.0, 1.1, 1.0], tmp_path, 2)
    for name in MEASURES:
        assert np.flatnonzero(made[f"{name}_null_reason"] == "INVALID_OHLC").tolist() == [3, 4, 5]
    assert made["sharpe"].notna().tolist() == [False, False, True, False, False, False, True, True]


def test_adj_close_goes_before_close_and_has_no_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = measure(AAPL, tmp_path / "out.csv", 63)
    assert "split" not in capsys.readouterr().err
    assert made["max_drawdown"].iloc[63:].notna().all()


def raw_aapl(tmp_path: Path) -> Path:
    pd.read_csv(AAPL).drop(columns="adj_close").to_csv(tmp_path / "raw.csv", index=False)
    return tmp_path / "raw.csv"


def test_the_return_over_a_split_never_enters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = measure(raw_aapl(tmp_path), tmp_path / "out.csv", 63).set_index("date")
    assert "suspected splits: 2000-06-21 (2:1), 2005-02-28 (2:1); the return over each is left out" in (
        capsys.readouterr().err
    )
    row = made.index.tolist().index("2005-02-28")
    assert set(made["n_obs"].iloc[row : row + 63]) == {62}
    assert set(made["sharpe_null_reason"].iloc[row : row + 63]) == {"INSUFFICIENT_DATA"}
    assert made["max_drawdown"].iloc[row + 63] > -0.4


def test_adjusted_for_splits_no_return_is_missing(tmp_path: Path) -> None:
    made = measure(raw_aapl(tmp_path), tmp_path / "out.csv", 63, "--adjust-splits").set_index("date")
    assert made["sharpe"].iloc[63:].notna().all()
    assert made["max_drawdown"]["2005-03-01"] > -0.4


def test_without_an_open_the_close_shows_the_split() -> None:
    returns, invalid = returns_of(pd.DataFrame({"date": ["a", "b", "c"], "close": [100.0, 50.1, 51.0]}))
    assert np.isnan(returns).tolist() == [True, True, False]
    assert not invalid.any()


def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.Generator(np.random.PCG64(3)).standard_normal(50) * 0.01
    asked, valid = Asked(5, 252.0, 0.0), np.zeros(50, np.bool_)
    whole, reasons = rolling_measures(returns, valid, asked)
    monkeypatch.setattr(risk, "_BLOCK_TERMS", 35)
    cut, again = rolling_measures(returns, valid, asked)
    for name in MEASURES:
        np.testing.assert_array_equal(cut[name], whole[name])
        np.testing.assert_array_equal(again[name], reasons[name])


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--window", "1.5", "--periods-per-year", "-1", "--risk-free", "2", "-o", str(tmp_path / "out.txt")]
    assert cli.main(["risk", str(tmp_path / "none.csv"), *words]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "volwatch risk: 5 fault(s) in what it was given",
        "  - --window: a whole number of at least 2, not '1.5'",
        "  - --periods-per-year: a number above 0, not '-1'",
        "  - --risk-free: a decimal between -1 and 1, not '2'",
        f"  - {tmp_path}/out.txt: the suffix must be one of .csv, .csv.gz, .parquet",
        f"  - {tmp_path}/none.csv is no file",
    ]


def test_what_came_of_it_is_told_with_the_rule_for_its_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run([1.0, 1.1, 1.2, 1.1], tmp_path, 2, per_year=8)
    said = capsys.readouterr().err
    assert said.startswith("volwatch risk: 4 rows; sharpe 2 values, 2 NULL (2 INSUFFICIENT_DATA); sortino 1 values")
    assert said.endswith("SE(annual SR) of such a window ≈ 2\n")
    assert said.count("\n") == 1


def test_the_help_prints_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["risk", "--help"])
    said = capsys.readouterr().out
    assert "SE(annual SR) ≈ 1/√(years of data)" in said
    assert all(name in said for name in (*MEASURES, "example:"))
