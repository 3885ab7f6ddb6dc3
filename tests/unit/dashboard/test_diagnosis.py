"""What the pipeline page says of a platform of which one thing is wrong."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from dashboard.diagnosis import Checkup, faults
from tests.dashboard.fakes import EMPTY_DETECTOR, EMPTY_POSITIONS, NOW, market
from volwatch.warehouse.readings import Freshness, Troubles

RUNBOOKS = Path(__file__).parents[3] / "docs" / "runbooks"


def well() -> Checkup:
    reader = market()
    return Checkup(
        freshness=reader.freshness_now,
        stale_seconds=180.0,
        hops=hops(loaded=1000, rejected=10),
        detector=reader.detector_rows,
        positions=reader.position_rows.assign(gaps=0),
        reconciliation=reader.reconciliation_rows.assign(missing_raw=0, unloaded=0),
        channels=reader.channel_rows,
        troubles=Troubles(0, 0, 0),
    )


def hops(loaded: int, rejected: int) -> pd.DataFrame:
    return pd.DataFrame({"hop": ["trades loaded", "trades rejected"], "rows_1d": [loaded, rejected]})


def ago(seconds: float) -> Freshness:
    return Freshness(NOW, NOW - timedelta(seconds=seconds), NOW - timedelta(seconds=20))


SICK = {
    "VolwatchPipelineNotRunning": lambda: replace(well(), freshness=Freshness(NOW, NOW, NOW - timedelta(minutes=12))),
    "VolwatchDataNotFresh": lambda: replace(well(), freshness=ago(600)),
    "VolwatchBlind": lambda: replace(well(), troubles=Troubles(0, 0, 2)),
    "VolwatchDetectorDown": lambda: replace(well(), detector=EMPTY_DETECTOR),
    "VolwatchDetectorBehind": lambda: replace(well(), detector=well().detector.assign(ahead=-7, age_seconds=90.0)),
    "VolwatchAlertsDiffer": lambda: replace(well(), troubles=Troubles(1, 0, 0)),
    "VolwatchRawObjectUnreadable": lambda: replace(well(), troubles=Troubles(0, 1, 0)),
    "VolwatchLoadGaps": lambda: replace(well(), positions=well().positions.assign(gaps=3)),
    "VolwatchTradesRejected": lambda: replace(well(), hops=hops(loaded=1000, rejected=11)),
    "VolwatchReconcileDifference": lambda: replace(well(), reconciliation=well().reconciliation.assign(unloaded=5)),
    "VolwatchReconcileNotRun": lambda: replace(
        well(), reconciliation=well().reconciliation.assign(checked_at=NOW - timedelta(hours=30))
    ),
    "VolwatchChannelDead": lambda: replace(well(), channels=well().channels.assign(up=False)),
    "VolwatchNotificationsWaiting": lambda: replace(well(), channels=well().channels.assign(waiting_seconds=700.0)),
}


def test_a_platform_that_is_well_has_no_fault() -> None:
    assert faults(well()) == []


@pytest.mark.parametrize("runbook", SICK)
def test_each_thing_that_is_wrong_is_told_alone_and_its_runbook_exists(runbook: str) -> None:
    [fault] = faults(SICK[runbook]())
    assert fault.runbook == runbook
    assert fault.what.endswith(".")
    assert fault.to_do.endswith(".")
    assert (RUNBOOKS / f"{runbook}.md").is_file()


def test_a_platform_that_has_not_begun_has_no_fault() -> None:
    nothing = replace(well(), freshness=Freshness(NOW, None, None), positions=EMPTY_POSITIONS)
    assert faults(nothing) == []


def test_errors_stand_before_warnings() -> None:
    found = faults(replace(SICK["VolwatchDetectorDown"](), troubles=Troubles(0, 0, 1)))
    assert [fault.level for fault in found] == ["error", "warning"]


def test_a_detector_that_is_ahead_is_not_behind_however_old_its_state() -> None:
    idle = well().detector.assign(ahead=0, age_seconds=9_000.0)
    assert faults(replace(well(), detector=idle)) == []
