"""How agitated the market is: volatility against its usual value at that time of day, over all series at once.

A ratio of 1 is usual, 2 is twice the usual range of a bar. Pure functions of frames.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from dashboard import wording

LOW_SHARE, HIGH_SHARE = 0.1, 0.9
_HOUR = timedelta(hours=1)


def pulse_now(table: pd.DataFrame) -> float | None:
    """Return the median ratio of the series whose data is of now; None where there is none.

    Parameters
    ----------
    table : DataFrame
        As of ``overview.overview_table``: columns ``state`` and ``ratio``.
    """
    of_now = table.loc[~table["state"].isin(wording.NOT_OF_NOW), "ratio"].dropna()
    return None if of_now.empty else float(of_now.median())


def hours_until(end: datetime, length: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the hours of the clock in which the time before the minute of ``end`` lies: all whole but the last."""
    end = end.replace(second=0, microsecond=0)
    starts = [(end - length).replace(minute=0, second=0, microsecond=0)]
    while starts[-1] + _HOUR < end:
        starts.append(starts[-1] + _HOUR)
    return [(start, min(start + _HOUR, end)) for start in starts]


def pulse_by_time(ratios: pd.DataFrame) -> pd.DataFrame:
    """Return, for each time, how many series there are, the median of their ratios, and what the middle 80 % reach.

    Parameters
    ----------
    ratios : DataFrame
        Columns ``bin_start`` and ``ratio``, one row per series and time.
    """
    by_time = ratios.groupby("bin_start")["ratio"]
    return pd.DataFrame(
        {
            "series": by_time.count(),
            "low": by_time.quantile(LOW_SHARE),
            "median": by_time.median(),
            "high": by_time.quantile(HIGH_SHARE),
        }
    ).reset_index()


def heat_table(ratios: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return ratios by series (rows) and time (columns): those that were the most unusual of late, the hottest first.

    A time at which a series had no bar is NaN.
    """
    labels = series_labels(ratios)
    table = ratios.assign(label=labels).pivot_table(index="label", columns="bin_start", values="ratio", sort=True)
    recent = np.log(table.iloc[:, -6:]).mean(axis=1)
    return table.reindex(recent.sort_values(ascending=False, na_position="last").index[:most])


def series_labels(rows: pd.DataFrame) -> "pd.Series[str]":
    """Return a name for the series of each row: the symbol, with its source where there are several sources."""
    symbols: pd.Series[str] = rows["symbol"].astype("str")
    return symbols if rows["source"].nunique() < 2 else symbols + " · " + rows["source"].astype("str")


def feed_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per source: how many series it has, how they stand, and the age of its newest trade.

    Parameters
    ----------
    table : DataFrame
        As of ``overview.overview_table``.
    """
    rows = [
        {
            "source": source,
            "health": _health(of_source["state"]),
            "newest": f"{wording.age_text(of_source['age_seconds'].min())} ago",
            "series": len(of_source),
            **{name: int(of_source["state"].isin(states).sum()) for name, states in _COUNTED.items()},
        }
        for source, of_source in table.groupby("source", sort=True)
    ]
    return pd.DataFrame(rows, columns=["source", "health", "newest", "series", *_COUNTED])


_COUNTED = {
    "live": (wording.CALM, wording.ALERT, wording.ESCALATED),
    "warming": (wording.WARM_UP,),
    "stale": (wording.STALE,),
    "halted": (wording.HALTED,),
    "closed": (wording.CLOSED,),
}


def _health(states: "pd.Series[str]") -> str:
    """Return in words how a feed fares: closed markets are no fault of it."""
    open_now = states[states != wording.CLOSED]
    silent = open_now.isin((wording.STALE, wording.HALTED)).sum()
    if open_now.empty:
        return "market closed"
    if silent == len(open_now):
        return "SILENT: check the producer and its connection"
    return "healthy" if silent == 0 else f"{silent} of {len(open_now)} series silent"
