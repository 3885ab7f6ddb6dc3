"""The dashboard's words: ages, names of estimators, what a missing value means, the state of a series."""

from datetime import datetime

import pandas as pd

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

NO_DATA = (
    "No data has been loaded yet. Start a producer, a consumer and the pipeline (`make demo` starts them all); "
    "the first bars appear about two minutes later."
)


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


def time_text(time: datetime) -> str:
    """Return a time in UTC, to the second, saying so."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def estimator_text(estimator: str, window_bars: int) -> str:
    """Return the name of an estimator with its window."""
    return f"{ESTIMATOR_NAMES.get(estimator, estimator)} ({window_bars} bars)"


def reason_text(reason: str) -> str:
    """Return a reason's code with what it means."""
    return f"{reason}: {REASONS[reason]}" if reason in REASONS else reason


def series_state(alert_state: str | None, null_reason: str | None, age_seconds: float, stale_seconds: float) -> str:
    """Return the word that matters most about a series: an open alert, then stale data, then a missing statistic."""
    if not pd.isna(alert_state):
        return ESCALATED if alert_state == "ESCALATED" else ALERT
    if age_seconds > stale_seconds:
        return STALE
    if not pd.isna(null_reason):
        return WARM_UP if null_reason == "INSUFFICIENT_DATA" else null_reason
    return CALM


def stale_text(freshness: Freshness) -> str:
    """Return what is known about data that is too old: how old, and whether the pipeline still runs."""
    age = age_text(freshness.event_age_seconds)
    run = freshness.run_age_seconds
    pipeline = (
        "The pipeline has never finished a run." if run is None else f"The pipeline last ran {age_text(run)} ago."
    )
    return f"STALE: the newest trade is {age} old. {pipeline}"
