"""Every estimator of the tools against values that others computed: mpmath (50 digits), TTR, exact arithmetic."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.oracle import DATA, VOLATILITY_COLUMNS
from volwatch.analytics.trades import Float64
from volwatch.analytics.volatility import LN2, annual, bar_terms, log_ratio, sample_variances, variances
from volwatch.analytics.windows import reach, window_sums
from volwatch.research.estimate import Asked, ewma_line, windowed_values
from volwatch.research.ohlc import Bars, bars_of, terms_of

HALF_LIFE_SECONDS = 300.0


@cache
def msft() -> Bars:
    frame = pd.read_csv(DATA / "ohlc_msft_daily.csv")
    return bars_of(frame, pd.Series(pd.to_datetime(frame["date"], utc=True)))


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / name)


def volatility(estimator: str, window: int, per_year: float) -> Float64:
    per_bar, reason, _ = windowed_values(msft(), Asked(estimator, window, window, per_year, 0.94))
    return np.where(reason == 0, annual(per_bar, np.full(len(per_bar), per_year)), np.nan)


@pytest.mark.parametrize("estimator", sorted(VOLATILITY_COLUMNS))
def test_the_estimators_equal_fifty_digits_in_every_row(estimator: str) -> None:
    expected = table("mpvol_msft_daily_n20_N252.csv")[VOLATILITY_COLUMNS[estimator]].to_numpy(np.float64)
    np.testing.assert_allclose(volatility(estimator, 20, 252.0), expected, rtol=1e-12, atol=0)


def test_a_window_of_prices_is_one_of_a_return_less() -> None:
    """The column close of the 50-digit file counts 20 prices."""
    expected = table("mpvol_msft_daily_n20_N252.csv")["close"].to_numpy(np.float64)
    np.testing.assert_allclose(volatility("cc", 19, 252.0), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("prices", "per_year"), [(10, 260.0), (20, 252.0)])
@pytest.mark.parametrize(
    ("column", "estimator", "fewer"),
    [
        ("close", "cc", 1),
        ("close_mean0", "cc0", 1),
        ("parkinson", "parkinson", 0),
        ("garman_klass", "garman-klass", 0),
        ("rogers_satchell", "rogers-satchell", 0),
        ("gk_yz", "gk-yang-zhang", 0),
        ("yang_zhang", "yang-zhang", 0),
    ],
)
def test_the_estimators_equal_those_of_ttr_in_every_row(
    column: str, estimator: str, fewer: int, prices: int, per_year: float
) -> None:
    """TTR's close counts n prices, n − 1 returns. With mean0 it divides the squares of these n − 1 returns by n − 2."""
    expected = table("ttrvol_msft_daily.csv")[f"{column}_n{prices}_N{per_year:.0f}"].to_numpy(np.float64)
    ours = volatility(estimator, prices - fewer, per_year)
    factor = np.sqrt((prices - 1) / (prices - 2)) if column == "close_mean0" else 1.0
    np.testing.assert_allclose(ours * factor, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("decay", [0.94, 0.97])
@pytest.mark.parametrize(("column", "returns_in_start"), [("normalised", 0), ("recursive_init_r2", 1)])
def test_the_ewma_equals_both_of_its_forms_in_every_row(column: str, returns_in_start: int, decay: float) -> None:
    """The recursion starts at the first squared return: V₁ = r₁², which the normalised form arrives at by itself."""
    squares = terms_of(msft())[0]["log_return"] ** 2
    start = (squares[1], 1.0) if returns_in_start else (0.0, 0.0)
    expected = table("ewma_msft_daily.csv")[f"{column}_lam{decay}"].to_numpy(np.float64)
    ours = ewma_line(squares, np.full(len(squares), decay), start)
    np.testing.assert_allclose(ours[1:], expected[1:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("decay", [0.94, 0.97])
def test_the_ewma_can_start_from_the_mean_of_twenty_squares(decay: float) -> None:
    squares = terms_of(msft())[0]["log_return"] ** 2
    expected = table("ewma_msft_daily.csv")[f"recursive_init_mean20_lam{decay}"].to_numpy(np.float64)
    start = squares[1:21].mean()
    assert np.flatnonzero(~np.isnan(expected))[0] == 20
    assert start == pytest.approx(expected[20], rel=1e-12)
    ours = ewma_line(squares[21:], np.full(len(squares) - 21, decay), (start, 1.0))
    np.testing.assert_allclose(ours, expected[21:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("column", ["var_rate_recursive", "var_rate_normalised"])
def test_the_ewma_of_irregular_times_forgets_by_elapsed_time(column: str) -> None:
    frame = table("ewma_irregular_halflife300s.csv")
    elapsed = frame["dt_seconds"].to_numpy(np.float64)
    rate = frame["log_return"].to_numpy(np.float64) ** 2 / elapsed
    start = (rate[0], 1.0) if column == "var_rate_recursive" else (0.0, 0.0)
    ours = ewma_line(rate, 2.0 ** (-elapsed / HALF_LIFE_SECONDS), start)
    np.testing.assert_allclose(ours, frame[column].to_numpy(np.float64), rtol=1e-12, atol=0)


def test_log_returns_of_huge_prices_keep_all_their_digits() -> None:
    frame = table("illcond_logreturns.csv")
    price = np.append(99_999_999.99, frame["price"].to_numpy(np.float64))
    ours = log_ratio(price[1:], price[:-1])
    np.testing.assert_allclose(ours, frame["log_return_50digit"].to_numpy(np.float64), rtol=1e-15, atol=0)


ILL_CONDITIONED = sorted(
    {(case, int(window)) for case, window in table("illcond_expected.csv")[["case", "window"]].to_numpy()}
)


def ill_conditioned(case: str, window: int) -> tuple[Float64, pd.DataFrame]:
    inputs, expected = table("illcond_inputs.csv"), table("illcond_expected.csv")
    rows = expected[(expected["case"] == case) & (expected["window"] == window)]
    return inputs.loc[inputs["case"] == case, "x"].to_numpy(np.float64), rows


@pytest.mark.parametrize(("case", "window"), ILL_CONDITIONED)
def test_variances_of_ill_conditioned_series_are_exact(case: str, window: int) -> None:
    values, expected = ill_conditioned(case, window)
    at = expected["end_index"].to_numpy(np.intp)
    ours, n = sample_variances(values, reach(np.zeros(len(values)), np.zeros(1, np.intp), window), at)
    assert n.tolist() == [window] * len(at)
    np.testing.assert_allclose(ours, expected["var_ddof1"].to_numpy(np.float64), rtol=1e-12, atol=0)


@pytest.mark.parametrize(("case", "window"), ILL_CONDITIONED)
def test_means_of_ill_conditioned_series_are_exact_to_the_size_of_their_terms(case: str, window: int) -> None:
    """A mean of terms of both signs is known to the rounding of the terms, not of itself."""
    values, expected = ill_conditioned(case, window)
    at = expected["end_index"].to_numpy(np.intp)
    windows = reach(np.zeros(len(values)), np.zeros(1, np.intp), window)
    mean, size = window_sums(np.stack([values, np.abs(values)]), windows)[:, at] / window
    error = np.abs(mean - expected["mean"].to_numpy(np.float64))
    assert (error <= 1e-15 * size).all(), (error / size).max()


def simulated_bars(points: int, bars: int, sigma: float) -> tuple[Float64, Float64, Float64, Float64]:
    """Return open, high, low, close of bars of that many trades; ln(C/O) has the standard deviation ``sigma``."""
    random = np.random.Generator(np.random.PCG64(points))
    steps = random.standard_normal((bars, points - 1)) * (sigma / np.sqrt(points - 1))
    path = np.exp(np.concatenate([np.zeros((bars, 1)), np.cumsum(steps, axis=1)], axis=1))
    return path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]


@pytest.mark.parametrize("points", [2, 3, 5, 10, 20, 50, 100, 200])
def test_range_estimators_fall_short_by_as_much_as_others_measured(points: int) -> None:
    """Both simulations have a sampling error: four of ours, at √2 because the table's is taken to be no larger."""
    bars, sigma = 40_000, 1e-3
    prices = simulated_bars(points, bars, sigma)
    none = np.full(bars, np.nan)
    made = bar_terms(prices, none, np.ones(bars))
    terms = {name: getattr(made, name) for name in ("parkinson", "garman_klass", "rogers_satchell", "overnight")}
    windows = reach(np.zeros(bars), np.zeros(1, np.intp), bars)
    found = variances(("parkinson", "garman-klass", "rogers-satchell"), terms, windows, np.array([bars - 1]))
    expected = table("range_bias_few_trades.csv").set_index("trades_per_bar").loc[points]
    for estimator, unit in (("parkinson", 4 * LN2), ("garman-klass", 1.0), ("rogers-satchell", 1.0)):
        name = estimator.replace("-", "_")
        error = terms[name].std() / unit / sigma**2 / np.sqrt(bars)
        assert abs(found[estimator][0][0] / sigma**2 - expected[name]) <= 4 * np.sqrt(2) * error + 5e-5, estimator
