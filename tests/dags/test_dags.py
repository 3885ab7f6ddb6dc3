"""The DAG folder as Airflow's own parser reads it, in a process of its own that may open no connection."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "airflow/dags"
KNOWN = {"market_pipeline", "maintenance", "quote_fetch", "rebuild"}
# Where the work of a DAG is, if not where that of most is.
COMMANDS = {"rebuild": "volwatch.pipeline.rebuild_command"}
FORBIDDEN = ("confluent_kafka", "minio", "psycopg2", "pandas", "volwatch")

Parsed = dict[str, Any]

PARSE = """
import json, socket, sys, time
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

def refuse(*args, **kwargs):
    raise AssertionError("parsing a DAG opened a connection")

socket.socket.connect = socket.socket.connect_ex = refuse
def parse(folder):
    already, started = set(sys.modules), time.process_time()
    bag = DagBag(folder)
    parse_seconds = time.process_time() - started
    return {
        "errors": bag.import_errors,
        "parse_seconds": parse_seconds,
        "imported": sorted({name.partition(".")[0] for name in set(sys.modules) - already}),
        "dags": {dag.dag_id: facts_of(dag) for dag in bag.dags.values()},
    }

def seconds(delta):
    return None if delta is None else delta.total_seconds()

def facts_of(dag):
    return {
        "file": Path(dag.fileloc).name,
        "schedule": dag.schedule,
        "timezone": str(dag.timezone),
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "paused": dag.is_paused_upon_creation,
        "run_timeout_seconds": seconds(dag.dagrun_timeout),
        "doc_md": dag.doc_md,
        "tags": sorted(dag.tags),
        "tasks": {task.task_id: facts_of_task(task) for task in dag.tasks},
    }

def facts_of_task(task):
    code = task.python_callable.__code__
    return {
        "retries": task.retries,
        "retry_delay_seconds": seconds(task.retry_delay),
        "timeout_seconds": seconds(task.execution_timeout),
        "imports": sorted(name for name in code.co_names if name.startswith("volwatch")),
    }

print("FACTS" + json.dumps([parse(folder) for folder in sys.argv[1:]]))
"""

CARELESS = """
import socket
from airflow.sdk import dag

socket.create_connection(("127.0.0.1", 9))
"""


def parse(home: Path, *folders: Path) -> list[Parsed]:
    """Return what Airflow makes of each folder of DAG files."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    command = [sys.executable, "-c", PARSE, *map(str, folders)]
    done = subprocess.run(command, env=kept | settings, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("FACTS"))
    parsed: list[Parsed] = json.loads(line.removeprefix("FACTS"))
    return parsed


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Parsed]:
    """Return what becomes of our DAGs, and of one that does what a DAG must not."""
    careless = tmp_path_factory.mktemp("dags")
    (careless / "careless.py").write_text(CARELESS, "utf-8")
    return parse(tmp_path_factory.mktemp("airflow"), DAGS, careless)


@pytest.fixture(scope="session")
def parsed(both: list[Parsed]) -> Parsed:
    return both[0]


def shape(dag: Parsed) -> Parsed:
    """Return what a DAG and its tasks are told, without its text and what its tasks do."""
    tasks = {
        name: {key: value for key, value in task.items() if key != "imports"} for name, task in dag["tasks"].items()
    }
    return {key: value for key, value in dag.items() if key != "doc_md"} | {"tasks": tasks}


def test_every_file_is_parsed_without_an_error(parsed: Parsed) -> None:
    assert parsed["errors"] == {}


def test_the_dags_are_these_and_no_others(parsed: Parsed) -> None:
    assert set(parsed["dags"]) == KNOWN, "a DAG was added or removed: add it to KNOWN and state its schedule below"
    assert {dag["file"] for dag in parsed["dags"].values()} == {path.name for path in DAGS.glob("*.py")}


def test_the_minute_path_runs_every_minute_one_run_at_a_time(parsed: Parsed) -> None:
    assert shape(parsed["dags"]["market_pipeline"]) == {
        "file": "market_pipeline.py",
        "schedule": "* * * * *",
        "timezone": "UTC",
        "catchup": False,
        "max_active_runs": 1,
        "paused": False,
        "run_timeout_seconds": 600.0,
        "tags": ["volwatch"],
        "tasks": {"load_compute_alert": {"retries": 1, "retry_delay_seconds": 5.0, "timeout_seconds": 300.0}},
    }


def test_the_maintenance_runs_once_a_day(parsed: Parsed) -> None:
    assert shape(parsed["dags"]["maintenance"]) == {
        "file": "maintenance.py",
        "schedule": "15 2 * * *",
        "timezone": "UTC",
        "catchup": False,
        "max_active_runs": 1,
        "paused": False,
        "run_timeout_seconds": 7200.0,
        "tags": ["volwatch"],
        "tasks": {
            name: {"retries": 2, "retry_delay_seconds": 300.0, "timeout_seconds": 3600.0}
            for name in ("keep_house", "measure_sessions")
        },
    }


def test_quotes_are_fetched_every_minute_one_run_at_a_time(parsed: Parsed) -> None:
    assert shape(parsed["dags"]["quote_fetch"]) == {
        "file": "quote_fetch.py",
        "schedule": "* * * * *",
        "timezone": "UTC",
        "catchup": False,
        "max_active_runs": 1,
        "paused": False,
        "run_timeout_seconds": 300.0,
        "tags": ["volwatch"],
        "tasks": {"fetch_and_publish": {"retries": 1, "retry_delay_seconds": 5.0, "timeout_seconds": 120.0}},
    }


def test_the_rebuild_runs_by_hand_in_three_tasks(parsed: Parsed) -> None:
    dag = shape(parsed["dags"]["rebuild"])
    assert (dag["schedule"], dag["catchup"], dag["max_active_runs"], dag["paused"]) == (None, False, 1, False)
    assert list(dag["tasks"]) == ["plan", "rebuild_hour", "finish"]


@pytest.mark.parametrize("dag", sorted(KNOWN))
def test_a_dag_tells_its_operator_what_it_does_and_needs(parsed: Parsed, dag: str) -> None:
    text = parsed["dags"][dag]["doc_md"]
    assert text.startswith(f"# {dag}")
    assert "What it needs in its environment" in text


@pytest.mark.parametrize("dag", sorted(KNOWN))
def test_every_task_calls_the_pipeline(parsed: Parsed, dag: str) -> None:
    for task in parsed["dags"][dag]["tasks"].values():
        assert task["imports"] == [COMMANDS.get(dag, "volwatch.pipeline.command")]


@pytest.mark.parametrize("dag", sorted(KNOWN))
def test_a_task_may_take_all_its_tries_before_its_run_is_ended(parsed: Parsed, dag: str) -> None:
    one = parsed["dags"][dag]
    for task in one["tasks"].values():
        needed = task["timeout_seconds"] + task["retry_delay_seconds"]
        assert task["retries"] >= 1
        assert needed < one["run_timeout_seconds"]


def test_parsing_imports_no_part_of_the_platform_and_takes_no_time(parsed: Parsed) -> None:
    assert [name for name in parsed["imported"] if name in FORBIDDEN] == []
    assert parsed["parse_seconds"] < 1.0


def test_a_file_that_connects_while_it_is_parsed_is_caught(both: list[Parsed]) -> None:
    """So the tests above can fail."""
    (error,) = both[1]["errors"].values()
    assert "parsing a DAG opened a connection" in error
