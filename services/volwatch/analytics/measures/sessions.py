"""The measures of finished sessions, from the one-minute returns of one series. quant.md sections 2 and 4.2.

A minute without a bar holds the last price: sums of squares are none the worse for it, since the move arrives with the
next trade. What it would spoil, bipower variation and the jump test, is NULL where more than 5 % of returns are 0.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from volwatch.analytics import seasonality
from volwatch.analytics.config import min_obs
from volwatch.analytics.measures import jumps, realised
from volwatch.analytics.measures.measure import Measure, measure
from volwatch.analytics.measures.moments import autocorrelation
from volwatch.analytics.measures.periodicity import deseasonalised, learnt, weighted_standard_deviation
from volwatch.analytics.trades import Bool, Float64, Int64
from volwatch.analytics.volatility import DEFINED, INSUFFICIENT_DATA, TOO_FEW_TRADES, ZERO_VARIANCE, annual

PAST_SESSIONS = 20
"""Sessions before a session from which its periodicity is learnt."""
_STEP = realised.SAMPLING_MINUTES
_CLOSING_BINS = 60 // _STEP
_WINDOW_BARS = 1  # a session is one daily bar


@dataclass(frozen=True, slots=True)
class Grid:
    """One-minute log returns of a series' sessions, oldest first.

    Attributes
    ----------
    returns : float64, shape (d, M)
        0 where ``counts`` says that there was no bar, and behind the end of a short session.
    counts : bool, shape (d, M)
    lengths : int64, shape (d,)
        Minutes of each session.
    """

    returns: Float64
    counts: Bool
    lengths: Int64


def grid(session: Int64, minute: Int64, log_return: Float64, lengths: Int64) -> Grid:
    """Return the returns of bars, each of shape (n,), on the minutes of their sessions.

    Parameters
    ----------
    session : int64
        Index into ``lengths``.
    minute : int64
        Since the session's open.
    log_return : float64
        To the bar before, however long ago that was; NaN counts as no bar.
    """
    shape = (len(lengths), int(lengths.max(initial=0)))
    returns, counts = np.zeros(shape), np.zeros(shape, np.bool_)
    known = ~np.isnan(log_return)
    returns[session[known], minute[known]] = log_return[known]
    counts[session[known], minute[known]] = True
    return Grid(returns, counts, lengths)


def prior(session_minutes: int, continuous: bool) -> Float64:
    """Return the usual periodicity of the five-minute returns of a full session, by which sessions are judged that have
    no past: the U of an exchange, or level in a market that is open around the clock."""
    bins = session_minutes // _STEP
    if continuous:
        return np.ones(bins)
    usual = np.exp(seasonality.prior())
    return np.interp((np.arange(bins) + 0.5) / bins, (np.arange(len(usual)) + 0.5) / len(usual), usual)


def measure_sessions(
    held: Grid, wanted: Int64, overnight: Float64, usual: Float64, sessions_per_year: float
) -> list[Measure]:
    """Return the measures of some of the sessions; those before them tell their periodicity.

    ``rv``, ``bv``, ``medrv`` and ``rv_total`` are annual volatilities √(N·variance of the session); ``jump_z`` and
    ``jump_p`` the one-sided Huang–Tauchen test; ``rho1`` the first autocorrelation of one-minute returns.

    Parameters
    ----------
    wanted : int64, shape (w,)
        Rows of the grid, ascending.
    overnight : float64, shape (w,)
        ln(O/C of the session before); 0 where the market never closes, NaN where unknown.
    usual : float64, shape (bins,)
        The ``prior`` of their market.
    sessions_per_year : float
        N.
    """
    seasons = past_periodicity(held, wanted, usual)
    lengths = held.lengths[wanted]
    parts: list[list[Measure]] = []
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        returns, counts = held.returns[wanted[rows], :length], held.counts[wanted[rows], :length]
        season = seasons[rows][:, _bins(length, len(usual))]
        made = _measures(returns, counts, season, overnight[rows], sessions_per_year)
        parts.append([one.at(rows, len(wanted)) for one in made])
    return [reduce(Measure.plus, same) for same in zip(*parts, strict=True)]


def _bins(length: int, bins: int) -> Int64:
    """Return which bin of a full session each five-minute return of a session compares with: by the time from the
    open; in the last hour of a short session by that to the close, as in the detector's own profile."""
    own = length // _STEP
    begun = np.arange(own, dtype=np.int64)
    closing = (own < bins) & (own - begun <= _CLOSING_BINS)
    return np.clip(np.where(closing, bins - own + begun, begun), 0, bins - 1)


def past_periodicity(held: Grid, wanted: Int64, usual: Float64) -> Float64:
    """Return the periodicity of five-minute returns, shape (w, bins), that was known before each wanted session: WSD of
    the full ones among the last ``PAST_SESSIONS``, smoothed and drawn towards the prior."""
    minutes = len(usual) * _STEP
    full = (held.lengths // _STEP == len(usual)) & (held.counts.sum(axis=1) >= min_obs(minutes))
    places = wanted[:, None] + np.arange(-PAST_SESSIONS, 0)
    known = (places >= 0) & full[np.maximum(places, 0)]
    longer = np.zeros((len(full), len(usual)))
    if full.any():
        longer[full] = realised.aggregated(held.returns[full, :minutes], _STEP)
    # A session of zeros has no bipower variation, and so no say.
    past = np.where(known[:, :, None], longer[np.maximum(places, 0)], 0.0)
    return learnt(weighted_standard_deviation(past), usual, known.sum(axis=1))


def _measures(
    returns: Float64, counts: Bool, season: Float64, overnight: Float64, sessions_per_year: float
) -> list[Measure]:
    """Return the measures of sessions of one length; half of its minutes must have a bar."""
    longer = realised.aggregated(returns, _STEP)
    bars, n_obs = counts.sum(axis=1), np.full(len(returns), longer.shape[1], np.int64)
    few = (bars < min_obs(returns.shape[1])) | (n_obs < min_obs(0))
    idle = (longer == 0).mean(axis=1) > jumps.MAX_ZERO_SHARE
    year = np.full(len(returns), sessions_per_year)
    variance = realised.subsampled_variance(returns)
    total = realised.total_volatility(variance, overnight, sessions_per_year)
    bipower, median = realised.bipower_variance(longer), realised.median_variance(longer)
    rho1 = autocorrelation(returns, counts)[:, 0]
    test = realised.jump_test(deseasonalised(longer, season))
    untested = np.where(few, INSUFFICIENT_DATA, test.reason).astype(np.int8)
    return [
        measure("rv", _WINDOW_BARS, annual(variance, year), _reasons((few, INSUFFICIENT_DATA)), bars),
        measure("rv_total", _WINDOW_BARS, total, _reasons((few | np.isnan(overnight), INSUFFICIENT_DATA)), bars),
        measure("rho1", _WINDOW_BARS, rho1, _reasons((few, INSUFFICIENT_DATA), (np.isnan(rho1), ZERO_VARIANCE)), bars),
        measure(
            "bv",
            _WINDOW_BARS,
            annual(bipower, year),
            _reasons((few, INSUFFICIENT_DATA), (idle, TOO_FEW_TRADES)),
            n_obs,
        ),
        measure("medrv", _WINDOW_BARS, annual(median, year), _reasons((few, INSUFFICIENT_DATA)), n_obs),
        measure("jump_z", _WINDOW_BARS, test.z, untested, n_obs),
        measure("jump_p", _WINDOW_BARS, test.p, untested, n_obs),
    ]


def _reasons(*cases: tuple[Bool, int]) -> npt.NDArray[np.int8]:
    """Return the code of the first case that holds in each row."""
    return np.select([case for case, _ in cases], [code for _, code in cases], DEFINED).astype(np.int8)
