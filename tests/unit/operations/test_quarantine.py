"""The command: what is shown of a trade, and which arguments are refused."""

import io
import sys

import pytest

from tests.unit.operations.quarantined import MINUTE, set_aside
from volwatch import cli
from volwatch.operations.quarantine import explained


def test_a_trade_is_explained_with_its_rule_its_object_and_what_a_retry_can_do() -> None:
    lines = explained(set_aside(), ["raw/a.csv.gz"])
    assert lines[:6] == [
        "id         41",
        "set aside  2026-01-05T15:00:00+00:00",
        "reason     OUTLIER: it is a single print far from those before it",
        "kafka      partition 2, offset 1234",
        "raw object raw/a.csv.gz",
        "watermark  2026-01-05T15:02:30.000+00:00",
    ]
    assert lines[6].startswith("retry      possible: helps once VOLWATCH_PIPELINE_OUTLIER_FILTER is off")
    assert lines[7:10] == ["{", '  "source": "finnhub",', '  "symbol": "AAPL",']


def test_what_is_not_known_is_said() -> None:
    lines = explained(set_aside(watermark=None, reason="NEW", retried_at=MINUTE, retried_by="ada"), [])
    assert lines[2] == "reason     NEW: no rule of this program"
    assert lines[4] == "raw object none in the ledger"
    assert lines[5] == "watermark  unknown"
    assert lines[6] == "retry      refused: it was sent again at 2026-01-05T15:00:00+00:00 by ada"


def test_a_record_that_is_no_json_is_shown_as_text_that_moves_nothing() -> None:
    assert explained(set_aside(record="no\x1b[2J"), [])[-1] == "no\\x1b[2J"


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        (
            ["list", "--since", "x", "--limit", "0", "--format", "xml"],
            [
                "--since: an ISO time with its zone, as 2026-01-05T15:00Z, not 'x'",
                "--limit: a whole number above 0, not '0'",
                "--format: table or csv, not 'xml'",
            ],
        ),
        (["show", "x"], ["ID: a whole number above 0, not 'x'"]),
        (
            ["retry", "x", "--reason", "OUTLIER"],
            [
                "ID: a whole number above 0, not 'x'",
                "ID and --reason or --since: one or the other",
                "there is no terminal to ask on: give --yes or --dry-run",
            ],
        ),
        (["retry", "--reason", "OUTLIER", "--yes"], ["which trades: give an ID or more, or both --reason and --since"]),
    ],
)
def test_bad_arguments_are_told_all_at_once(
    arguments: list[str], faults: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli.main(["quarantine", *arguments]) == 2
    told = "".join(f"  - {fault}\n" for fault in faults)
    assert capsys.readouterr().err == f"volwatch quarantine: {len(faults)} fault(s) in what it was given\n{told}"
