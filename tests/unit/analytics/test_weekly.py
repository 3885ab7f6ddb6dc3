"""The shape of a week: by hand, against a loop over weeks and hours, and never from the week that is not over."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volwatch.analytics.calendars import MINUTE_MS, calendar_named
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.weekly import (
    COMPLETE_SHARE,
    HOURS,
    WEEKS,
    Weekly,
    follow,
    hour_of_week,
    learn,
    new_weekly,
    open_hours,
    profiles,
    turn,
    week_of,
)

FIRST_WEEK = 2_900  # begins on Monday, 2025-07-28
MONDAY = FIRST_WEEK * 7 - 3


def bars_of_weeks(values: Sequence[Float64]) -> tuple[Int64, Int64, Float64]:
    """Return session, minute and log range of weeks with one bar in each hour, NaN: none."""
    whole = np.concatenate(values)
    held = np.flatnonzero(~np.isnan(whole))
    return MONDAY + held // 24, held % 24 * 60, whole[held]


def after_weeks(values: Sequence[Float64], hours: int = HOURS) -> Weekly:
    """Return a series that has seen weeks, and the first bar of one more."""
    weekly = new_weekly(np.array([hours]))
    session, minute, log_range = bars_of_weeks(values)
    follow(weekly, np.zeros(len(session), np.int64), session, minute, log_range, every(len(session)))
    turn(weekly, np.zeros(1, np.int64), np.array([FIRST_WEEK + len(values)]))
    return weekly


def every(n: int) -> Bool:
    return np.ones(n, np.bool_)


def noise(seed: int, weeks: int) -> list[Float64]:
    random = np.random.Generator(np.random.PCG64(seed))
    return list(random.standard_normal((weeks, HOURS)))


def naive_profile(weeks: Sequence[Float64]) -> Float64:
    """Return the profile of weeks of hour means by the words of the specification, hour by hour."""
    middle = np.full(HOURS, np.nan)
    deviations = [week - np.nanmedian(week) for week in weeks[-WEEKS:]]
    for hour in range(HOURS):
        known = [week[hour] for week in deviations if not np.isnan(week[hour])]
        if known:
            middle[hour] = np.median(known)
    smooth = np.full(HOURS, np.nan)
    for hour in range(HOURS):
        around = [middle[(hour + step) % HOURS] for step in (-1, 0, 1)]
        before, here, after = (middle[hour] if np.isnan(value) else value for value in around)
        smooth[hour] = before / 4 + here / 2 + after / 4
    if len(deviations) < 4:
        return np.zeros(HOURS)
    weight = len(deviations) / (len(deviations) + 4)
    profile: Float64 = np.nan_to_num(weight * (smooth - np.nanmean(smooth)))
    return profile


def test_weeks_begin_on_monday_and_hours_are_counted_from_there() -> None:
    days = np.arange(np.datetime64("2026-01-04"), np.datetime64("2026-01-13")).astype(np.int64)
    assert (week_of(days) - week_of(days)[0]).tolist() == [0, 1, 1, 1, 1, 1, 1, 1, 2]
    assert hour_of_week(days[:3], np.array([1_439, 59, 60])).tolist() == [167, 0, 25]


def test_the_hours_of_currencies_move_with_the_clocks_of_new_york() -> None:
    """17:00 of a Sunday there is 22:00 UTC in winter, 21:00 from 2026-03-08 on; sixteen hours later it is 09:00."""
    times = np.array(["2026-03-01T22:00", "2026-03-02T14:00", "2026-03-08T21:00", "2026-03-09T13:00"], "datetime64[ms]")
    place = calendar_named("24/5").place(times.astype(np.int64))
    assert hour_of_week(place.session, place.minute).tolist() == [0, 16, 0, 16]
    assert np.diff(week_of(place.session)).tolist() == [0, 1, 0]


@pytest.mark.parametrize(("name", "hours"), [("24/7", 168), ("24/5", 120)])
def test_a_market_has_the_hours_of_its_calendar(name: str, hours: int) -> None:
    begin = np.datetime64("2026-01-03", "ms").astype(np.int64)
    place = calendar_named(name).place(begin + np.arange(14 * 1_440) * MINUTE_MS)
    monday = np.array([np.datetime64("2026-01-05", "D").astype(np.int64)])
    in_week = (place.session >= 0) & (week_of(place.session) == week_of(monday))
    seen = hour_of_week(place.session[in_week], place.minute[in_week])
    assert open_hours(name) == hours
    assert np.bincount(seen).tolist() == [60] * hours


def test_the_profile_by_hand() -> None:
    """Four weeks with a hump of 1 in Monday's first hour: smoothed round the week, centred, and weighed 1 to 1."""
    past = np.full((1, WEEKS, HOURS), np.nan)
    past[0, -4:] = 0.0
    past[0, -4:, 0] = 1.0
    expected = np.full(HOURS, -1 / HOURS)
    expected[[-1, 0, 1]] += [0.25, 0.5, 0.25]
    np.testing.assert_allclose(profiles(past, np.array([4]))[0], expected / 2, rtol=0, atol=1e-15)


def test_before_four_complete_weeks_nothing_is_usual() -> None:
    weeks = noise(1, 4)
    assert after_weeks(weeks[:3]).profile.any() == np.False_
    assert after_weeks(weeks).profile.all() == np.True_


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    count=st.integers(1, WEEKS + 3),
    gone=st.sets(st.integers(0, HOURS - 1), max_size=20),
)
def test_the_profile_is_what_the_words_say(seed: int, count: int, gone: set[int]) -> None:
    weeks = noise(seed, count)
    for week in weeks[::2]:
        week[list(gone)] = np.nan
    np.testing.assert_allclose(after_weeks(weeks).profile[0], naive_profile(weeks), rtol=0, atol=1e-13)


def test_hours_in_which_the_market_is_closed_have_no_profile_and_change_none() -> None:
    weeks = noise(2, 5)
    for week in weeks:
        week[120:] = np.nan
    profile = after_weeks(weeks, hours=120).profile[0]
    assert profile[120:].tolist() == [0.0] * 48
    assert profile[:120].sum() == pytest.approx(0.0, abs=1e-13)
    np.testing.assert_allclose(profile, naive_profile(weeks), rtol=0, atol=1e-13)


def test_this_weeks_bars_do_not_change_this_weeks_profile_but_the_nexts() -> None:
    weeks = noise(3, 6)
    told = [usual_and_next(values) for values in (weeks, [*weeks[:5], weeks[5] + np.linspace(0, 3, HOURS)])]
    (calm_usual, calm_next), (wild_usual, wild_next) = told
    np.testing.assert_array_equal(calm_usual, wild_usual)
    assert np.abs(calm_next - wild_next).max() > 0.05


def usual_and_next(values: Sequence[Float64]) -> tuple[Float64, Float64]:
    """Return what was usual at each bar of weeks, and the profile of the week after them."""
    weekly = new_weekly(np.array([HOURS]))
    session, minute, log_range = bars_of_weeks(values)
    rows = np.zeros(len(session), np.int64)
    usual, _ = follow(weekly, rows, session, minute, log_range, every(len(session)))
    turn(weekly, rows[:1], np.array([FIRST_WEEK + len(values)]))
    return usual, weekly.profile[0]


def test_a_week_that_lacks_a_fifth_of_its_hours_teaches_nothing() -> None:
    least = int(np.ceil(COMPLETE_SHARE * HOURS))
    for seen, filed in ((least - 1, 0), (least, 1)):
        week = noise(4, 1)[0]
        week[seen:] = np.nan
        assert after_weeks([week]).weeks.tolist() == [filed]


def test_bars_that_do_not_teach_still_turn_the_week() -> None:
    weekly = new_weekly(np.array([HOURS]))
    learn(weekly, np.zeros(2, np.int64), np.array([5, 5]), np.array([1.0, 2.0]))
    follow(weekly, np.zeros(1, np.int64), np.array([MONDAY]), np.array([60]), np.array([9.0]), ~every(1))
    assert (weekly.week.tolist(), weekly.total.any(), weekly.count.any()) == ([FIRST_WEEK], np.False_, np.False_)


def test_no_more_than_the_last_weeks_are_kept() -> None:
    weeks = noise(5, WEEKS + 4)
    kept = after_weeks(weeks)
    assert kept.weeks.tolist() == [WEEKS]
    np.testing.assert_array_equal(kept.profile, after_weeks(weeks[4:]).profile)


def market(seed: int) -> tuple[Int64, Int64, Int64, Float64, Bool]:
    """Return the bars of three series, ordered by (series, time): whole weeks, gaps of weeks, a late beginning."""
    random = np.random.Generator(np.random.PCG64(seed))
    parts = []
    for series, (first, last) in enumerate(((0, 7), (3, 6), (1, 7))):
        hours = np.arange(first * HOURS, last * HOURS)
        hours = hours[random.random(len(hours)) < (0.97, 0.9, 0.82)[series]]
        if series == 2:
            hours = hours[(hours < 3 * HOURS) | (hours >= 5 * HOURS)]
        parts.append((np.full(len(hours), series), hours))
    rows = np.concatenate([part[0] for part in parts])
    hours = np.concatenate([part[1] for part in parts])
    return (
        rows,
        MONDAY + hours // 24,
        hours % 24 * 60,
        random.standard_normal(len(rows)),
        random.random(len(rows)) < 0.9,
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), cuts=st.sets(st.integers(0, 7 * HOURS), max_size=12))
def test_however_the_bars_are_cut_the_outcome_is_the_same_to_the_last_bit(seed: int, cuts: set[int]) -> None:
    rows, session, minute, log_range, learns = market(seed)
    whole, parts = new_weekly(np.full(3, HOURS)), new_weekly(np.full(3, HOURS))
    usual, weeks = follow(whole, rows, session, minute, log_range, learns)
    time = (session - MONDAY) * 24 + minute // 60
    again, again_weeks = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), 7 * HOURS], strict=True):
        piece = np.flatnonzero((time >= begin) & (time < end))
        told = follow(parts, rows[piece], session[piece], minute[piece], log_range[piece], learns[piece])
        again[piece], again_weeks[piece] = told
    np.testing.assert_array_equal(again, usual)
    np.testing.assert_array_equal(again_weeks, weeks)
    assert_same(parts, whole)


def test_series_by_themselves_are_what_they_are_together() -> None:
    rows, session, minute, log_range, learns = market(6)
    together = new_weekly(np.full(3, HOURS))
    follow(together, rows, session, minute, log_range, learns)
    apart = new_weekly(np.empty(0, np.int64))
    for series in range(3):
        apart.grow(np.array([HOURS]))
        own = rows == series
        one = apart.take(np.array([series]))
        zeros = np.zeros(own.sum(), np.int64)
        follow(one, zeros, session[own], minute[own], log_range[own], learns[own])
        apart.put(np.array([series]), one)
    assert_same(apart, together)


def assert_same(one: Weekly, other: Weekly) -> None:
    for column in fields(Weekly):
        np.testing.assert_array_equal(getattr(one, column.name), getattr(other, column.name))
