from datetime import UTC, datetime, timedelta

import pytest

from dashboard import wording
from volwatch.analytics.volatility import DAILY_ESTIMATORS, MINUTE_ESTIMATORS, NULL_REASONS
from volwatch.warehouse.readings import Freshness

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (float("nan"), "never"),
        (0.0, "0 s"),
        (119.9, "119 s"),
        (120.0, "2 min"),
        (7_199.0, "119 min"),
        (7_200.0, "2 h"),
        (172_800.0, "2 d"),
    ],
)
def test_an_age_is_said_as_a_person_says_it(seconds: float | None, text: str) -> None:
    assert wording.age_text(seconds) == text


def test_every_estimator_and_every_reason_of_the_engine_has_words() -> None:
    assert set(wording.ESTIMATOR_NAMES) == {*MINUTE_ESTIMATORS, *DAILY_ESTIMATORS, "sharpe"}
    assert set(wording.REASONS) == set(NULL_REASONS) - {""}


@pytest.mark.parametrize(
    ("alert_state", "standing", "null_reason", "age_seconds", "state"),
    [
        ("ESCALATED", "HALTED", "HALTED", 999.0, wording.ESCALATED),
        ("OPEN", "LIVE", None, 999.0, wording.ALERT),
        (None, "CLOSED", None, 9_999.0, wording.CLOSED),
        (None, "HALTED", None, 999.0, wording.HALTED),
        (None, None, "HALTED", 181.0, wording.STALE),
        (None, "STALE", None, 10.0, wording.STALE),
        (None, "WARM_UP", None, 181.0, wording.STALE),
        (None, None, "HALTED", 180.0, wording.HALTED),
        (None, "LIVE", "INSUFFICIENT_DATA", 10.0, wording.WARM_UP),
        (None, "WARM_UP", None, 10.0, wording.WARM_UP),
        (None, "LIVE", None, 10.0, wording.CALM),
        (None, None, None, 10.0, wording.CALM),
    ],
)
def test_the_state_of_a_series_is_what_matters_most(
    alert_state: str | None, standing: str | None, null_reason: str | None, age_seconds: float, state: str
) -> None:
    assert wording.series_state(alert_state, standing, null_reason, age_seconds, stale_seconds=180.0) == state


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.5, "0.50× · very calm"),
        (0.8, "0.80× · calm"),
        (1.0, "1.00× · usual"),
        (1.2, "1.20× · lively"),
        (1.5, "1.50× · agitated"),
        (2.5, "2.50× · turbulent"),
    ],
)
def test_a_ratio_is_told_with_its_word(ratio: float | None, text: str) -> None:
    assert wording.ratio_text(ratio) == text


def test_stale_data_is_told_with_the_state_of_the_pipeline() -> None:
    freshness = Freshness(NOW, NOW - timedelta(minutes=30), NOW - timedelta(seconds=20))
    assert wording.stale_text(freshness) == "STALE: the newest trade is 30 min old. The pipeline last ran 20 s ago."


def test_the_marks_of_an_alert_are_those_that_hold() -> None:
    assert wording.marks_text(silenced=False, false_positive=None) == ""
    assert wording.marks_text(silenced=True, false_positive=False) == "silenced"
    assert wording.marks_text(silenced=True, false_positive=True) == "silenced, false positive"
