import pytest
from structlog.testing import capture_logs

from tests.unit.operations.fakes import Time
from volwatch.cli import main
from volwatch.errors import Misconfigured, Transient
from volwatch.operations.provision import persist


def test_a_server_that_comes_up_is_provisioned(capsys: pytest.CaptureFixture[str]) -> None:
    time = Time()

    def work() -> None:
        if time.now < 3:
            raise Transient("nobody listens")

    with capture_logs() as logs:
        assert persist("kafka", work, time.patience(600)) == 0
    failed = {"event": "provision_failed", "log_level": "warning", "server": "kafka", "error": "nobody listens"}
    assert logs == [failed, failed, failed, {"event": "provisioned", "log_level": "info", "server": "kafka"}]
    assert capsys.readouterr().err == ""


def test_a_server_that_stays_away_is_named_on_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise Transient("nobody listens")

    with capture_logs():
        assert persist("warehouse", work, Time().patience(12)) == 1
    assert capsys.readouterr().err == "volwatch provision warehouse: gave up after 12 s: nobody listens\n"


def test_a_wrong_configuration_is_not_tried_again() -> None:
    time = Time()

    def work() -> None:
        raise Misconfigured(["two buckets have one name"])

    with pytest.raises(Misconfigured):
        persist("rawzone", work, time.patience(600))
    assert time.pauses == []


def test_every_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"VOLWATCH_RAWZONE_{name}", raising=False)
    monkeypatch.setenv("VOLWATCH_RAWZONE_PROVISION_CONSUMER_ACCESS_KEY", "consumer")
    assert main(["provision", "rawzone"]) == 2
    told = capsys.readouterr().err
    assert told.count("is not set\n") == 3
    assert "VOLWATCH_RAWZONE_PROVISION_CONSUMER_SECRET_KEY: set both or none" in told


@pytest.mark.parametrize("command", ["provision", "wait", "trace"])
def test_the_help_teaches_the_settings_and_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    for text in ("example", f"volwatch {command}", "--patience SECONDS", "VOLWATCH_WAREHOUSE_HOST\n", "exit code: 0"):
        assert text in told
