"""The usual shape of a day: by hand, on a half day, and never from what is not past yet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.unit.analytics.made import CONFIG, advance_final, bars, made_state, noise
from volwatch.analytics.calendars import MINUTE_MS, calendar_named
from volwatch.analytics.seasonality import (
    BINS,
    SESSION_MINUTES,
    SESSIONS,
    bin_of,
    prior,
    profile,
    session_deviation,
    standard_minute,
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
