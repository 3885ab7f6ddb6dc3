"""Profiles of many series over sessions: what is usual at a bar, and what the bars teach."""

import numpy as np

from tests.unit.analytics.one_series import profile, session_deviation
from volwatch.analytics import season, seasonality
from volwatch.analytics.calendars import Placement
from volwatch.analytics.groups import Groups, grouped
from volwatch.analytics.placing import Placed
from volwatch.analytics.season import Usual
from volwatch.analytics.state import Season
from volwatch.analytics.trades import Bool, Float64, Int64

MINUTES = seasonality.SESSION_MINUTES


def fresh(series: int) -> Season:
    return Season(
        np.full((series, MINUTES), np.nan),
        np.full((series, seasonality.SESSIONS, seasonality.BINS), np.nan),
        np.zeros(series, np.int64),
        np.tile(seasonality.prior(), (series, 1)),
    )


def sessions(count: int, seed: int) -> tuple[Int64, Bool, Float64]:
    """Return minute, whether it is the first, and log range of the bars of some full sessions of one series."""
    minute = np.tile(np.arange(MINUTES), count)
    return minute, minute == 0, np.random.Generator(np.random.PCG64(seed)).normal(-7, 0.3, len(minute))


def follow(held: Season, groups: Groups, minute: Int64, turns: Bool, log_range: Float64, *, seasonal: bool) -> Usual:
    n = len(minute)
    zero = np.zeros(n, np.int64)
    place = Placement(np.ones(n, np.int8), zero, zero, minute, MINUTES - minute)
    bars = Placed(place, np.full(n, not seasonal), np.full(n, MINUTES))
    return season.follow(held, groups, bars, turns, np.ones(n, np.bool_), log_range)


def test_only_sessions_before_todays_are_in_todays_profile() -> None:
    """The first session has the prior whatever happens in it; the second has what the first taught, to its end."""
    minute, turns, log_range = sessions(2, 1)
    groups = grouped(np.zeros(2 * MINUTES, np.int64))
    quiet = follow(fresh(1), groups, minute, turns, log_range, seasonal=True)
    log_range[MINUTES:] += 5.0
    wild = follow(fresh(1), groups, minute, turns, log_range, seasonal=True)
    assert quiet.profile.tobytes() == wild.profile.tobytes()
    bins = seasonality.bin_of(np.arange(MINUTES))
    assert quiet.profile[:MINUTES].tolist() == seasonality.prior()[bins].tolist()
    learnt = profile(session_deviation(log_range[:MINUTES], bins)[None, :])
    np.testing.assert_allclose(quiet.profile[MINUTES:], learnt[bins], rtol=1e-12)
    assert (quiet.days[0], quiet.days[-1]) == (0, 1)


def test_sessions_one_by_one_teach_what_they_teach_at_once() -> None:
    minute, turns, log_range = sessions(4, 2)
    at_once, held, profiles = fresh(1), fresh(1), []
    whole = follow(at_once, grouped(np.zeros(4 * MINUTES, np.int64)), minute, turns, log_range, seasonal=True)
    for cut in np.array_split(np.arange(4 * MINUTES), 7):
        groups = grouped(np.zeros(len(cut), np.int64))
        part = follow(held, groups, minute[cut], turns[cut], log_range[cut], seasonal=True)
        profiles.append(part.profile)
    assert np.concatenate(profiles).tobytes() == whole.profile.tobytes()
    for name in ("today", "past", "days", "profile"):
        assert getattr(held, name).tobytes() == getattr(at_once, name).tobytes()


def test_a_market_that_never_closes_has_no_daily_profile() -> None:
    minute, turns, log_range = sessions(2, 3)
    held = fresh(1)
    usual = follow(held, grouped(np.zeros(2 * MINUTES, np.int64)), minute, turns, log_range, seasonal=False)
    assert not usual.profile.any()
    assert not usual.days.any()
    assert np.isnan(held.today).all()
