"""The platform itself: what is wrong in words, what each hop did and how far it is behind, what was set aside."""

import pandas as pd
import streamlit as st

from dashboard import wording
from dashboard.diagnosis import Checkup, difference_rows, faults
from dashboard.display import Columns, Display, header, live, table, time_text
from dashboard.reading import DashboardReader

LISTED_RUNS = 15

_HOP_COLUMNS: Columns = {
    "hop": "Hop",
    "rows_per_minute": st.column_config.NumberColumn("A minute", format="localized", help="Of the last 10 minutes"),
    "rows_last_run": st.column_config.NumberColumn("Last run", format="localized"),
    "rows_1d": st.column_config.NumberColumn("Last 24 h", format="localized"),
    "lag": st.column_config.TextColumn("Lag", help="Age of the newest trade that it has reached"),
    "last": st.column_config.TextColumn("Last success", help="When it last wrote anything"),
    "last_rows_at": st.column_config.DatetimeColumn("At (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
}
_RUN_COLUMNS: Columns = {
    "finished_at": st.column_config.DatetimeColumn("Finished (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
    "duration_seconds": st.column_config.NumberColumn("Took", format="%.1f s"),
    "event_lag_seconds": st.column_config.NumberColumn("Event lag", format="%.0f s"),
    "objects": st.column_config.NumberColumn("Objects", format="localized"),
    "rows_loaded": st.column_config.NumberColumn("Loaded", format="localized"),
    "rows_rejected": st.column_config.NumberColumn("Rejected", format="localized"),
    "bars": st.column_config.NumberColumn("Bars", format="localized"),
    "volatility": st.column_config.NumberColumn("Volatility", format="localized"),
    "alerts": st.column_config.NumberColumn("Alerts", format="localized"),
}
_DETECTOR_COLUMNS: Columns = {
    "kafka_partition": st.column_config.NumberColumn("Partition", width="small"),
    "next_offset": st.column_config.NumberColumn("Next offset", format="localized"),
    "ahead": st.column_config.NumberColumn("Ahead of the minute path", format="localized", help="In records"),
    "lag": st.column_config.TextColumn("Lag", help="Since the newest trade that it has judged was received"),
    "last": st.column_config.TextColumn("Last success", help="When its state was last written"),
}
_POSITION_COLUMNS: Columns = {
    "kafka_partition": st.column_config.NumberColumn("Partition", width="small"),
    "next_offset": st.column_config.NumberColumn("Next offset", format="localized"),
    "gaps": st.column_config.NumberColumn("Offsets skipped", format="localized"),
    "last": "Moved",
    "object_key": st.column_config.TextColumn("Newest raw object", width="large"),
}
_QUARANTINE_COLUMNS: Columns = {
    "reason": "Reason",
    "rows_1d": st.column_config.NumberColumn("Last 24 h", format="localized"),
    "newest": st.column_config.DatetimeColumn("Newest (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC"),
    "symbol": "Symbol",
    "record": st.column_config.TextColumn("Example", width="large"),
}
_RECONCILIATION_COLUMNS: Columns = {
    "kafka_partition": st.column_config.NumberColumn("Partition", width="small"),
    "kafka_first": st.column_config.NumberColumn("Kafka first", format="localized"),
    "kafka_end": st.column_config.NumberColumn("Kafka end", format="localized"),
    "raw_rows": st.column_config.NumberColumn("Raw rows", format="localized"),
    "loaded_rows": st.column_config.NumberColumn("Loaded", format="localized"),
    "rejected_rows": st.column_config.NumberColumn("Rejected", format="localized"),
    "missing_raw": st.column_config.NumberColumn("Missing raw", format="localized"),
    "unloaded": st.column_config.NumberColumn("Not loaded", format="localized"),
}
_CHANNEL_COLUMNS: Columns = {
    "channel": "Channel",
    "kind": "Kind",
    "state": "State",
    "waiting": st.column_config.NumberColumn("Waiting", format="localized"),
    "since": "Oldest waits since",
    "sent_1d": st.column_config.NumberColumn("Sent, 24 h", format="localized"),
    "refused_1d": st.column_config.NumberColumn("Refused, 24 h", format="localized"),
    "success": "Last took something",
    "last_error": st.column_config.TextColumn("Last failure", width="large"),
}


def render(reader: DashboardReader, display: Display) -> None:
    """Draw the page."""
    header(reader, display, "Pipeline")
    live(display, lambda: _faults(reader, display))
    st.subheader("Hops")
    live(display, lambda: _hops(reader))
    st.subheader("Detector")
    live(display, lambda: _detector(reader))
    st.subheader("Kafka partitions")
    live(display, lambda: _positions(reader))
    st.subheader("Quarantine")
    live(display, lambda: _quarantine(reader))
    st.subheader("Reconciliation")
    live(display, lambda: _reconciliation(reader))
    st.subheader("Channels")
    live(display, lambda: _channels(reader))
    st.subheader("Latest runs")
    live(display, lambda: _runs(reader))


def _faults(reader: DashboardReader, display: Display) -> None:
    found = Checkup(
        reader.freshness(),
        display.stale_seconds,
        reader.hops(),
        reader.detector(),
        reader.positions(),
        reader.reconciliation(),
        reader.channels(),
        reader.troubles(),
    )
    if found.freshness.last_run is None and found.positions.empty:
        return  # nothing has begun: the header says how to begin
    told = faults(found)
    if not told:
        st.success("Nothing is wrong: every hop is up to date.", icon=":material/check_circle:")
    for fault in told:
        box, icon = (st.error, ":material/error:") if fault.level == "error" else (st.warning, ":material/warning:")
        box(f"**{fault.what}** {fault.to_do} Runbook: `{fault.runbook}`", icon=icon)


def _hops(reader: DashboardReader) -> None:
    freshness = reader.freshness()
    age, lag = st.columns(2)
    age.metric("Last run finished", _ago(freshness.run_age_seconds), border=True)
    lag.metric("Newest trade", _ago(freshness.event_age_seconds), border=True)
    hops = reader.hops()
    if hops.empty:
        st.info(
            "The pipeline has not run in the last 24 hours. Airflow's DAG market_pipeline runs it every minute; "
            "`volwatch pipeline run` runs it once.",
            icon=":material/play_circle:",
        )
        return
    told = hops.assign(last=_ages(hops["age_seconds"]), lag=[wording.age_text(lag) for lag in hops["lag_seconds"]])
    _table(told, _HOP_COLUMNS, "hops")


def _detector(reader: DashboardReader) -> None:
    detector = reader.detector()
    if detector.empty:
        st.text("No detector has judged a trade yet. `volwatch detector` judges them as they come.")
        return
    told = detector.assign(
        last=_ages(detector["age_seconds"]), lag=[wording.age_text(lag) for lag in detector["lag_seconds"]]
    )
    _table(told, _DETECTOR_COLUMNS, "detector")


def _positions(reader: DashboardReader) -> None:
    positions = reader.positions()
    if positions.empty:
        st.text("No partition is loaded yet.")
        return
    _table(positions.assign(last=_ages(positions["age_seconds"])), _POSITION_COLUMNS, "positions")


def _quarantine(reader: DashboardReader) -> None:
    quarantine = reader.quarantine()
    if quarantine.empty:
        st.text("No trade was rejected in the last 24 hours.")
        return
    _table(quarantine, _QUARANTINE_COLUMNS, "quarantine")


def _reconciliation(reader: DashboardReader) -> None:
    reconciliation = reader.reconciliation()
    if reconciliation.empty:
        st.text("Not reconciled yet: the daily maintenance counts the rows of every hop against each other.")
        return
    checked = time_text(reconciliation["checked_at"].iloc[0])
    difference = difference_rows(reconciliation)
    said = f"{difference:,} rows differ between hops" if difference else "Every hop agrees"
    st.text(f"{said}, checked {checked}.")
    _table(reconciliation, _RECONCILIATION_COLUMNS, "reconciliation")


def _channels(reader: DashboardReader) -> None:
    channels = reader.channels()
    if channels.empty:
        st.text("Nobody is told of alerts: no notifier has served a channel yet.")
        return
    told = channels.assign(
        state=["up" if up else "failing" for up in channels["up"]],
        since=[wording.age_text(age) if pd.notna(age) else "–" for age in channels["waiting_seconds"]],
        success=_ages(channels["success_age_seconds"]),
    )
    _table(told, _CHANNEL_COLUMNS, "channels")


def _runs(reader: DashboardReader) -> None:
    runs = reader.runs(LISTED_RUNS)
    if runs.empty:
        st.text("No run yet.")
        return
    _table(runs, _RUN_COLUMNS, "runs")


def _table(frame: pd.DataFrame, columns: Columns, key: str) -> None:
    table(frame[list(columns)], key, columns, height="content")


def _ages(seconds: "pd.Series[float]") -> list[str]:
    return [_ago(age) for age in seconds]


def _ago(seconds: float | None) -> str:
    text = wording.age_text(seconds)
    return text if text == "never" else f"{text} ago"
