"""What is usual at each bar's time of day, and what the bars teach of it: the profiles of many series, session by
session. The algebra is ``seasonality``'s.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volwatch.analytics import seasonality
from volwatch.analytics.groups import Groups
from volwatch.analytics.placing import Placed
from volwatch.analytics.state import Season
from volwatch.analytics.trades import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Usual:
    """The profile at each bar, shape (n,), 0 where there is none, and the number of sessions behind it."""

    profile: Float64
    days: Int64


def follow(season: Season, groups: Groups, bars: Placed, turns: Bool, learns: Bool, log_range: Float64) -> Usual:
    """Return what is usual at bars ordered by (series, start); the season moves on (in place) to after them.

    Bars of a market that is open around the clock have no daily profile: 0.

    Parameters
    ----------
    season : Season
        Of the k series that occur, in the order of ``groups``.
    turns : bool, shape (n,)
        The first bar of a session: yesterday is filed, and the profile made anew. Only sessions before today's count.
    learns : bool, shape (n,)
        Bars that teach.
    """
    slot, seasonal = groups.slot, ~bars.continuous
    standard = seasonality.standard_minute(bars.place.minute, bars.place.minutes_left, bars.session_minutes)
    bins = seasonality.bin_of(standard)
    turned = np.cumsum(turns & seasonal)
    ordinal = turned - np.append(0, turned)[groups.heads][slot]
    learns = learns & seasonal
    profile, days = np.zeros(groups.rows), np.zeros(groups.rows, np.int64)
    # Session by session: a profile is of the sessions before it, and some of these may be in the same call.
    for number in range(int(ordinal.min(initial=0)), int(ordinal.max(initial=0)) + 1):
        rows = np.flatnonzero((ordinal == number) & seasonal)
        _turn(season, slot[rows[turns[rows]]])
        profile[rows], days[rows] = season.profile[slot[rows], bins[rows]], season.days[slot[rows]]
        taught = rows[learns[rows]]
        season.today[slot[taught], standard[taught]] = log_range[taught]
    return Usual(profile, days)


def _turn(season: Season, who: npt.NDArray[np.intp]) -> None:
    """File the session that has ended of some series, and make the profile of the new one."""
    if len(who):
        season.past[who], season.days[who], season.profile[who] = seasonality.turn_sessions(
            season.today[who], season.past[who], season.days[who]
        )
        season.today[who] = np.nan
