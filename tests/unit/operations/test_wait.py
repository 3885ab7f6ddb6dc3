import subprocess
import sys

import pytest

from tests.unit.operations.fakes import Time
from volwatch.cli import main
from volwatch.errors import Transient
from volwatch.operations.wait import Check, wait


def ready_at(time: Time, seconds: float, reason: str = "nobody listens") -> Check:
    def check() -> None:
        if time.now < seconds:
            raise Transient(reason)

    return check


def test_it_returns_as_soon_as_every_server_can_be_used() -> None:
    time, told = Time(), list[str]()
    checks = {"kafka": ready_at(time, 3, "there is no topic trades"), "warehouse": ready_at(time, 0)}
    assert wait(checks, time.patience(600), told.append) == 0
    assert told == [
        "kafka is not ready: there is no topic trades",
        "warehouse is ready after 0.0 s",
        "kafka is ready after 4.0 s",
    ]
    assert time.pauses == [2.0, 2.0]


def test_each_server_that_is_missing_is_named_with_its_reason() -> None:
    time, told = Time(), list[str]()
    checks = {
        "kafka": ready_at(time, 90),
        "rawzone": ready_at(time, 1),
        "warehouse": ready_at(time, 90, "0002 missing"),
    }
    assert wait(checks, time.patience(5), told.append) == 1
    assert told[-2:] == [
        "gave up on kafka after 5 s: nobody listens",
        "gave up on warehouse after 5 s: 0002 missing",
    ]


def test_a_reason_is_told_once_until_it_changes() -> None:
    time, told = Time(), list[str]()

    def check() -> None:
        raise Transient("away" if time.now < 4 else "no topic")

    assert wait({"kafka": check}, time.patience(8), told.append) == 1
    assert told[:2] == ["kafka is not ready: away", "kafka is not ready: no topic"]
    assert len(told) == 3


def test_only_the_servers_that_are_named_need_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("VOLWATCH_KAFKA_BOOTSTRAP", "VOLWATCH_WAREHOUSE_HOST", "VOLWATCH_WAREHOUSE_USER"):
        monkeypatch.delenv(name, raising=False)
    assert main(["wait", "warehouse", "kafka"]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  - VOLWATCH_WAREHOUSE_HOST is not set",
        "  - VOLWATCH_WAREHOUSE_USER is not set",
        "  - VOLWATCH_KAFKA_BOOTSTRAP is not set",
    ]


@pytest.mark.parametrize(
    ("adapter", "unneeded"),
    [
        ("volwatch.topics", ["minio", "psycopg2", "structlog"]),
        ("volwatch.rawzone.store", ["confluent_kafka", "psycopg2"]),
        ("volwatch.warehouse.schema", ["confluent_kafka", "minio", "structlog"]),
    ],
)
def test_it_imports_what_the_named_server_needs_and_no_more(adapter: str, unneeded: list[str]) -> None:
    heavy = [*unneeded, "numpy", "pandas", "prometheus_client", "yoyo"]
    program = (
        f"import sys, volwatch.cli, volwatch.operations.wait, {adapter}\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
