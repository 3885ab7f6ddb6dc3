import argparse

import pytest

from volwatch import cli
from volwatch.errors import Transient
from volwatch.local import command, fetch_command


def test_every_action_is_taught() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert all(name in parser.format_help() for name in command.ACTIONS)


def test_a_server_that_fails_ends_the_command_with_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: argparse.Namespace) -> int:
        raise Transient("kafka [ended]")

    monkeypatch.setattr(fetch_command, "run", fail)
    assert cli.main(["local", "fetch"]) == 1
    assert capsys.readouterr().err == "kafka [ended]\n"
