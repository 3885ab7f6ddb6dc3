"""What is wrong with the platform, in words: one sentence each, what to do, and the runbook that says more. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dashboard.wording import age_text
from volwatch.warehouse.readings import Freshness, Troubles

RUN_DUE_SECONDS = 180.0
"""The minute path is due every minute; two may be missed."""
RECONCILE_DUE_SECONDS = 26 * 3_600.0
DETECTOR_DUE_SECONDS = 60.0
WAITING_DUE_SECONDS = 600.0
MOST_REJECTED = 0.01
"""Of the trades of a day."""

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes
    ----------
    level : str
        ``error``: data or alerts are missing now; ``warning``: they may be, or nobody is told.
    what : str
        What is so, as a sentence.
    to_do : str
        What to do about it, as a sentence.
    runbook : str
        The alert rule whose runbook says more.
    """

    level: Level
    what: str
    to_do: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What the faults are told from; the frames are those of the reader."""

    freshness: Freshness
    stale_seconds: float
    hops: pd.DataFrame
    detector: pd.DataFrame
    positions: pd.DataFrame
    reconciliation: pd.DataFrame
    channels: pd.DataFrame
    troubles: Troubles


def faults(found: Checkup) -> list[Fault]:
    """Return what is wrong, the worst first; nothing of a platform that has not begun."""
    if found.freshness.last_run is None and found.positions.empty:
        return []
    told = [*_minute_path(found), *_detector(found), *_record(found), *_channels(found.channels)]
    return sorted(told, key=lambda fault: fault.level != "error")


def difference_rows(reconciliation: pd.DataFrame) -> int:
    """Return how many rows one hop has and the next has not."""
    return int((reconciliation["missing_raw"] + reconciliation["unloaded"]).sum())


def _minute_path(found: Checkup) -> Iterator[Fault]:
    run, event = found.freshness.run_age_seconds, found.freshness.event_age_seconds
    if run is None or run > RUN_DUE_SECONDS:
        when = "has never finished a run" if run is None else f"last finished a run {age_text(run)} ago"
        yield Fault(
            "error",
            f"The minute path {when}; it is due every minute.",
            "See in Airflow whether the DAG market_pipeline is paused, fails, or waits for a pod.",
            "VolwatchPipelineNotRunning",
        )
    elif event is None or event > found.stale_seconds:
        yield Fault(
            "error",
            f"The minute path runs, but the newest trade is {age_text(event)} old.",
            "Unless the markets are closed, see whether producer and consumer run and the feed is connected.",
            "VolwatchDataNotFresh",
        )
    if found.troubles.blind:
        yield Fault(
            "error",
            f"{_times(found.troubles.blind, 'alert')} of kind BLIND open: what should be watched cannot be seen.",
            "Open it on the alerts page; its sentence says what is silent or behind.",
            "VolwatchBlind",
        )


def _detector(found: Checkup) -> Iterator[Fault]:
    detector = found.detector
    if detector.empty:
        yield Fault(
            "warning",
            "No detector has judged a trade yet: alerts come with the minute path, a minute or two late.",
            "Start `volwatch detector`, or see why it does not run.",
            "VolwatchDetectorDown",
        )
        return
    behind = detector[(detector["ahead"] < 0) & (detector["age_seconds"] > DETECTOR_DUE_SECONDS)]
    if not behind.empty:
        yield Fault(
            "error",
            f"The detector is behind the minute path on {_partitions(behind['kafka_partition'])}, "
            f"by {-int(behind['ahead'].min()):,} records at most.",
            "See whether it runs, and whether Kafka answers it; until then alerts come with the minute path.",
            "VolwatchDetectorBehind",
        )
    if found.troubles.alert_differences:
        yield Fault(
            "error",
            f"Detector and minute path differ in {_times(found.troubles.alert_differences, 'step')} of alerts "
            "on final bars.",
            "Both run the same engine on the same records: explain one of these alerts by `volwatch alerts explain`.",
            "VolwatchAlertsDiffer",
        )


def _record(found: Checkup) -> Iterator[Fault]:
    if found.troubles.unreadable_objects:
        yield Fault(
            "error",
            f"{_times(found.troubles.unreadable_objects, 'object')} of the raw zone could not be read.",
            "Their records are still in Kafka while it keeps them: mend the object, then rebuild its hours.",
            "VolwatchRawObjectUnreadable",
        )
    gaps = int(found.positions["gaps"].sum())
    if gaps:
        yield Fault(
            "warning",
            f"{_times(gaps, 'offset')} of Kafka are in no raw object.",
            "Compare with Kafka by `volwatch reconcile`: the topic may have been made anew, or records are lost.",
            "VolwatchLoadGaps",
        )
    yield from _rejected(found.hops)
    yield from _reconciled(found)


def _rejected(hops: pd.DataFrame) -> Iterator[Fault]:
    rows = dict(zip(hops["hop"], hops["rows_1d"], strict=True))
    rejected, loaded = int(rows.get("trades rejected", 0)), int(rows.get("trades loaded", 0))
    if rejected > MOST_REJECTED * max(loaded, 1):
        yield Fault(
            "warning",
            f"{rejected:,} of {loaded:,} trades of the last 24 hours were rejected.",
            "Their reasons are below, under Quarantine, each with its newest example.",
            "VolwatchTradesRejected",
        )


def _reconciled(found: Checkup) -> Iterator[Fault]:
    reconciliation = found.reconciliation
    if reconciliation.empty:
        return
    difference = difference_rows(reconciliation)
    if difference:
        yield Fault(
            "error",
            f"{_times(difference, 'row')} differ between hops.",
            "The table under Reconciliation says where; `volwatch rebuild` loads the raw zone again.",
            "VolwatchReconcileDifference",
        )
    age = (found.freshness.now - reconciliation["checked_at"].iloc[0]).total_seconds()
    if age > RECONCILE_DUE_SECONDS:
        yield Fault(
            "warning",
            f"The hops were last counted against each other {age_text(age)} ago; that is due every day.",
            "See the DAG that does the daily maintenance in Airflow, or run `volwatch reconcile`.",
            "VolwatchReconcileNotRun",
        )


def _channels(channels: pd.DataFrame) -> Iterator[Fault]:
    failing = channels.loc[~channels["up"].astype(bool), "channel"].tolist()
    if failing:
        yield Fault(
            "warning",
            f"Failing: {', '.join(failing)}. What waits for it is kept and tried again.",
            "Its last failure is under Channels.",
            "VolwatchChannelDead",
        )
    waiting = channels["waiting_seconds"].dropna()
    if not failing and (waiting > WAITING_DUE_SECONDS).any():
        yield Fault(
            "warning",
            f"A notification has waited for {age_text(float(waiting.max()))}.",
            "See whether the notifier runs, and whether rates or quiet hours of the channel hold it back.",
            "VolwatchNotificationsWaiting",
        )


def _times(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _partitions(numbers: Iterable[int]) -> str:
    named = [str(number) for number in numbers]
    return f"partition{'s' if len(named) > 1 else ''} {', '.join(named)}"
