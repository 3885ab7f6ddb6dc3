"""How sure a score is: counts are of few events, so each number has its 95 % interval beside it."""

from typing import NamedTuple

from volwatch.market.scoring import Ratio, Tally

_TAIL = 0.025  # of each side of a 95 % interval


class Estimate(NamedTuple):
    """A number and its 95 % interval; all None where nothing was counted."""

    value: float | None
    low: float | None
    high: float | None


_NOTHING = Estimate(None, None, None)


def proportion(share: Ratio) -> Estimate:
    """Return a share with the exact binomial interval (Clopper & Pearson 1934, Biometrika 26:404)."""
    from scipy.stats import beta  # type: ignore[import-untyped]  # it has no types

    if not share.exposure:
        return _NOTHING
    failures = share.exposure - share.counted
    low = float(beta.ppf(_TAIL, share.counted, failures + 1)) if share.counted else 0.0
    high = float(beta.ppf(1 - _TAIL, share.counted + 1, failures)) if failures else 1.0
    return Estimate(share.value, low, high)


def rate(events: Ratio) -> Estimate:
    """Return a rate with the exact Poisson interval (Garwood 1936, Biometrika 28:437)."""
    from scipy.stats import chi2

    counted, exposure = events
    if not exposure:
        return _NOTHING
    low = float(chi2.ppf(_TAIL, 2 * counted)) / 2 if counted else 0.0
    high = float(chi2.ppf(1 - _TAIL, 2 * counted + 2)) / 2
    return Estimate(events.value, low / exposure, high / exposure)


def f1(tally: Tally) -> Estimate:
    """Return the harmonic mean 2J/(1+J) of precision and recall, J = hits/(events + false alarms): a proportion, and
    so its interval."""
    value, low, high = proportion(Ratio(tally.hits, tally.events + tally.false))
    if value is None or low is None or high is None:
        return _NOTHING
    return Estimate(2 * value / (1 + value), 2 * low / (1 + low), 2 * high / (1 + high))


def delay(tally: Tally, quantile: float) -> Estimate:
    """Return a quantile of the delays in minutes, with the interval between the order statistics whose ranks are the
    2.5 and 97.5 % points of the binomial of (n, quantile): free of any law of the values."""
    from scipy.stats import binom

    middle, ordered = tally.delay_minutes(quantile), sorted(tally.delays)
    if middle is None:
        return _NOTHING
    n = len(ordered)
    low, high = (int(binom.ppf(tail, n, quantile)) for tail in (_TAIL, 1 - _TAIL))
    return Estimate(middle, float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)]))
