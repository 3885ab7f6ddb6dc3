from datetime import UTC, datetime

import pytest

from volwatch.errors import BadInput
from volwatch.pipeline.rebuild import Piece
from volwatch.pipeline.rebuild_command import hours_of, told
from volwatch.pipeline.rebuild_plan import Hour, Span
from volwatch.pipeline.rebuild_report import Report

TEN, ELEVEN, TWELVE = (datetime(2026, 1, 5, hour, tzinfo=UTC) for hour in (10, 11, 12))


@pytest.mark.parametrize(
    ("first", "end", "hours"),
    [
        ("2026-01-05T10:00Z", None, (TEN, None)),
        ("2026-01-05T10:59:59Z", "", (TEN, None)),
        ("2026-01-05T10:00Z", "2026-01-05T12:00Z", (TEN, TWELVE)),
        ("2026-01-05T05:10-05:00", "2026-01-05T11:00:00.001Z", (TEN, TWELVE)),
        ("2026-01-05T10:10Z", "2026-01-05T10:20Z", (TEN, ELEVEN)),
    ],
)
def test_a_range_is_widened_to_full_hours_of_utc(first: str, end: str | None, hours: tuple[datetime, object]) -> None:
    assert hours_of(first, end) == hours


@pytest.mark.parametrize(
    ("first", "end", "faults"),
    [
        ("", None, ["--from"]),
        ("2026-01-05T10:00", "noon", ["--from", "--to"]),
        ("2026-01-05T10:00Z", "2026-01-05T10:00Z", ["--to"]),
    ],
)
def test_all_that_is_wrong_with_a_range_is_told_at_once(first: str, end: str | None, faults: list[str]) -> None:
    with pytest.raises(BadInput) as raised:
        hours_of(first, end)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == faults


def test_a_report_names_what_changed_and_nothing_else() -> None:
    report = Report(hours=3, rows_read=1_200, bars_revised=7, lifted=2)
    assert told(report, dry_run=False) == [
        "3 hours, 1200 rows read",
        "changed:",
        "         7 bars_revised",
        "         2 lifted",
    ]
    assert told(report, dry_run=True)[1] == "would change:"
    assert told(Report(hours=3, rows_read=5), dry_run=False) == ["3 hours, 5 rows read", "nothing changed"]
    assert told(Report(hours=3, rows_read=5), dry_run=True)[1] == "nothing would change"


def test_a_piece_goes_from_task_to_task() -> None:
    piece = Piece((Hour(TEN, (Span(0, 1, 2), Span(3, 4, 5))), Hour(ELEVEN, (Span(0, 2, 9),))))
    assert Piece.from_told(piece.as_told()) == piece
