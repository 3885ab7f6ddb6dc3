"""``volwatch realised``: realised variance and jumps of the intraday returns in a file, day by day."""

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics.measures.realised import DayMeasures, day_measures
from volwatch.analytics.trades import Float64, Int64
from volwatch.errors import BadInput
from volwatch.research.options import Faults
from volwatch.research.progress import progress
from volwatch.research.reasons import named, told
from volwatch.research.tables import output_faults, read_table, times_of, write_table

INTERVALS = (1, 5)
MEASURES = ("rv", "bv", "medrv", "tpq", "jump_z", "jump_p")

_DESCRIPTION = """\
Realised variance and a test for jumps, of the n log returns r of each day; a variance of the DAY, not annualised (the
volatility of a year of 252 such days is √(252 · rv)):
  rv       Σr²                                                        Andersen & Bollerslev 1998
  bv       π/2 · Σ|r_i||r_{i−1}|, without n/(n−1)                     Barndorff-Nielsen & Shephard 2004
  medrv    π/(6−4√3+π) · n/(n−2) · Σ med(|r_{i−1}|,|r_i|,|r_{i+1}|)²  Andersen, Dobrev & Schaumburg 2012
  tpq      n · n/(n−2) · μ^{−3} · Σ|r_i r_{i−1} r_{i−2}|^{4/3}        μ = 2^{2/3} Γ(7/6)/Γ(1/2); a variance squared
  jump_z   (1 − bv/rv)/√((π²/4+π−5)/n · max(1, tpq/bv²))              Huang & Tauchen 2005, JFEc 3:456
  jump_p   1 − Φ(jump_z), ONE-sided: jumps only add to rv
bv and medrv are the variance without its jumps; medrv stands zeros and one bad bar better.
"""

_EPILOG = """\
in: day, minute (whole number), log_return; or ts_utc (ISO), log_return, with days and minutes of UTC. In order of time;
other columns are ignored. What is missing has no row: never a return of 0.
out: day, the measures, n (returns of the day), null_reason (why jump_z and jump_p are NULL) and interval_minutes.

--interval 5 adds the returns of minutes 0 to 4, 5 to 9 … of each day before all else. Take 5 for the test: at one
minute it finds the bounce between bid and ask. The daily shape of volatility is not taken out: with a U-shape a test at
1 % rejects 4 to 7 % of days that did not jump.

jump_z and jump_p are NULL INSUFFICIENT_DATA for days of fewer than 40 returns, TOO_FEW_TRADES where more than 5 % of
them are 0, ZERO_VARIANCE where rv or bv is 0.

example:
  volwatch realised returns.csv --interval 5 -o realised.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("returns", type=Path, metavar="RETURNS.csv", help=".csv, .csv.gz or .parquet")
    parser.add_argument("--interval", default="1", metavar="1|5", help="minutes of a return (default 1: as given)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.csv", help="as the suffixes above")


def run(args: argparse.Namespace) -> int:
    """Write the measures of the days; return 0."""
    faults = Faults()
    if args.interval not in [str(minutes) for minutes in INTERVALS]:
        faults.found.append(f"--interval: 1 or 5 minutes, not {args.interval!r}")
    faults.found += output_faults(args.output, args.returns)
    with faults.gathering():
        frame = read_table(args.returns, ("day|ts_utc", "log_return"), ("minute",), numbers=("log_return", "minute"))
        days, minutes = _times(frame, args.returns)
        _must_be_finite(frame, args.returns)
    faults.tell()
    interval = int(args.interval)
    made = measured(days, minutes, frame["log_return"].to_numpy(np.float64), interval)
    reason = made["null_reason"].to_numpy(np.int8)
    made["null_reason"], made["interval_minutes"] = named(reason), interval
    write_table(made, args.output)
    sys.stderr.write(f"volwatch realised: {len(frame):,} rows, {len(made):,} days; jump test {told(reason)}\n")
    return 0


def measured(days: npt.NDArray[np.object_], minutes: Int64, returns: Float64, interval: int) -> pd.DataFrame:
    """Return the measures of each day, ``null_reason`` as a code.

    Parameters
    ----------
    days, minutes, returns : shape (n,)
        In order of time; the rows of a day stand together.
    interval : int
        Minutes whose returns are added before all else.
    """
    place = minutes // interval
    begins = np.append(True, days[1:] != days[:-1])
    starts = np.flatnonzero(begins | np.append(True, place[1:] != place[:-1]))
    sums = np.add.reduceat(returns, starts)
    heads = np.flatnonzero(begins[starts])
    ends = np.append(heads[1:], len(sums))
    rows = [
        _row(days[starts[head]], day_measures(sums[head:end]))
        for head, end in progress(list(zip(heads.tolist(), ends.tolist(), strict=True)), "measuring days")
    ]
    return pd.DataFrame(rows)


def _row(day: str, found: DayMeasures) -> dict[str, object]:
    return {"day": day, **{name: getattr(found, name) for name in MEASURES}, "n": found.n, "null_reason": found.reason}


def _times(frame: pd.DataFrame, path: Path) -> tuple[npt.NDArray[np.object_], Int64]:
    """Return day and minute of each row.

    Raises
    ------
    BadInput
        The rows are not in order of time, or one is there twice.
    """
    if "ts_utc" in frame:
        times = times_of(frame, "ts_utc", path)
        minute = (times.dt.hour * 60 + times.dt.minute).to_numpy(np.int64)
        return times.dt.strftime("%Y-%m-%d").to_numpy(object), minute
    if "minute" not in frame:
        raise BadInput([f"{path} has no column 'minute' beside 'day'"])
    days, minutes = frame["day"].to_numpy(object), frame["minute"].to_numpy(np.float64)
    begins = np.append(True, days[1:] != days[:-1])
    step = np.append(np.inf, np.diff(minutes))
    checks = {
        "is no whole minute": ~(minutes == np.rint(minutes)),
        "is there twice": ~begins & (step == 0),
        "is before that of the row above": ~begins & (step < 0),
    }
    faults = [
        f"{path} row {row + 1}: minute {minutes[row]:g} of day {days[row]!r} {what}" for row, what in _firsts(checks)
    ]
    faults += _day_faults(frame["day"][begins], path)
    if faults:
        raise BadInput(faults)
    return days, minutes.astype(np.int64)


def _day_faults(days: pd.Series, path: Path) -> list[str]:
    """Return what is wrong with the days in the order in which they begin; numbers and ISO dates must ascend."""
    order = pd.to_numeric(days, errors="coerce")
    if order.isna().any():
        order = pd.to_datetime(days, errors="coerce", format="ISO8601", utc=True).astype("int64")
    checks = {
        "comes again: its rows do not stand together": days.duplicated().to_numpy(),
        "is before that of the rows above": (order.diff() < 0).to_numpy(),
    }
    return [f"{path} row {days.index[place] + 1}: day {days.iloc[place]!r} {what}" for place, what in _firsts(checks)]


def _firsts(checks: dict[str, npt.NDArray[np.bool_]]) -> list[tuple[int, str]]:
    return [(int(wrong.argmax()), what) for what, wrong in checks.items() if wrong.any()]


def _must_be_finite(frame: pd.DataFrame, path: Path) -> None:
    wrong = ~np.isfinite(frame["log_return"].to_numpy(np.float64))
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInput([f"{path} row {row + 1}: log_return is missing or not finite: leave such rows out"])
