"""Pitfalls of windows, returns and years: what is counted, in which unit, and over which night."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.unit.pitfalls.made import DAY_MS, MINUTE_MS, calm, line_of, mark, numbers, table, trades, values
from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.groups import grouped
from volwatch.analytics.splits import adjust, detect
from volwatch.analytics.trades import Float64, concatenate
from volwatch.analytics.volatility import annual, ewma, log_ratio, sample_variances
from volwatch.research.estimate import Asked, windowed_values
from volwatch.research.ohlc import bars_of

MSFT = "ohlc_msft_daily.csv"
MPMATH = "mpvol_msft_daily_n20_N252.csv"


def log_returns(name: str) -> Float64:
    close = numbers(name, "close")
    return log_ratio(close[1:], close[:-1])


def rolling_cc(returns: Float64, window: int) -> Float64:
    windows, at = line_of(len(returns), window)
    variance, _ = sample_variances(returns, windows, at)
    return annual(variance, np.full(len(variance), 252.0))


def test_pitfall_01_a_window_counts_returns_and_not_prices() -> None:
    """Mistake: a window of 20 prices, which are 19 returns, under the name of 20. Right: n counts returns."""
    of_returns, of_prices = numbers(MPMATH, "close_nret")[20:], numbers(MPMATH, "close")[19:]
    returns = log_returns(MSFT)
    np.testing.assert_allclose(rolling_cc(returns, 20), of_returns, rtol=1e-12)
    np.testing.assert_allclose(rolling_cc(returns, 19), of_prices, rtol=1e-12)
    assert np.median(np.abs(rolling_cc(returns, 19)[1:] / of_returns - 1)) > 1e-3


def test_pitfall_02_the_sample_variance_divides_by_n_minus_one() -> None:
    """Mistake: numpy's default of ddof 0, too small by √(19/20). Right: ddof 1."""
    expected, returns = numbers(MPMATH, "close_nret")[20:], log_returns(MSFT)
    naive = np.lib.stride_tricks.sliding_window_view(returns, 20).std(axis=1) * math.sqrt(252)
    np.testing.assert_allclose(rolling_cc(returns, 20), expected, rtol=1e-12)
    np.testing.assert_allclose(naive / expected, math.sqrt(19 / 20), rtol=1e-9)


def test_pitfall_03_a_year_is_the_root_of_n_bars_and_a_decimal() -> None:
    """Mistake: N in place of √N, or per cent stored where a decimal is meant. Right: 1 ‰ a minute is 31 % a year."""
    up = math.exp(1e-3)
    rows = [
        ("S", minute * MINUTE_MS + 1_000 * second, 100.0 * (up if minute % 2 else 1.0), 1.0)
        for minute in range(40)
        for second in range(3)
    ]
    final = Engine(EngineConfig()).process(concatenate([trades(rows), mark(60 * MINUTE_MS)]))
    assert values(final, "cc0")[30] == pytest.approx(1e-3 * math.sqrt(252 * 390), rel=1e-9)
    assert set(final.volatility[0].annualisation) == {"US_RTH_1M"}


def test_pitfall_04_a_log_return_is_no_difference_of_logs() -> None:
    """Mistake: np.diff(np.log(p)), which loses eleven digits at 1e8. Right: log1p of the relative change."""
    price = np.append(99_999_999.99, numbers("illcond_logreturns.csv", "price"))
    expected = numbers("illcond_logreturns.csv", "log_return_50digit")
    moved = expected != 0
    error = np.abs(log_ratio(price[1:], price[:-1])[moved] / expected[moved] - 1)
    naive = np.abs(np.diff(np.log(price))[moved] / expected[moved] - 1)
    assert (error.max() < 1e-12, naive.max() > 1e-6) == (True, True)


def test_pitfall_06_the_night_is_in_no_window_of_minutes() -> None:
    """Mistake: the first bar's return is from yesterday's close: 10 % in one minute. Right: ln(C/O)."""
    days = calm(40) + calm(40, first_minute=DAY_MS // MINUTE_MS, price=110.0)
    result = Engine(EngineConfig(outlier_filter=False)).process(trades([*days, ("S", 2 * DAY_MS, 110.0, 1.0)]))
    table_, returns = result.bars[0].table, result.bars[0].log_return
    assert returns[40] == log_ratio(table_.close[40:41], table_.open[40:41])[0]
    naive = log_ratio(table_.close[1:], table_.close[:-1])
    assert np.nanmax(values(result, "cc")) < 0.1
    assert naive[10:40].std(ddof=1) * math.sqrt(98_280) > 5.0


def test_pitfall_07_a_split_is_no_crash() -> None:
    """Mistake: 88.99 to 44.86 by a 2:1 split is a return of −68 %. Right: it is found, and no return goes over it."""
    frame = table("ohlc_aapl_daily_raw_with_splits.csv")
    opened, close = frame["open"].to_numpy(np.float64), frame["close"].to_numpy(np.float64)
    factors = detect(np.append(np.nan, close[:-1]), opened)
    rows = np.flatnonzero(factors != 1.0)
    assert frame["date"][rows].tolist() == ["2000-06-21", "2005-02-28"]
    whole = adjust({"close": close}, rows, factors[rows])["close"]
    around = slice(rows[1] - 10, rows[1] + 10)
    assert log_ratio(close[1:], close[:-1])[around].min() < -0.6
    assert np.abs(log_ratio(whole[1:], whole[:-1])[around]).max() < 0.1
    bars = bars_of(frame, table_times(frame["date"].to_numpy(np.str_)))
    per_bar, reason, _ = windowed_values(bars, Asked("cc", 20, 10, 252.0, 0.94))
    assert (reason[rows[1]], math.sqrt(252 * per_bar[rows[1]]) < 0.6) == (0, True)


def table_times(dates: "np.ndarray[tuple[int], np.dtype[np.str_]]") -> "pd.Series[pd.Timestamp]":
    return pd.Series(pd.to_datetime(dates, utc=True))


def test_pitfall_08_half_days_and_clock_changes_are_the_calendars_business() -> None:
    """Mistake: every session is 390 minutes from 14:30 UTC. Right: open and close of each day, one year for all."""
    sessions, calendar = table("xnys_sessions.csv"), calendar_named("XNYS")
    opened, closed = calendar.session_bounds_ms(sessions["date"].to_numpy("datetime64[D]"))
    for column, ours in (("open_utc", opened), ("close_utc", closed)):
        expected = sessions[column].str.removesuffix("Z").to_numpy("datetime64[ms]").astype(np.int64)
        assert ours.tolist() == expected.tolist()
    in_summer, half = opened % DAY_MS == 13.5 * 3_600_000, closed - opened == 210 * MINUTE_MS
    assert (in_summer.sum() > 250, half.sum()) == (True, (sessions["minutes"] == 210).sum())
    place = calendar.place(np.concatenate([opened, closed - MINUTE_MS]))
    assert place.minute.tolist() == [0] * len(opened) + (sessions["minutes"] - 1).tolist()
    assert calendar.minute.per_year == 252 * 390


def test_pitfall_09_a_variance_is_never_negative() -> None:
    """Mistake: (Σx² − (Σx)²/n)/(n−1), below 0 at 1e8 ± 0.01, and its root NaN. Right: exact to twelve digits."""
    inputs, expected = table("illcond_inputs.csv"), table("illcond_expected.csv")
    x = inputs.loc[inputs["case"] == "price_1e8_cent", "x"].to_numpy(np.float64)
    rows = expected[(expected["case"] == "price_1e8_cent") & (expected["window"] == 20)]
    ours, _ = sample_variances(x, line_of(len(x), 20)[0], rows["end_index"].to_numpy(np.intp))
    np.testing.assert_allclose(ours, rows["var_ddof1"].to_numpy(np.float64), rtol=1e-12)
    windows = np.lib.stride_tricks.sliding_window_view(x, 20)
    naive = (windows**2).sum(axis=1) - windows.sum(axis=1) ** 2 / 20
    everywhere, _ = sample_variances(x, *line_of(len(x), 20))
    assert (naive.min() < 0, everywhere.min() >= 0) == (True, True)


def test_pitfall_10_a_spike_that_has_left_the_window_leaves_nothing_behind() -> None:
    """Mistake: add the new term, take the old one away; after 1e6 the window of 1e-9 is rubbish. Right: recompute."""
    inputs, expected = table("illcond_inputs.csv"), table("illcond_expected.csv")
    x = inputs.loc[inputs["case"] == "spike_then_tiny", "x"].to_numpy(np.float64)
    rows = expected[(expected["case"] == "spike_then_tiny") & (expected["window"] == 20)]
    at, exact = rows["end_index"].to_numpy(np.intp), rows["var_ddof1"].to_numpy(np.float64)
    ours, _ = sample_variances(x, line_of(len(x), 20)[0], at)
    np.testing.assert_allclose(ours, exact, rtol=1e-12)
    assert np.nanmax(np.abs(added_and_removed(x, 20)[at] / exact - 1)) > 1e10


def added_and_removed(x: Float64, window: int) -> Float64:
    """Return Welford's sample variances by moving the window along: what is not done."""
    mean, squares, found = 0.0, 0.0, np.full(len(x), np.nan)
    for place, new in enumerate(x.tolist()):
        if place < window:
            gap = new - mean
            mean += gap / (place + 1)
            squares += gap * (new - mean)
        else:
            old = float(x[place - window])
            before, mean = mean, mean + (new - old) / window
            squares += (new - old) * (new - mean + old - before)
        found[place] = squares / (window - 1) if place >= window - 1 else np.nan
    return found


def test_pitfall_15_an_ewma_starts_without_bias_and_has_todays_return() -> None:
    """Mistake: a start at r₁², or a value of day i that knows returns to i − 1 only. Right: N/D, with r_i in it."""
    returns = numbers("ewma_msft_daily.csv", "log_return")[1:]
    n = len(returns)
    found, _ = ewma(grouped(np.zeros(n, np.int64)), np.zeros((2, 1)), returns**2, np.full(n, 0.94))
    normalised = numbers("ewma_msft_daily.csv", "normalised_lam0.94")[1:]
    recursive = numbers("ewma_msft_daily.csv", "recursive_init_r2_lam0.94")[1:]
    np.testing.assert_allclose(found, normalised, rtol=1e-12)
    assert np.abs(recursive[5:20] / normalised[5:20] - 1).max() > 0.1
    assert np.median(np.abs(found[:-1] / normalised[1:] - 1)) > 1e-2
