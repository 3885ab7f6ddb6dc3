"""Daily bars against a naive grouping, when they are taken, and what follows from them."""

import numpy as np
import pandas as pd
import pytest

from tests.unit.analytics.made import CONFIG, DAILY_CALENDARS, advance_final, bars, made_state, noise
from volwatch.analytics import days
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, calendar_named
from volwatch.analytics.results import Bars, Volatility
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Int64
from volwatch.analytics.volatility import NULL_REASONS

HALF_DAY_CLOSE_MS = 1_764_352_800_000  # 2025-11-28T18:00:00Z
LATENESS_MS = CONFIG.lateness_seconds * 1000


def day_ms(date: str) -> int:
    return int(np.datetime64(date, "ms").astype(np.int64))


def spread_over(dates: list[str], series: int, seed: int) -> BarTable:
    """Return bars that wander, some of them outside regular hours and with minutes missing."""
    random = np.random.Generator(np.random.PCG64(seed))
    starts = np.concatenate([np.arange(day_ms(date), day_ms(date) + DAY_MS, 7 * MINUTE_MS) for date in dates])
    middle = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, len(starts))))
    return bars(
        starts,
        spread=np.exp(noise(seed, len(starts))),
        middle=middle,
        trades=random.integers(1, 9, len(starts)),
        series=series,
    )


def collected(state: EngineState, table: BarTable) -> None:
    advanced = advance_final(state, table)
    days.collect(state, advanced.bars, advanced.session)


def naive(table: BarTable, calendar: str) -> pd.DataFrame:
    """Return the day bars of one series by a plain grouping."""
    place = calendar_named(calendar).place(table.start)
    frame = pd.DataFrame(
        {
            "day": place.session * DAY_MS,
            "start": table.start,
            "open": table.open,
            "high": table.high,
            "low": table.low,
            "close": table.close,
            "volume": table.volume,
            "trades": table.trades,
        }
    )
    grouped = frame[place.session >= 0].sort_values("start").groupby("day")
    return grouped.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        trades=("trades", "sum"),
    )


@pytest.mark.parametrize("chunks", [1, 5])
def test_day_bars_equal_a_naive_grouping_however_the_minutes_come(chunks: int) -> None:
    dates = ["2025-11-26", "2025-11-27", "2025-11-28", "2025-11-29"]
    state = made_state(*DAILY_CALENDARS)
    whole = [spread_over(dates, series, seed=series) for series in range(2)]
    minute = np.arange(len(whole[0]))
    for part in np.array_split(minute, chunks):
        collected(state, whole[0].take(part).join(whole[1].take(part)))
    taken = days.take_closed(state, CONFIG, np.full(2, 2**52))
    assert len(state.day_bars) == 0
    for series, calendar in enumerate(DAILY_CALENDARS):
        mine = taken.take(taken.series == series)
        expected = naive(whole[series], calendar)
        assert mine.start.tolist() == expected.index.tolist()
        for name in ("open", "high", "low", "close", "volume", "trades"):
            np.testing.assert_allclose(getattr(mine, name), expected[name].to_numpy(), rtol=1e-14)
    assert (taken.series == 0).sum() == 2
    assert (taken.series == 1).sum() == 4


@pytest.mark.parametrize(("late_ms", "taken"), [(LATENESS_MS - 1, 0), (LATENESS_MS, 1)])
def test_a_day_is_taken_when_its_close_and_the_lateness_have_passed(late_ms: int, taken: int) -> None:
    state = made_state("XNYS")
    collected(state, bars([HALF_DAY_CLOSE_MS - MINUTE_MS]))
    closed = days.take_closed(state, CONFIG, np.array([HALF_DAY_CLOSE_MS + late_ms]))
    assert (len(closed), len(state.day_bars)) == (taken, 1 - taken)
    assert closed.start.tolist() == [day_ms("2025-11-28")] * taken


def test_each_series_waits_for_its_own_watermark() -> None:
    state = made_state("XNYS", "XNYS")
    collected(state, bars([HALF_DAY_CLOSE_MS - MINUTE_MS] * 2, series=np.array([0, 1])))
    closed = days.take_closed(state, CONFIG, np.array([HALF_DAY_CLOSE_MS, 2**52]))
    assert (closed.series.tolist(), state.day_bars.series.tolist()) == ([1], [0])


def advance_days(
    state: EngineState, closes: list[float], first_day: int = 20_000, step: int = 1
) -> tuple[Bars, Volatility]:
    """Advance over days that open and close at the same price."""
    starts = (first_day + step * np.arange(len(closes), dtype=np.int64)) * DAY_MS
    return days.advance(state, bars(starts, middle=np.array(closes), spread=0.02), CONFIG)


def rows_of(volatility: Volatility, estimator: str) -> list[tuple[float, str, int]]:
    at = volatility.estimators.index(estimator)
    return [
        (value, NULL_REASONS[reason], n)
        for value, reason, n in zip(
            volatility.value[:, at].tolist(),
            volatility.reason[:, at].tolist(),
            volatility.n_obs[:, at].tolist(),
            strict=True,
        )
    ]


def test_daily_returns_go_over_night_and_the_first_day_has_none() -> None:
    made, _ = advance_days(made_state("XNYS"), [100.0, 110.0, 99.0])
    np.testing.assert_allclose(made.log_return, [np.nan, np.log(1.1), np.log(0.9)], rtol=1e-14)
    assert made.bar_seconds == 86_400


def test_a_day_at_a_time_gives_the_same_bits_as_all_days_at_once() -> None:
    closes = (100 * np.exp(np.cumsum(noise(4, 80) + 6.9) * 0.01)).tolist()
    _, whole = advance_days(made_state("XNYS"), closes)
    state = made_state("XNYS")
    parts = [advance_days(state, [close], first_day=20_000 + index)[1] for index, close in enumerate(closes)]
    for name in ("value", "reason", "n_obs", "standard_error"):
        assert np.concatenate([getattr(part, name) for part in parts]).tobytes() == getattr(whole, name).tobytes()


def test_close_to_close_is_the_sample_deviation_of_the_last_twenty_returns() -> None:
    closes = 100 * np.exp(np.cumsum(noise(5, 40) + 6.9) * 0.01)
    _, volatility = advance_days(made_state("XNYS"), closes.tolist())
    returns = np.diff(np.log(closes))
    value, reason, n = rows_of(volatility, "cc")[-1]
    assert value == pytest.approx(returns[-20:].std(ddof=1) * np.sqrt(252), rel=1e-10)
    assert (reason, n) == ("", 20)


def test_a_value_is_null_until_half_of_its_window_is_there() -> None:
    closes = (100 * np.exp(np.cumsum(noise(6, 12) + 6.9) * 0.01)).tolist()
    _, volatility = advance_days(made_state("XNYS"), closes)
    assert [reason for _, reason, _ in rows_of(volatility, "cc")] == ["INSUFFICIENT_DATA"] * 10 + [""] * 2
    assert [n for _, _, n in rows_of(volatility, "cc")] == list(range(12))


def test_the_sharpe_ratio_needs_forty_returns_and_uses_sixty_three() -> None:
    closes = 100 * np.exp(np.cumsum(noise(7, 70) + 6.9) * 0.01)
    _, volatility = advance_days(made_state("XNYS"), closes.tolist())
    told = rows_of(volatility, "sharpe")
    assert [reason for _, reason, _ in told] == ["INSUFFICIENT_DATA"] * 40 + [""] * 30
    simple = (closes[1:] / closes[:-1] - 1)[-63:]
    assert told[-1][0] == pytest.approx(simple.mean() / simple.std(ddof=1) * np.sqrt(252), rel=1e-9)
    at = volatility.estimators.index("sharpe")
    error = volatility.standard_error
    assert np.array_equal(~np.isnan(error[:, at]), volatility.reason[:, at] == 0)
    assert np.isnan(np.delete(error, at, axis=1)).all()


def test_a_market_that_never_closes_has_a_longer_year() -> None:
    closes = (100 * np.exp(np.cumsum(noise(8, 30) + 6.9) * 0.01)).tolist()
    made = [advance_days(made_state(calendar), closes)[1] for calendar in DAILY_CALENDARS]
    ratio = rows_of(made[1], "cc")[-1][0] / rows_of(made[0], "cc")[-1][0]
    assert ratio == pytest.approx(np.sqrt(365 / 252), rel=1e-12)
    assert [set(one.annualisation) for one in made] == [{"US_DAILY"}, {"CRYPTO_DAILY"}]


def test_no_days_give_no_rows() -> None:
    none: Int64 = np.empty(0, np.int64)
    made, volatility = days.advance(made_state("XNYS"), bars(none), CONFIG)
    assert (len(made.table), len(volatility.value)) == (0, 0)
