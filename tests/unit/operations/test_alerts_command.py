"""``volwatch alerts``: which arguments are refused, before any server is asked."""

import argparse
from datetime import UTC, datetime

import pytest

from volwatch import cli
from volwatch.errors import BadInput, Misconfigured
from volwatch.operations import alerts_silence
from volwatch.operations.alerts_command import ACTIONS
from volwatch.operations.alerts_held import digits_of

ID = "8a6e0804-2bd0-5672-b79d-d97027f9071a"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "USER"):
        monkeypatch.delenv(f"VOLWATCH_WAREHOUSE_{name}", raising=False)


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        (
            ["list", "--severity", "worst", "--since", "x", "--limit", "0", "--format", "xml"],
            [
                "--severity: one of LOW, MEDIUM, HIGH, not 'WORST'",
                "--since: an ISO time with its zone, as 2026-01-05T15:00Z, not 'x'",
                "--limit: a whole number above 0, not '0'",
                "--format: table or csv, not 'xml'",
            ],
        ),
        (
            ["silence", "--reason", "x", "--for", "soon", "--from", "x"],
            [
                "--for: a duration above 0 in days, hours and minutes, as 30m, 2h or 1d12h, not 'soon'",
                "--from: an ISO time with its zone, as 2026-01-05T15:00Z, not 'x'",
                "which alerts: give --source, --symbol or --kind, or else --everything",
            ],
        ),
        (
            ["silence", "--reason", "x", "--symbol", "A", "--everything"],
            [
                "how long: give --for or --until",
                "which alerts: give --source, --symbol or --kind, or else --everything",
            ],
        ),
        (
            ["silence", "--reason", "x", "--symbol", "A", "--for", "2h", "--until", "2026-01-05T15:00Z"],
            ["how long: give --for or --until"],
        ),
        (["unsilence", "x"], ["ID: a whole number above 0, not 'x'"]),
    ],
)
def test_bad_arguments_are_told_all_at_once(
    arguments: list[str], faults: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["alerts", *arguments]) == 2
    told = "".join(f"  - {fault}\n" for fault in faults)
    assert capsys.readouterr().err == f"volwatch alerts: {len(faults)} fault(s) in what it was given\n{told}"


def test_an_id_may_be_cut_and_written_as_one_likes() -> None:
    assert digits_of(ID) == ID.replace("-", "")
    assert digits_of(" 8A6E0804-2b ") == "8a6e08042b"


@pytest.mark.parametrize("text", ["", "8a6e0", "8a6e0g", "8a6e0%", f"{ID}0", "٨٨٨٨٨٨"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="at least six digits"):
        digits_of(text)


@pytest.mark.parametrize("action", ["ack", "show", "false-positive"])
def test_a_wrong_id_is_told_before_anything_is_asked(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["alerts", action, "nonsense"]) == 2
    assert "ID: the alert's id" in capsys.readouterr().err


def test_without_settings_nothing_is_done() -> None:
    args = argparse.Namespace(
        source=None, symbol="A", kind=None, everything=False, duration="2h", until=None, start=None, reason="x", by="a"
    )
    with pytest.raises(Misconfigured):
        alerts_silence.run(args, lambda: datetime(2026, 1, 5, tzinfo=UTC))


def test_every_action_teaches_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, action in ACTIONS.items():
        with pytest.raises(SystemExit):
            cli.main(["alerts", name, "--help"])
        assert action.summary in capsys.readouterr().out
