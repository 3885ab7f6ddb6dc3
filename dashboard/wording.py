"""The dashboard's words: ages, names of estimators, what a missing value means, the state of a series."""

import pandas as pd

from dashboard.risk import FAR, Spread
from volwatch.warehouse.readings import Freshness

ESTIMATOR_NAMES = {
    "cc": "Close-to-close",
    "cc0": "Close-to-close, zero mean",
    "parkinson": "Parkinson",
    "garman-klass": "Garman–Klass",
    "gk-yang-zhang": "Garman–Klass with opening jump",
    "rogers-satchell": "Rogers–Satchell",
    "yang-zhang": "Yang–Zhang",
    "ewma": "EWMA",
    "sharpe": "Sharpe ratio",
}

REASONS = {
    "INSUFFICIENT_DATA": "too few bars yet: the window is still filling",
    "ZERO_VARIANCE": "the price did not move in the window",
    "TOO_FEW_TRADES": "too few trades per bar for a range estimator",
    "STALE": "no trade arrived for too long",
    "HALTED": "trading was halted",
    "INVALID_OHLC": "a bar's prices contradict each other",
}

CALM, WARM_UP, STALE, ALERT, ESCALATED = "CALM", "WARM-UP", "STALE", "ALERT", "ESCALATED"
HALTED, CLOSED = "HALTED", "CLOSED"
NOT_OF_NOW = (STALE, HALTED, CLOSED)
"""States of a series about which nothing of now is known."""

NO_DATA = (
    "No data has been loaded yet. Start a producer, a consumer and the pipeline (`make demo` starts them all); "
    "the first bars appear about two minutes later."
)

READ_ONLY = "Read-only: alerts can be looked at here, and neither acknowledged nor silenced."


def age_text(seconds: float | None) -> str:
    """Return an age as a person says it: 42 s, 5 min, 3 h, 2 d."""
    if seconds is None or pd.isna(seconds):
        return "never"
    for limit_seconds, unit_seconds, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit_seconds:
            return f"{seconds // unit_seconds:.0f} {unit}"
    return f"{seconds // 86_400:.0f} d"


def marks_text(*, silenced: bool, false_positive: bool | None) -> str:
    """Return what stands beside an alert's state in a list."""
    # A missing value of a frame is not false by itself.
    marks = {"silenced": silenced, "false positive": not pd.isna(false_positive) and bool(false_positive)}
    return ", ".join(name for name, is_so in marks.items() if is_so)


def estimator_text(estimator: str, window_bars: int) -> str:
    """Return the name of an estimator with its window."""
    return f"{ESTIMATOR_NAMES.get(estimator, estimator)} ({window_bars} bars)"


def bars_text(bars: int) -> str:
    """Return how long so many one-minute bars are: 30 min, 2 h."""
    return f"{bars} min" if bars < 120 or bars % 30 else f"{bars / 60:g} h"


def step_text(seconds: int) -> str:
    """Return a step of time: minute, 15 min, day."""
    return {60: "minute", 86_400: "day"}.get(seconds, f"{seconds // 60} min")


def spread_text(spread: Spread, normal_far_share: float) -> str:
    """Return in words what a distribution of returns is like."""
    return (
        f"{spread.returns:,} returns of σ {spread.deviation:.3%}; skewness {spread.skewness:.2f}, excess kurtosis "
        f"{spread.excess_kurtosis:.1f} (a normal has 0). {spread.far_share:.2%} lie {FAR:g} σ out or more; of a normal "
        f"{normal_far_share:.3%} would."
    )


def reason_text(reason: str) -> str:
    """Return a reason's code with what it means."""
    return f"{reason}: {REASONS[reason]}" if reason in REASONS else reason


def series_state(
    alert_state: str | None, standing: str | None, null_reason: str | None, age_seconds: float, stale_seconds: float
) -> str:
    """Return the word that matters most about a series: an open alert, a market or series that is silent by right,
    stale data, a statistic that is missing.

    Parameters
    ----------
    standing : str or None
        As in ``analytics.standing``, judged when data last came; None where nothing judged the series.
    """
    if not pd.isna(alert_state):
        return ESCALATED if alert_state == "ESCALATED" else ALERT
    if standing in (CLOSED, HALTED):
        return str(standing)
    if standing == STALE or age_seconds > stale_seconds:
        return STALE
    if not pd.isna(null_reason):
        return WARM_UP if null_reason == "INSUFFICIENT_DATA" else str(null_reason)
    return WARM_UP if standing == "WARM_UP" else CALM


def ratio_text(ratio: float | None) -> str:
    """Return a volatility against its usual value with the word for it: 1.3× usual · lively."""
    if ratio is None or pd.isna(ratio):
        return "–"
    limits = ((0.67, "very calm"), (0.85, "calm"), (1.18, "usual"), (1.5, "lively"), (2.5, "agitated"))
    word = next((word for limit, word in limits if ratio < limit), "turbulent")
    return f"{ratio:.2f}× · {word}"


def stale_text(freshness: Freshness) -> str:
    """Return what is known about data that is too old: how old, and whether the pipeline still runs."""
    return f"STALE: the newest trade is {age_text(freshness.event_age_seconds)} old. {run_text(freshness)}"


def run_text(freshness: Freshness) -> str:
    """Return when the pipeline last ran, as a sentence."""
    run = freshness.run_age_seconds
    return "The pipeline has never finished a run." if run is None else f"The pipeline last ran {age_text(run)} ago."
