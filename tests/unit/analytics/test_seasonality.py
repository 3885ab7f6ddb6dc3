"""The usual shape of a day: by hand, on a half day, and never from what is not past yet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.analytics.made import CONFIG, advance_final, bars, made_state, noise
from tests.unit.analytics.one_series import profile, session_deviation
from volwatch.analytics.calendars import MINUTE_MS, calendar_named
from volwatch.analytics.seasonality import (
    BINS,
    MIN_BARS,
    SESSION_MINUTES,
    SESSIONS,
    bin_of,
    median_of_known,
    prior,
    standard_minute,
    turn_sessions,
)
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Float64, Int64

NOVEMBER_2025 = ("2025-11-24", "2025-11-25", "2025-11-26", "2025-11-28", "2025-12-01")
HALF_DAY = 3


def bins_of(minute: int, minutes_left: int) -> int:
    return int(bin_of(standard_minute(np.array([minute]), np.array([minutes_left])))[0])


@pytest.mark.parametrize(("minute", "expected"), [(0, 0), (9, 0), (10, 1), (329, 32), (330, 33), (380, 38), (389, 38)])
def test_on_a_full_day_a_bin_is_ten_minutes_from_the_open(minute: int, expected: int) -> None:
    assert bins_of(minute, SESSION_MINUTES - minute) == expected


@pytest.mark.parametrize(("minute", "expected"), [(0, 0), (149, 14), (150, 33), (159, 33), (160, 34), (209, 38)])
def test_the_last_hour_of_a_half_day_is_that_of_any_day(minute: int, expected: int) -> None:
    assert bins_of(minute, 210 - minute) == expected


def test_the_prior_is_the_log_of_a_shape_of_mean_square_one() -> None:
    assert np.mean(np.exp(2 * prior())) == pytest.approx(1.0, rel=1e-14)
    t = (np.arange(39) + 0.5) / 39
    raw = 0.8 + 1.5 * np.exp(-t / 0.07) + 0.4 * np.exp(-(1 - t) / 0.06)
    assert np.ptp(prior() - np.log(raw)) < 1e-14
    assert int(np.argmin(prior())) == 22
    assert prior()[0] > prior()[-1] > prior()[19]


def test_a_sessions_deviation_is_its_bins_means_from_its_median() -> None:
    """Median of (1, 2, 3, 10) is 2.5."""
    deviation = session_deviation(np.array([1.0, 3.0, 2.0, 10.0]), np.array([0, 0, 1, 38]))
    expected = np.full(BINS, np.nan)
    expected[[0, 1, 38]] = [-0.5, -0.5, 7.5]
    np.testing.assert_array_equal(deviation, expected)


def test_without_a_past_session_the_profile_is_the_prior() -> None:
    assert profile(np.empty((0, BINS))).tolist() == prior().tolist()


def test_the_profile_by_hand() -> None:
    """One day with a hump of 1 in one bin: smoothed to ¼ ½ ¼, centred by 1/39, and weighed 1 to 4 with the prior."""
    day = np.zeros((1, BINS))
    day[0, 10] = 1.0
    smooth = np.zeros(BINS)
    smooth[9:12] = [0.25, 0.5, 0.25]
    np.testing.assert_allclose(profile(day), 0.2 * (smooth - 1 / 39) + 0.8 * prior(), rtol=0, atol=1e-15)


def test_one_strange_day_of_many_leaves_no_mark() -> None:
    days = np.tile(prior(), (5, 1))
    strange = days.copy()
    strange[2] += np.linspace(0, 9, BINS)
    np.testing.assert_array_equal(profile(strange), profile(days))


def test_a_bin_that_no_day_has_seen_is_the_priors() -> None:
    day = np.tile(prior(), (3, 1))
    unseen = day.copy()
    unseen[:, 20] = np.nan
    np.testing.assert_allclose(profile(unseen), profile(day), rtol=0, atol=1e-15)


@given(
    days=arrays(np.float64, st.tuples(st.integers(1, SESSIONS), st.just(BINS)), elements=st.floats(-3, 3)),
    shift=st.floats(-2, 2),
)
def test_the_level_of_the_days_does_not_matter(days: Float64, shift: float) -> None:
    np.testing.assert_allclose(profile(days + shift), profile(days), rtol=0, atol=1e-12)
    weight = len(days) / (len(days) + 4)
    assert profile(days).mean() == pytest.approx((1 - weight) * prior().mean(), abs=1e-12)


def holed(random: np.random.Generator, shape: tuple[int, ...], share: float) -> Float64:
    """Return normal numbers, a share of them NaN."""
    values: Float64 = random.standard_normal(shape)
    values[random.random(shape) < share] = np.nan
    return values


def turned(today: Float64, past: Float64, days: int) -> tuple[Float64, int, Float64]:
    """Return what ``turn_sessions`` promises of one series, from the functions of one session."""
    minutes = np.flatnonzero(~np.isnan(today))
    if len(minutes) >= MIN_BARS:
        past = np.concatenate([past[1:], [session_deviation(today[minutes], bin_of(minutes))]])
        days = min(days + 1, SESSIONS)
    return past, days, profile(past[SESSIONS - days :])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), series=st.integers(0, 6), share=st.sampled_from([0.0, 0.1, 0.9, 0.93, 1.0]))
def test_many_series_turn_as_one_does_to_the_last_bit(seed: int, series: int, share: float) -> None:
    random = np.random.Generator(np.random.PCG64(seed))
    today = holed(random, (series, SESSION_MINUTES), share)
    days = random.integers(0, SESSIONS + 1, series)
    past = holed(random, (series, SESSIONS, BINS), 0.1)
    past[np.arange(SESSIONS) < SESSIONS - days[:, None]] = np.nan
    given_arguments = today.copy(), past.copy(), days.copy()
    after, counts, profiles = turn_sessions(today, past, days)
    for row in range(series):
        expected = turned(given_arguments[0][row], given_arguments[1][row], int(given_arguments[2][row]))
        np.testing.assert_array_equal(after[row], expected[0])
        assert counts[row] == expected[1]
        np.testing.assert_array_equal(profiles[row], expected[2])
    for argument, before in zip((today, past, days), given_arguments, strict=True):
        np.testing.assert_array_equal(argument, before)


def test_a_session_of_a_bin_too_few_bars_is_not_filed_beside_one_that_is() -> None:
    today = np.full((2, SESSION_MINUTES), np.nan)
    today[0, : MIN_BARS - 1] = 1.0
    today[1, :MIN_BARS] = 1.0
    nothing = np.full((2, SESSIONS, BINS), np.nan)
    past, days, profiles = turn_sessions(today, nothing, np.zeros(2, np.int64))
    assert days.tolist() == [0, 1]
    assert np.isnan(past[0]).all()
    assert past[1, -1, :3].tolist() == [0.0] * 3
    assert profiles[0].tolist() == prior().tolist()


def test_twenty_sessions_weigh_five_to_one_with_the_prior_and_the_oldest_goes() -> None:
    """A past of flat sessions: the twenty-first pushes out the first, and the weight stays 20/24."""
    past = np.zeros((1, SESSIONS, BINS))
    past[0, 0, 10] = 50.0
    flat = np.ones((1, SESSION_MINUTES))
    after, days, profiles = turn_sessions(flat, past, np.array([SESSIONS]))
    assert (days.tolist(), after.any()) == ([SESSIONS], np.False_)
    np.testing.assert_allclose(profiles[0], prior() / 6, rtol=0, atol=1e-15)


@given(values=arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=st.floats(-9, 9)))
def test_the_median_of_what_is_known_is_that_of_the_library(values: Float64) -> None:
    values[values > 5] = np.nan
    known = ~np.isnan(values).all(axis=1)
    found = median_of_known(values)
    np.testing.assert_array_equal(found[known], np.nanmedian(values[known], axis=1))
    assert np.isnan(found[~known]).all()


@pytest.mark.parametrize(("full", "standard"), [(330, [0, 195, 388]), (390, [0, 195, 389]), (510, [0, 195, 389])])
def test_sessions_of_another_length_are_stretched_to_the_standard_one(full: int, standard: list[int]) -> None:
    """Tokyo, New York, London: 329·390/330 is 388.8."""
    minute = np.array([0, full // 2, full - 1])
    assert standard_minute(minute, full - minute, full).tolist() == standard


def test_the_last_hour_of_a_short_session_elsewhere_is_that_of_a_full_one() -> None:
    """London's half day of 270 minutes: its last minute compares with the 509th, and not with the 269th."""
    minute = np.array([0, 209, 210, 269])
    of_full = standard_minute(np.array([0, 209, 450, 509]), np.array([510, 301, 60, 1]), 510)
    assert standard_minute(minute, 270 - minute, 510).tolist() == of_full.tolist()


def session_starts(date: str) -> Int64:
    """Return the starts of the regular minutes of a session."""
    opened, closed = calendar_named("XNYS").session_bounds_ms(np.array([date], "datetime64[D]"))
    return np.arange(opened[0], closed[0], MINUTE_MS)


def after_days(ranges: dict[str, Float64]) -> EngineState:
    """Return the state after days whose bars have the log ranges given."""
    state = made_state("XNYS")
    for date, log_range in ranges.items():
        advance_final(state, bars(session_starts(date), spread=np.exp(log_range)))
    return state


def usual_days(count: int) -> dict[str, Float64]:
    dates = NOVEMBER_2025[:count]
    return {date: noise(index, len(session_starts(date)), scale=0.1) for index, date in enumerate(dates)}


def test_todays_bars_do_not_change_todays_profile_but_tomorrows() -> None:
    days = usual_days(2)
    wild = days | {NOVEMBER_2025[1]: days[NOVEMBER_2025[1]] + np.linspace(0, 3, SESSION_MINUTES)}
    calm_state, wild_state = after_days(days), after_days(wild)
    np.testing.assert_array_equal(calm_state.season.profile, wild_state.season.profile)
    assert calm_state.season.days.tolist() == [1]
    for state in (calm_state, wild_state):
        advance_final(state, bars(session_starts(NOVEMBER_2025[2])[:1]))
    assert calm_state.season.days.tolist() == [2]
    assert np.abs(calm_state.season.profile - wild_state.season.profile).max() > 0.05


def test_what_is_expected_of_a_bar_is_baseline_and_profile() -> None:
    state = made_state("XNYS")
    signals = advance_final(state, bars(session_starts(NOVEMBER_2025[0])[:60])).signals
    usual = np.repeat(prior()[:6], 10)
    steps = np.diff(signals.expected_log_range - usual)
    # The baseline moves by no more than gain · 3 scales per bar; the profile by what its bins say.
    assert np.abs(steps).max() < 3.0 / 2
    assert signals.expected_log_range[0] == pytest.approx(signals.log_range[0], abs=1e-14)


def test_the_profile_is_learnt_from_past_sessions_bin_by_bin() -> None:
    days = usual_days(3)
    state = after_days(days)
    bins = np.arange(SESSION_MINUTES) // 10
    kept = [days[date] for date in NOVEMBER_2025[:2]]
    expected = profile(np.stack([session_deviation(log_range, bins) for log_range in kept]))
    np.testing.assert_allclose(state.season.profile[0], expected, rtol=0, atol=1e-9)


def test_the_close_of_a_half_day_teaches_the_bins_of_a_close() -> None:
    """A session is filed under the bins by which its bars were judged."""
    humped = usual_days(4)
    humped[NOVEMBER_2025[HALF_DAY]][150:] += 2.0
    state = after_days(humped)
    advance_final(state, bars(session_starts(NOVEMBER_2025[4])[:1]))
    filed = state.season.past[0, -1]
    assert np.isnan(filed[15:33]).all()
    assert filed[33:].min() > filed[:15].max() + 1.0


def test_a_session_of_few_bars_teaches_nothing() -> None:
    state = made_state("XNYS")
    for date in NOVEMBER_2025[:2]:
        advance_final(state, bars(session_starts(date)[:29]))
    assert (state.season.days.tolist(), state.season.profile[0].tolist()) == ([0], prior().tolist())


def test_no_more_than_the_last_sessions_are_kept() -> None:
    held = calendar_named("XNYS")
    dates = held.days[np.searchsorted(held.days, 20_000) :][: SESSIONS + 3].astype("datetime64[D]").astype(str)
    state = made_state("XNYS", config=CONFIG)
    table = bars(np.concatenate([session_starts(date)[:40] for date in dates]))
    advance_final(state, table)
    assert state.season.days.tolist() == [SESSIONS]


def test_a_market_that_never_closes_has_no_profile() -> None:
    state = made_state("24/7")
    signals = advance_final(state, bars(session_starts(NOVEMBER_2025[0])[:30])).signals
    np.testing.assert_allclose(signals.expected_log_range, signals.log_range, rtol=0, atol=1e-12)
    assert np.isnan(state.season.today).all()
