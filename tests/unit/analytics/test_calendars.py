"""The calendars against sessions on which two other packages agree, and the places of bars in them by hand."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.calendars import (
    CLOSED,
    DAY_MS,
    MINUTE_MS,
    NO_SESSION,
    POST,
    PRE,
    REGULAR,
    SESSION_NAMES,
    Annualisation,
    Calendar,
    Placement,
    calendar_for,
    calendar_named,
    calendar_names,
    session_of_chain,
    unknown_calendars,
)
from volwatch.analytics.trades import Int64

DATA = Path(__file__).parents[2] / "data"
SOME = ("XNYS", "XLON", "XTKS", "XHKG", "XASX", "CMES", "24/5", "24/7")


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


def test_a_lunch_break_is_not_regular_and_parts_the_chain_but_not_the_session() -> None:
    """Tokyo trades from 09:00 to 11:30 and from 12:30 to 15:30, nine hours ahead of UTC."""
    times = ("00:00", "02:29", "02:30", "03:29", "03:30", "06:29", "06:30")
    place = placed(*(f"2026-01-06 {time}" for time in times), calendar="XTKS")
    assert place.label.tolist() == [REGULAR, REGULAR, CLOSED, CLOSED, REGULAR, REGULAR, CLOSED]
    day, none = day_number("2026-01-06"), NO_SESSION
    assert place.session.tolist() == [day, day, none, none, day, day, none]
    assert place.minute[[0, 1, 4, 5]].tolist() == [0, 149, 150, 329]
    assert place.minutes_left[[0, 1, 4, 5]].tolist() == [330, 181, 180, 1]
    morning, afternoon = place.chain[[0, 1]].tolist(), place.chain[[4, 5]].tolist()
    assert (morning, len(set(afternoon)), set(morning) & set(afternoon)) == ([day, day], 1, set())
    assert session_of_chain(place.chain).tolist() == place.session.tolist()


def test_a_half_day_without_an_afternoon_has_no_break() -> None:
    """Christmas Eve of 2025 in Hong Kong: 09:30 to 12:00, eight hours ahead of UTC."""
    place = placed("2025-12-24 01:30", "2025-12-24 03:59", "2025-12-24 04:00", "2025-12-24 05:00", calendar="XHKG")
    assert place.label.tolist() == [REGULAR, REGULAR, CLOSED, CLOSED]
    assert (place.minute[:2].tolist(), place.minutes_left[:2].tolist()) == ([0, 149], [150, 1])


def test_london_moves_with_its_own_daylight_saving_time() -> None:
    """It began on 2026-03-29, three weeks after New York's; 08:00 there is 08:00 UTC before and 07:00 after."""
    place = placed("2026-03-27 08:00", "2026-03-30 07:00", "2026-03-30 15:29", "2026-03-30 15:30", calendar="XLON")
    assert place.label.tolist() == [REGULAR, REGULAR, REGULAR, CLOSED]
    assert place.minute[:3].tolist() == [0, 0, 509]


def test_currencies_trade_from_sunday_to_friday_at_five_in_new_york() -> None:
    """17:00 there is 22:00 UTC in winter; 2026-01-11 was a Sunday."""
    times = ("2026-01-09 21:59", "2026-01-09 22:00", "2026-01-11 21:59", "2026-01-11 22:00", "2026-01-12 22:00")
    place = placed(*times, calendar="24/5")
    assert place.label.tolist() == [REGULAR, CLOSED, CLOSED, REGULAR, REGULAR]
    friday, none = day_number("2026-01-09"), NO_SESSION
    assert place.session.tolist() == [friday, none, none, friday + 3, friday + 4]
    assert place.chain[3] == place.chain[4] != place.chain[0]
    assert (place.minute[[0, 3, 4]].tolist(), place.minutes_left[[0, 3, 4]].tolist()) == ([1439, 0, 0], [1, 1440, 1440])


@pytest.mark.parametrize(("sunday", "opens"), [("2026-03-08", "21:00"), ("2026-11-01", "22:00")])
def test_the_week_of_currencies_opens_by_the_clock_of_new_york(sunday: str, opens: str) -> None:
    before, at_open = at(f"{sunday} {opens}") - MINUTE_MS, at(f"{sunday} {opens}")
    place = calendar_named("24/5").place(np.array([before, at_open]))
    assert place.label.tolist() == [CLOSED, REGULAR]


def test_a_week_of_currencies_is_one_chain_of_five_sessions() -> None:
    start = at("2026-03-07 00:00")
    place = calendar_named("24/5").place(start + np.arange(7 * 1_440) * MINUTE_MS)
    regular = place.label == REGULAR
    assert np.unique(place.session[regular], return_counts=True)[1].tolist() == [1_440] * 5
    assert len(np.unique(place.chain[regular])) == 1


@pytest.mark.parametrize("name", SOME)
def test_sessions_never_overlap_and_breaks_lie_inside_them(name: str) -> None:
    calendar = calendar_named(name)
    assert (calendar.open_ms < calendar.close_ms).all()
    assert (calendar.close_ms[:-1] <= calendar.open_ms[1:]).all()
    if len(calendar.break_start_ms):
        assert (calendar.open_ms < calendar.break_start_ms).all()
        assert (calendar.break_start_ms <= calendar.break_end_ms).all()
        assert (calendar.break_end_ms <= calendar.close_ms).all()


def naive_place(calendar: Calendar, start: int) -> tuple[bool, int, int, int]:
    """Return whether a bar is regular, its session, its minute and the minutes left, from one session after another."""
    for row in np.flatnonzero((calendar.open_ms <= start) & (start < calendar.close_ms)).tolist():
        opened, closed = int(calendar.open_ms[row]), int(calendar.close_ms[row])
        minutes = list(range(opened, closed, MINUTE_MS))
        if len(calendar.break_start_ms):
            pause = range(int(calendar.break_start_ms[row]), int(calendar.break_end_ms[row]))
            minutes = [minute for minute in minutes if minute not in pause]
        if start in minutes:
            place = minutes.index(start)
            return True, int(calendar.days[row]), place, len(minutes) - place
    return False, NO_SESSION, 0, 0


@given(
    name=st.sampled_from([name for name in SOME if name != "24/7"]),
    minutes=st.lists(st.integers(at("2024-01-01 00:00") // MINUTE_MS, at("2027-01-01 00:00") // MINUTE_MS), max_size=8),
)
def test_every_minute_of_a_session_is_regular_and_no_other_is(name: str, minutes: list[int]) -> None:
    calendar = calendar_named(name)
    starts = np.array(minutes, np.int64) * MINUTE_MS
    place = calendar.place(starts)
    regular = place.label == REGULAR
    told = zip(
        regular.tolist(),
        place.session.tolist(),
        np.where(regular, place.minute, 0).tolist(),
        np.where(regular, place.minutes_left, 0).tolist(),
        strict=True,
    )
    assert list(told) == [naive_place(calendar, start) for start in starts.tolist()]


@given(session=st.integers(0, 600), minute=st.integers(0, 389))
def test_every_bar_of_a_session_of_new_york_is_regular_to_its_close(session: int, minute: int) -> None:
    calendar = calendar_named("XNYS")
    row = int(np.searchsorted(calendar.days, day_number("2024-01-02"))) + session
    length = int(calendar.close_ms[row] - calendar.open_ms[row]) // MINUTE_MS
    place = calendar.place(calendar.open_ms[row : row + 1] + minute * MINUTE_MS)
    if minute < length:
        assert (place.session[0], place.minute[0], place.minutes_left[0]) == (
            calendar.days[row], minute, length - minute,
        )  # fmt: skip
    else:
        assert (place.label[0], place.session[0]) == (POST, NO_SESSION)


def test_an_alias_is_the_calendar_that_it_stands_for() -> None:
    assert calendar_named("XNAS") is calendar_named("XNYS")
    assert calendar_named("LSE") is calendar_named("XLON")


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("XNYS", [("US_RTH_1M", 98_280), ("US_DAILY", 252)]),
        ("24/7", [("CRYPTO_1M", 525_600), ("CRYPTO_DAILY", 365)]),
        ("24/5", [("FX_1M", 362_880), ("FX_DAILY", 252)]),
        ("XLON", [("XLON_1M", 253 * 510), ("XLON_DAILY", 253)]),
        ("XTKS", [("XTKS_1M", 244 * 330), ("XTKS_DAILY", 244)]),
    ],
)
def test_a_calendar_says_how_many_bars_make_a_year(name: str, codes: list[tuple[str, float]]) -> None:
    calendar = calendar_named(name)
    assert [(rule.code, rule.per_year) for rule in (calendar.minute, calendar.day)] == codes


@pytest.mark.parametrize("name", ["XLON", "XTKS"])
def test_bars_of_a_year_are_its_sessions_times_the_minutes_of_a_full_one(name: str) -> None:
    """The sessions of 2016 to 2025, and the length that most of those of 2025 have, counted bar by bar."""
    calendar = calendar_named(name)
    held = (calendar.days >= day_number("2016-01-01")) & (calendar.days < day_number("2026-01-01"))
    starts = np.arange(at("2025-01-01 00:00"), at("2026-01-01 00:00"), MINUTE_MS)
    place = calendar.place(starts)
    lengths = np.unique(place.session[place.label == REGULAR], return_counts=True)[1]
    full = int(np.bincount(lengths).argmax())
    assert calendar.session_minutes == full
    assert calendar.minute.per_year == round(int(held.sum()) / 10) * full


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("XNYS", Annualisation("US_RTH_5M", 19_656)),
        ("24/7", Annualisation("CRYPTO_5M", 105_120)),
        ("XLON", Annualisation("XLON_5M", 25_806)),
    ],
)
def test_longer_bars_have_a_code_of_their_own(name: str, rule: Annualisation) -> None:
    assert calendar_named(name).every(5) == rule


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"no calendar 'MARS': there are 24/5, 24/7, AIXK, .*, XLON, .*, XNYS, "):
        calendar_named("MARS")


def test_names_are_checked_without_making_the_calendars() -> None:
    assert unknown_calendars(["XNYS", "MARS", "24/5", "XNAS", "LSE", "", "24/7"]) == ["", "MARS"]
    assert {"24/5", "24/7", "XNYS", "XLON", "XTKS"} <= set(calendar_names())


def test_a_calendar_that_the_package_cannot_make_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> object:
        raise NotImplementedError

    monkeypatch.setattr("exchange_calendars.get_calendar", broken)
    with pytest.raises(ValueError, match="exchange-calendars cannot make the calendar 'XWAR'"):
        calendar_named("XWAR")


def test_an_exchange_of_which_fewer_years_are_known_has_those() -> None:
    calendar = calendar_named("XTKS")
    assert calendar.days[0] == day_number("1997-01-06")
    assert placed("1996-06-03 01:00", calendar="XTKS").label.tolist() == [CLOSED]


@pytest.mark.parametrize(
    ("source", "symbol", "name"),
    [
        ("finnhub", "AAPL", "XNYS"),
        ("finnhub", "BRK.B", "XNYS"),
        ("replay-msft", "MSFT", "XNYS"),
        ("finnhub", "BINANCE:BTCUSDT", "24/7"),
        ("finnhub", "COINBASE:BTC-USD", "24/7"),
        ("finnhub", "kraken:XBTUSD", "24/7"),
        ("finnhub", "OANDA:EUR_USD", "24/5"),
        ("finnhub", "IC MARKETS:1", "24/5"),
        ("finnhub", "NASDAQ:AAPL", "XNYS"),
        ("finnhub", "BINANCE", "XNYS"),
        ("simulator", "AAPL", "24/7"),
        ("replay-calm", "SIM01", "24/7"),
        ("replay-calm", "SIM1000", "24/7"),
        ("finnhub", "SIM", "XNYS"),
        ("finnhub", "SIM01X", "XNYS"),
    ],
)
def test_a_symbols_form_gives_its_calendar(source: str, symbol: str, name: str) -> None:
    assert calendar_for(source, symbol) == name
