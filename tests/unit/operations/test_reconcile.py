"""The command: what is shown of a count, and what its exit code says."""

from datetime import UTC, datetime

import pytest

from volwatch import cli
from volwatch.operations.reconcile import COLUMNS, exit_code, rows_of
from volwatch.reconcile import Reconciliation

NOW = datetime(2026, 1, 5, 17, tzinfo=UTC)
WHOLE = Reconciliation(NOW, 0, 0, 100, 100, 90, 3, missing_raw=0, unloaded=0)
LOST = Reconciliation(NOW, 1, 0, 100, 80, 70, 0, missing_raw=20, unloaded=4)


def test_the_difference_stands_beside_the_counts() -> None:
    assert dict(zip(COLUMNS, rows_of([LOST])[0], strict=True)) == {
        "checked_at": NOW,
        "partition": 1,
        "kafka_first": 0,
        "kafka_end": 100,
        "raw_rows": 80,
        "loaded_rows": 70,
        "rejected_rows": 0,
        "missing_raw": 20,
        "unloaded": 4,
        "difference": 24,
        "since": None,
    }


def test_the_exit_code_says_whether_something_differs() -> None:
    assert [exit_code([]), exit_code([WHOLE]), exit_code([WHOLE, LOST])] == [0, 0, 1]


def test_bad_arguments_are_told_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reconcile", "--since", "2026-01-05", "--history", "never", "--format", "xml"]) == 2
    assert capsys.readouterr().err == (
        "volwatch reconcile: 3 fault(s) in what it was given\n"
        "  - --since: an ISO time with its zone, as 2026-01-05T15:00Z, not '2026-01-05'\n"
        "  - --history: an ISO time with its zone, as 2026-01-05T15:00Z, not 'never'\n"
        "  - --format: table or csv, not 'xml'\n"
    )
