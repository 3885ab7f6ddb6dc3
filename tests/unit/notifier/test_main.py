import argparse
from pathlib import Path

import pytest

from volwatch.cli import main
from volwatch.notifier import main as notifier


def test_help_names_every_variable() -> None:
    parser = argparse.ArgumentParser(prog="volwatch notifier")
    notifier.add_arguments(parser)
    told = parser.format_help()
    assert "VOLWATCH_NOTIFIER_CHANNELS_FILE\n      YAML file of the channels" in told
    assert "VOLWATCH_KAFKA_ALERTS_TOPIC\n      topic of alert transitions; default alerts\n" in told


@pytest.fixture
def channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "channels.yaml"
    monkeypatch.setenv("VOLWATCH_NOTIFIER_CHANNELS_FILE", str(file))
    return file


def test_a_good_file_is_listed(channels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channels.write_text("- {name: desk, kind: webhook, url: 'http://localhost/s3cret'}\n")
    assert main(["notifier", "--check"]) == 0
    assert capsys.readouterr().out == "desk: webhook\n"


def test_a_bad_file_ends_with_2_and_all_its_faults(channels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channels.write_text("[{name: desk, kind: webhook, url: s3cret}, {name: desk, kind: kafka, more: 1}]")
    assert main(["notifier", "--check"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("volwatch notifier: 2 fault(s) in the configuration\n")
    assert "s3cret" not in told


def test_a_channel_that_is_not_there_cannot_be_tested(channels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channels.write_text("- {name: desk, kind: webhook, url: 'http://localhost/'}\n")
    assert main(["notifier", "--test", "desks"]) == 2
    assert "--test: there is no channel desks" in capsys.readouterr().err
