"""The embedded stack itself: what it promises to everybody who starts it."""

import io
import ipaddress
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from minio import Minio

from volwatch.errors import Misconfigured
from volwatch.local.ports import free_port, is_free
from volwatch.local.process import ProcessExit
from volwatch.local.stack import Stack
from volwatch.settings import KafkaSettings, RawzoneSettings
from volwatch.warehouse.connection import connect

TOPIC = "trades"


def object_store(settings: RawzoneSettings) -> Minio:
    return Minio(
        settings.endpoint,
        access_key=settings.access_key.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        secure=False,
    )


def write_everywhere(stack: Stack) -> None:
    producer = Producer({**stack.kafka_settings.client_config(), "acks": "all"})
    producer.produce(TOPIC, b"message", partition=0)
    assert producer.flush(30) == 0
    object_store(stack.rawzone_settings).put_object("raw", "name", io.BytesIO(b"object"), length=6)
    connection = connect(stack.warehouse_settings("owner"), application_name="test")
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO watchlist VALUES ('ROW', 'XNYS')")
    connection.close()


def read_everywhere(stack: Stack) -> tuple[bytes | None, bytes, list[tuple[str]]]:
    connection = connect(stack.warehouse_settings("readonly"), application_name="test")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT symbol FROM watchlist")
        rows = cursor.fetchall()
    connection.close()
    answer = object_store(stack.rawzone_settings).get_object("raw", "name")
    return first_message(stack.kafka_settings), answer.data, rows


def first_message(settings: KafkaSettings) -> bytes | None:
    consumer = Consumer({**settings.client_config(), "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    message = consumer.poll(30)
    consumer.close()
    value = message.value() if message else None
    assert value is None or isinstance(value, bytes)
    return value


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback


def test_a_restart_on_the_same_folder_serves_the_same_data(folder: Path) -> None:
    with Stack(folder) as first:
        first.start_servers()
        write_everywhere(first)
    with Stack(folder) as second:
        second.start_servers()
        assert read_everywhere(second) == (b"message", b"object", [("ROW",)])


def test_stopping_leaves_no_process_of_any_server(folder: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with Stack(folder, durable=False) as stack:
        stack.start_servers(airflow=True)
        started = [child for child in psutil.Process().children(recursive=True) if child not in before]
        assert len(started) > len(["kafka", "minio", "postgres", "scheduler", "dag-processor", "api-server"])
        assert stack.failed() == []
    assert alive(started) == []


def test_passwords_can_be_read_by_nobody_else(stack: Stack) -> None:
    assert (stack.folder / "passwords.json").stat().st_mode & 0o777 == 0o600


def test_servers_listen_on_the_loopback_interface_only(stack: Stack) -> None:
    pids = [*stack.kafka.pids, *stack.minio.pids, *stack.postgres.pids]
    listening = [c for pid in pids for c in psutil.Process(pid).net_connections("tcp") if c.status == "LISTEN"]
    assert len(listening) >= len(pids)
    assert [c for c in listening if not is_loopback(c.laddr.ip)] == []


def test_a_free_port_is_one_on_which_nothing_listens(stack: Stack) -> None:
    taken = int(stack.minio.endpoint.rpartition(":")[2])

    class TakenFirst(random.Random):
        first = True

        def randint(self, a: int, b: int) -> int:
            drawn = taken if self.first else super().randint(a, b)
            self.first = False
            return drawn

    port = free_port(TakenFirst(1))
    assert port != taken
    assert (is_free(taken), is_free(port)) == (False, True)


def test_a_second_stack_on_a_folder_in_use_is_refused(stack: Stack) -> None:
    with pytest.raises(Misconfigured, match="in use by another"):
        Stack(stack.folder)


def test_a_killed_server_is_told_of_and_can_be_started_again(folder: Path) -> None:
    with Stack(folder, durable=False) as stack:
        stack.start_servers()
        write_everywhere(stack)
        [pid] = stack.minio.pids
        os.kill(pid, signal.SIGKILL)
        while stack.failed() == []:
            time.sleep(0.01)
        assert stack.failed() == [ProcessExit("minio", -signal.SIGKILL, stack.folder / "logs" / "minio.log")]
        stack.minio.start()
        assert stack.failed() == []
        assert read_everywhere(stack) == (b"message", b"object", [("ROW",)])


def test_each_server_comes_back_at_its_address(folder: Path) -> None:
    with Stack(folder, durable=False) as stack:
        stack.start_servers()
        write_everywhere(stack)
        before = stack.environment()
        for server in (stack.kafka, stack.minio, stack.postgres):
            server.stop()
            assert not server.probe()
            server.start()
        assert stack.environment() == before
        assert read_everywhere(stack) == (b"message", b"object", [("ROW",)])


def test_a_stack_that_was_killed_is_no_hindrance_to_the_next(folder: Path) -> None:
    program = (
        "import pathlib, signal; from volwatch.local.stack import Stack\n"
        f"stack = Stack(pathlib.Path({str(folder)!r})); stack.start_servers(); print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert b"up\n" in iter(killed.stdout.readline, b"")
        left = psutil.Process(killed.pid).children(recursive=True)
        killed.kill()
    assert alive(left) != []
    with Stack(folder) as stack:
        stack.start_servers()
        write_everywhere(stack)
        assert alive(left) == []


def test_servers_that_run_already_are_used_and_not_started(
    platform_as: Callable[[str], dict[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = platform_as("owner")
    for name, value in {**platform, "VOLWATCH_AIRFLOW_URL": "http://elsewhere"}.items():
        monkeypatch.setenv(name, value)
    with Stack(folder) as stack:
        stack.start_servers(airflow=True)
        assert list((folder / "logs").iterdir()) == []
        assert {**platform, **stack.environment()} == platform
        assert stack.airflow_url == "http://elsewhere"
        with pytest.raises(Misconfigured, match="VOLWATCH_KAFKA_BOOTSTRAP names a running server"):
            stack.kafka.stop()


def descendants(pid: int) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    return found


@pytest.mark.parametrize("until", ["PostgreSQL is ready", "Ctrl-C stops it"])
def test_sigterm_ends_the_platform_without_a_process_left(folder: Path, until: str) -> None:
    command = [sys.executable, "-m", "volwatch.cli", "local", "up", "--no-airflow", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdout is not None
        told = next(line for line in platform.stdout if until in line)
        running = descendants(platform.pid)
        platform.terminate()
        rest = platform.stdout.read()
    assert (platform.returncode, until in told) == (0, True)
    assert "the data stay in" in rest
    assert running != []
    assert alive(running) == []


def test_the_platform_ends_with_exit_code_1_naming_the_part_that_ended(folder: Path) -> None:
    command = [sys.executable, "-m", "volwatch.cli", "local", "up", "--no-airflow", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdout is not None
        next(line for line in platform.stdout if "Ctrl-C stops it" in line)
        [minio] = [process for process in descendants(platform.pid) if process.name() == "minio"]
        minio.kill()
        rest = platform.stdout.read()
    assert platform.returncode == 1
    assert "minio ended with exit code -9" in rest
