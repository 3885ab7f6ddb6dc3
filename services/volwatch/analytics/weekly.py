"""The usual shape of volatility over a week, in markets that are open around the clock for days on end.

quant.md section 2, as ``seasonality`` does it for the sessions of an exchange: the log range by the hour of the week;
the median over past weeks of (hour mean − week median), smoothed round the week, centred, and shrunk to a prior of 0.
Only complete weeks before the current one count, and nothing is said before there are four.

A week's median is that of its hour means, so that an hour needs no more than a sum and a count. An hour of the week is
seen once a week, as a bin of a session is once a day; and since volatility stays what it is for hours, its sixty bars
are one look at it and not six. So the weight of what was learnt, D/(D + 4), counts D in weeks.
"""

from dataclasses import dataclass, fields

import numpy as np

from volwatch.analytics.seasonality import median_of_known
from volwatch.analytics.trades import Bool, Float64, Int64

HOURS = 168
WEEKS = 8
LEAST_WEEKS = 4
SHRINK_WEEKS = 4
COMPLETE_SHARE = 0.8
"""Share of a market's open hours that must have a bar in a complete week."""

_MINUTES_PER_HOUR = 60
_HOURS_PER_DAY = 24


@dataclass(slots=True)
class Weekly:
    """What the weekly profiles of s series are learnt from; columns of shape (s, …).

    Attributes
    ----------
    open_hours : int64, shape (s,)
        Hours of a week in which the market is open: 168, or 120 for currencies.
    week : int64, shape (s,)
        The current week; -1 before the first bar.
    total, count : float64 and int64, shape (s, HOURS)
        Sum and number of the log ranges of each hour of the current week.
    past : float64, shape (s, WEEKS, HOURS)
        Deviations of the complete weeks before, the newest last; NaN in hours without a bar.
    weeks : int64, shape (s,)
        How many complete weeks of the past there are.
    profile : float64, shape (s, HOURS)
        What follows from them.
    """

    open_hours: Int64
    week: Int64
    total: Float64
    count: Int64
    past: Float64
    weeks: Int64
    profile: Float64

    def grow(self, open_hours: Int64) -> None:
        """Make room for more series."""
        fresh = new_weekly(open_hours)
        for column in fields(self):
            setattr(self, column.name, np.concatenate([getattr(self, column.name), getattr(fresh, column.name)]))

    def take(self, rows: Int64) -> "Weekly":
        """Return a copy of some series."""
        return Weekly(*(getattr(self, column.name)[rows] for column in fields(self)))

    def put(self, rows: Int64, weekly: "Weekly") -> None:
        """Set some series."""
        for column in fields(self):
            getattr(self, column.name)[rows] = getattr(weekly, column.name)


def new_weekly(open_hours: Int64) -> Weekly:
    """Return series that have seen nothing."""
    series = len(open_hours)
    return Weekly(
        open_hours=open_hours.copy(),
        week=np.full(series, -1, np.int64),
        total=np.zeros((series, HOURS)),
        count=np.zeros((series, HOURS), np.int64),
        past=np.full((series, WEEKS, HOURS), np.nan),
        weeks=np.zeros(series, np.int64),
        profile=np.zeros((series, HOURS)),
    )


def open_hours(calendar_name: str) -> int:
    """Return the hours of a week in which a market is open: all, or those of five days."""
    return HOURS if calendar_name == "24/7" else 5 * _HOURS_PER_DAY


def week_of(session: Int64) -> Int64:
    """Return the week, from Monday to Sunday, of sessions given as days since 1970-01-01, which was a Thursday."""
    return (session + 3) // 7


def hour_of_week(session: Int64, minute: Int64) -> Int64:
    """Return the hour of the week of bars, given their session and their minute in it.

    Sessions of currencies begin at 17:00 in New York, so the hours move with the clocks there, as the market does.
    """
    return (session + 3) % 7 * _HOURS_PER_DAY + minute // _MINUTES_PER_HOUR


def follow(
    weekly: Weekly, rows: Int64, session: Int64, minute: Int64, log_range: Float64, learns: Bool
) -> tuple[Float64, Int64]:
    """Return what is usual at bars, and the weeks behind it, each of shape (n,); learn from the bars, in place.

    Parameters
    ----------
    rows : int64, shape (n,)
        The place of each bar's series in ``weekly``; a series' bars in their order.
    session, minute : int64, shape (n,)
        As in ``calendars.Placement``.
    learns : bool, shape (n,)
        Bars that teach; others still turn the week.
    """
    week, hour = week_of(session), hour_of_week(session, minute)
    usual, weeks = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    left = np.arange(len(rows))
    while len(left):
        # Of each series the bars of its current week; those of later ones when it has turned.
        now = left[week[left] == weekly.week[rows[left]]]
        usual[now], weeks[now] = weekly.profile[rows[now], hour[now]], weekly.weeks[rows[now]]
        taught = now[learns[now]]
        learn(weekly, rows[taught], hour[taught], log_range[taught])
        left = left[week[left] > weekly.week[rows[left]]]
        turn(weekly, rows[left], week[left])
    return usual, weeks


def learn(weekly: Weekly, rows: Int64, hour: Int64, log_range: Float64) -> None:
    """Add bars to the current weeks of their series, in place. A series' bars are added in their order."""
    np.add.at(weekly.total, (rows, hour), log_range)
    np.add.at(weekly.count, (rows, hour), 1)


def turn(weekly: Weekly, rows: Int64, week: Int64) -> None:
    """File the weeks that have ended, where the next bar of a series is of a later one, and make its profile anew.

    Parameters
    ----------
    rows : int64, shape (n,)
        Series; where one is repeated its first entry decides.
    week : int64, shape (n,)
        Of their next bars, by ``week_of``.
    """
    late = np.flatnonzero(week > weekly.week[rows])
    if not len(late):
        return
    who, first = np.unique(rows[late], return_index=True)
    _file(weekly, who[_is_complete(weekly, who)])
    weekly.week[who] = week[late[first]]
    weekly.total[who] = 0.0
    weekly.count[who] = 0


def _is_complete(weekly: Weekly, who: Int64) -> Bool:
    seen = np.count_nonzero(weekly.count[who], axis=1)
    complete: Bool = seen >= COMPLETE_SHARE * weekly.open_hours[who]
    return complete


def _file(weekly: Weekly, who: Int64) -> None:
    total, count = weekly.total[who], weekly.count[who]
    with np.errstate(invalid="ignore"):
        mean = total / count
    deviation = mean - median_of_known(mean)[:, None]
    past = np.concatenate([weekly.past[who, 1:], deviation[:, None]], axis=1)
    weekly.past[who] = past
    weekly.weeks[who] = np.minimum(weekly.weeks[who] + 1, WEEKS)
    weekly.profile[who] = profiles(past, weekly.weeks[who])


def profiles(past: Float64, weeks: Int64) -> Float64:
    """Return the profiles of k series, shape (k, HOURS), from the deviations of their past weeks.

    Parameters
    ----------
    past : float64, shape (k, WEEKS, HOURS)
    weeks : int64, shape (k,)
        How many of them there are, at the end.
    """
    typical = median_of_known(np.ascontiguousarray(past.transpose(0, 2, 1)))
    seen = ~np.isnan(typical)
    middle = np.where(seen, typical, 0.0)
    # The week is a ring; where the market is closed beside an hour, the hour itself stands in.
    before, after = (np.where(np.roll(seen, step, 1), np.roll(middle, step, 1), middle) for step in (1, -1))
    smooth = np.where(seen, 0.25 * before + 0.5 * middle + 0.25 * after, 0.0)
    level = smooth.sum(axis=1) / np.maximum(np.count_nonzero(seen, axis=1), 1)
    weight = np.where(weeks >= LEAST_WEEKS, weeks / (weeks + SHRINK_WEEKS), 0.0)
    return np.where(seen, weight[:, None] * (smooth - level[:, None]), 0.0)
