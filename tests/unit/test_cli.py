"""The one entry point: which command is loaded, and how what is wrong is told."""

import argparse

import pytest

from volwatch import cli
from volwatch.errors import BadInput, Misconfigured


class Command:
    """A command that takes a word and fails as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("word")

    def run(self, args: argparse.Namespace) -> int:
        if self.error:
            raise self.error
        return len(args.word)


def run(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> int:
    monkeypatch.setattr(cli, "COMMANDS", {"estimate": ("some.module", "one line")})
    monkeypatch.setattr(cli, "_load", lambda _module: Command(error))
    return cli.main(["estimate", "word"])


def test_the_exit_code_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch) == 4


@pytest.mark.parametrize(
    ("error", "where"),
    [(Misconfigured(["one", "two"]), "the configuration"), (BadInput(["one", "two"]), "what it was given")],
)
def test_all_faults_are_told_at_once_with_code_2(
    error: Exception, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, error) == 2
    assert capsys.readouterr() == ("", f"volwatch estimate: 2 fault(s) in {where}\n  - one\n  - two\n")


def test_any_other_error_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        run(monkeypatch, ZeroDivisionError())


def test_only_the_command_that_is_asked_for_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(module: str) -> Command:
        loaded.append(module)
        return Command()

    monkeypatch.setattr(cli, "_load", load)
    monkeypatch.setattr(cli, "COMMANDS", {"estimate": ("one.module", "…"), "risk": ("other.module", "…")})
    assert cli.main(["risk", "word"]) == 4
    assert set(loaded) == {"other.module"}


def test_without_a_command_the_ones_there_are_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in cli.COMMANDS)
