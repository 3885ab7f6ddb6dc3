"""The DAG of the rebuild: a plan, an hour mapped over it, an end; by hand only."""

from pathlib import Path

import pytest

from tests.dags.test_dags import DAGS, Parsed, parse


@pytest.fixture(scope="session")
def dag(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    [parsed] = parse(tmp_path_factory.mktemp("airflow"), DAGS)
    assert parsed["errors"] == {}
    return dict(parsed["dags"]["rebuild"])


def test_it_runs_when_it_is_triggered_and_one_run_at_a_time(dag: Parsed) -> None:
    shape = {name: value for name, value in dag.items() if name not in ("doc_md", "tasks")}
    assert shape == {
        "file": "rebuild.py",
        "schedule": None,
        "timezone": "UTC",
        "catchup": False,
        "max_active_runs": 1,
        "paused": False,
        "run_timeout_seconds": 86_400.0,
        "tags": ["volwatch"],
    }


def test_its_tasks_call_the_pipeline_and_may_be_tried_again(dag: Parsed) -> None:
    assert dag["tasks"] == {
        name: {
            "retries": retries,
            "retry_delay_seconds": 30.0,
            "timeout_seconds": hours * 3_600.0,
            "imports": ["volwatch.pipeline.rebuild_command"],
        }
        for name, retries, hours in (("plan", 2, 6), ("rebuild_hour", 3, 1), ("finish", 2, 1))
    }


def test_it_tells_its_operator_what_to_give_and_what_it_does(dag: Parsed) -> None:
    text = dag["doc_md"]
    assert text.startswith("# rebuild")
    for told in ("`first`", "`end`", "`plan`", "`rebuild_hour`", "`finish`", "What it needs in its environment"):
        assert told in text


def test_the_hours_are_mapped() -> None:
    source = (Path(DAGS) / "rebuild.py").read_text("utf-8")
    assert "rebuild_hour.expand(piece=planned)" in source
