from dataclasses import asdict

from volwatch.pipeline.rebuild_report import Report, from_counts, of_alerts, of_rows
from volwatch.warehouse import rebuild_alerts, rebuild_rows


def test_reports_add_up_and_go_from_task_to_task() -> None:
    one = of_rows(100, rebuild_rows.Changes(1, 2, 3, 4, 5), 6, (7, 8))
    other = of_alerts(rebuild_alerts.Changes(opened=1, corrected=2, retracted=3, onsets={}))
    assert from_counts(asdict(one.plus(other))) == Report(
        hours=0,
        rows_read=100,
        objects_mended=6,
        bars_added=1,
        bars_revised=2,
        bars_withdrawn=3,
        volatility=4,
        signals=5,
        quarantined=7,
        lifted=8,
        alerts_opened=1,
        alerts_corrected=2,
        alerts_retracted=3,
    )


def test_what_was_only_read_is_no_change() -> None:
    assert Report(hours=3, rows_read=10).changes == {}
    assert Report(hours=3, lifted=2, states_replaced=1).changes == {"lifted": 2, "states_replaced": 1}
    assert [Report(bars_withdrawn=1).bars_changed, Report(volatility=1).bars_changed] == [True, False]
