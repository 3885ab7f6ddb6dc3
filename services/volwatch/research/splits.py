"""Suspected splits in a file of prices: told on standard error, and taken out of the prices if that is asked for."""

import argparse
import sys

import numpy as np
import numpy.typing as npt
import pandas as pd

from volwatch.analytics import splits
from volwatch.analytics.trades import Bool, Float64

HELP = """\
splits: a row whose open is at 1/k of the close before it (within 1 % of ln k; k in 2, 3, 4, 5, 7, 10, 20 and their
inverses) is a suspected split and named on standard error. The return over it never enters: that term is missing. Or
--adjust-splits divides the earlier prices by k.
"""
_SHOWN = 10


def add_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--adjust-splits``."""
    parser.add_argument("--adjust-splits", action="store_true", help="divide the prices before a suspected split by k")


def without_splits(
    prices: dict[str, Float64], labels: pd.Series, *, adjust: bool, tool: str
) -> tuple[dict[str, Float64], Bool]:
    """Return prices, and the rows over whose beginning no return can be taken, shape (n,).

    Parameters
    ----------
    prices : dict of float64, shape (n,)
        With ``open`` and ``close``; NaN where a price is not valid.
    labels : Series
        Dates or times of the rows, to name them.
    adjust : bool
        Adjust the prices: then every return can be taken.
    """
    previous = np.append(np.nan, prices["close"][:-1])
    factors = splits.detect(previous, prices["open"])
    rows = np.flatnonzero(factors != 1.0)
    if not len(rows):
        return prices, factors != 1.0
    _tell(tool, rows, factors[rows], labels, adjust=adjust)
    if adjust:
        return splits.adjust(prices, rows, factors[rows]), np.zeros(len(factors), np.bool_)
    return prices, factors != 1.0


def _tell(tool: str, rows: npt.NDArray[np.intp], factors: Float64, labels: pd.Series, *, adjust: bool) -> None:
    named = [
        f"{labels.iloc[row]} ({_ratio(factor)})"
        for row, factor in zip(rows[:_SHOWN].tolist(), factors[:_SHOWN].tolist(), strict=True)
    ]
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    done = "earlier prices are adjusted" if adjust else "the return over each is left out (or --adjust-splits)"
    sys.stderr.write(f"volwatch {tool}: suspected splits: {', '.join(named)}{more}; {done}\n")


def _ratio(factor: float) -> str:
    return f"{factor:.0f}:1" if factor > 1 else f"1:{1 / factor:.0f}"
