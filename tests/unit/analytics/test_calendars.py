"""The calendars against sessions on which two other packages agree, and the places of bars in them by hand."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from volwatch.analytics.calendars import (
    CLOSED,
    DAY_MS,
    MINUTE_MS,
    NO_SESSION,
    POST,
    PRE,
    REGULAR,
    SESSION_NAMES,
    Placement,
    calendar_for,
    calendar_named,
)
from volwatch.analytics.trades import Int64

DATA = Path(__file__).parents[2] / "data"


def at(text: str) -> int:
    """Return a time of UTC, such as ``2026-01-05 14:30``, in epoch milliseconds."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000)


def placed(*times: str, calendar: str = "XNYS") -> Placement:
    return calendar_named(calendar).place(np.array([at(time) for time in times], np.int64))


def labels(*times: str) -> list[str]:
    return [SESSION_NAMES[label] for label in placed(*times).label]


def day_number(date: str) -> int:
    return at(f"{date} 00:00") // DAY_MS


@pytest.fixture(scope="module")
def sessions() -> pd.DataFrame:
    return pd.read_csv(DATA / "xnys_sessions.csv")


def milliseconds(times: pd.Series) -> Int64:
    naive = times.str.removesuffix("Z").to_numpy("datetime64[ms]")
    return naive.astype(np.int64)


def test_sessions_are_those_that_two_other_packages_agree_on(sessions: pd.DataFrame) -> None:
    calendar = calendar_named("XNYS")
    dates = sessions["date"].to_numpy("datetime64[D]").astype(np.int64)
    held = (calendar.days >= dates[0]) & (calendar.days <= dates[-1])
    assert calendar.days[held].tolist() == dates.tolist()
    assert calendar.open_ms[held].tolist() == milliseconds(sessions["open_utc"]).tolist()
    assert calendar.close_ms[held].tolist() == milliseconds(sessions["close_utc"]).tolist()


def test_regular_minutes_of_each_session_equal_its_length(sessions: pd.DataFrame) -> None:
    starts = milliseconds(sessions["date"] + "T00:00:00Z")[:, None] + np.arange(0, DAY_MS, MINUTE_MS)
    regular = calendar_named("XNYS").place(starts.ravel()).label.reshape(starts.shape) == REGULAR
    assert regular.sum(axis=1).tolist() == sessions["minutes"].tolist()


@pytest.mark.parametrize(("year", "minutes"), [(2024, 97_740), (2025, 96_960)])
def test_a_year_has_its_regular_minutes(year: int, minutes: int) -> None:
    starts = np.arange(at(f"{year}-01-01 00:00"), at(f"{year + 1}-01-01 00:00"), MINUTE_MS)
    assert int((calendar_named("XNYS").place(starts).label == REGULAR).sum()) == minutes


def test_a_winter_day_minute_by_minute_at_its_edges() -> None:
    """04:00, 09:30, 16:00 and 20:00 in New York are 09:00, 14:30, 21:00 and 01:00 UTC."""
    times = ("08:59", "09:00", "14:29", "14:30", "20:59", "21:00", "23:59")
    assert labels(*(f"2026-01-05 {time}" for time in times)) == [
        "closed", "pre", "pre", "regular", "regular", "post", "post",
    ]  # fmt: skip
    assert labels("2026-01-06 00:59", "2026-01-06 01:00") == ["post", "closed"]


def test_a_half_day_closes_early_and_so_does_its_evening() -> None:
    """The day after Thanksgiving 2025 closes at 13:00 in New York, 18:00 UTC."""
    times = ("14:30", "17:59", "18:00", "21:59", "22:00")
    assert labels(*(f"2025-11-28 {time}" for time in times)) == ["regular", "regular", "post", "post", "closed"]
    place = placed("2025-11-28 14:30", "2025-11-28 17:59")
    assert (place.minute.tolist(), place.minutes_left.tolist()) == ([0, 209], [210, 1])


def test_the_open_moves_with_daylight_saving_time() -> None:
    """It began on Sunday, 2026-03-08."""
    assert labels("2026-03-06 13:30", "2026-03-06 14:30", "2026-03-09 13:29", "2026-03-09 13:30") == [
        "pre", "regular", "pre", "regular",
    ]  # fmt: skip
    assert placed("2026-03-06 14:30", "2026-03-09 13:30").minute.tolist() == [0, 0]


def test_weekends_and_holidays_are_closed() -> None:
    """Saturday, Sunday, and New Year's Day of 2026."""
    assert labels("2026-01-10 15:00", "2026-01-11 15:00", "2026-01-01 15:00") == ["closed"] * 3


def test_only_regular_bars_have_a_session_and_a_chain() -> None:
    place = placed("2026-01-05 09:00", "2026-01-05 14:30", "2026-01-05 20:59", "2026-01-05 21:00", "2026-01-10 15:00")
    monday = day_number("2026-01-05")
    assert place.label.tolist() == [PRE, REGULAR, REGULAR, POST, CLOSED]
    assert place.session.tolist() == [NO_SESSION, monday, monday, NO_SESSION, NO_SESSION]
    assert place.chain.tolist() == place.session.tolist()
    assert place.minute[1:3].tolist() == [0, 389]
    assert place.minutes_left[1:3].tolist() == [390, 1]


def test_before_the_first_session_and_behind_the_last_all_is_closed() -> None:
    assert labels("1985-06-03 15:00", "2055-06-03 15:00") == ["closed", "closed"]


def test_a_market_that_never_closes_has_days_of_utc_and_one_chain() -> None:
    place = placed("2026-01-10 00:00", "2026-01-10 23:59", "2026-01-11 00:00", calendar="24/7")
    saturday = day_number("2026-01-10")
    assert place.label.tolist() == [REGULAR] * 3
    assert place.session.tolist() == [saturday, saturday, saturday + 1]
    assert place.chain.tolist() == [0, 0, 0]
    assert (place.minute.tolist(), place.minutes_left.tolist()) == ([0, 1439, 0], [1440, 1, 1440])


def test_the_close_of_a_session() -> None:
    days = np.array([day_number("2025-11-26"), day_number("2025-11-28")])
    assert calendar_named("XNYS").close_of(days).tolist() == [at("2025-11-26 21:00"), at("2025-11-28 18:00")]
    assert calendar_named("24/7").close_of(days).tolist() == [at("2025-11-27 00:00"), at("2025-11-29 00:00")]


def test_the_bounds_of_a_date_without_a_session_are_minus_one() -> None:
    dates = np.array(["2025-11-27", "2025-11-28", "2099-01-01"], "datetime64[D]")
    opened, closed = calendar_named("XNYS").session_bounds_ms(dates)
    assert opened.tolist() == [-1, at("2025-11-28 14:30"), -1]
    assert closed.tolist() == [-1, at("2025-11-28 18:00"), -1]
    opened, closed = calendar_named("24/7").session_bounds_ms(dates[:1])
    assert (opened.tolist(), closed.tolist()) == ([at("2025-11-27 00:00")], [at("2025-11-28 00:00")])


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("XNYS", [("US_RTH_1M", 98_280), ("US_DAILY", 252)]),
        ("24/7", [("CRYPTO_1M", 525_600), ("CRYPTO_DAILY", 365)]),
    ],
)
def test_a_calendar_says_how_many_bars_make_a_year(name: str, codes: list[tuple[str, float]]) -> None:
    calendar = calendar_named(name)
    assert [(rule.code, rule.per_year) for rule in (calendar.minute, calendar.day)] == codes


def test_there_is_no_calendar_of_another_name() -> None:
    with pytest.raises(ValueError, match="no calendar 'LSE': there are 'XNYS' and '24/7'"):
        calendar_named("LSE")


@pytest.mark.parametrize(
    ("source", "symbol", "name"),
    [
        ("finnhub", "AAPL", "XNYS"),
        ("finnhub", "BRK.B", "XNYS"),
        ("replay-msft", "MSFT", "XNYS"),
        ("finnhub", "BINANCE:BTCUSDT", "24/7"),
        ("simulator", "AAPL", "24/7"),
    ],
)
def test_a_symbols_form_gives_its_calendar(source: str, symbol: str, name: str) -> None:
    assert calendar_for(source, symbol) == name
