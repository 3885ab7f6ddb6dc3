"""The DAGs through Airflow itself: scheduler, task process and API, on the stack's own object store and database."""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.worlds import World, end_mark, print_of, simulated
from volwatch.local.airflow import default_dags_folder
from volwatch.local.stack import Stack

SYMBOL = "AIRFLOW"
TABLES = ("stock_prices", "stock_volatility", "stock_signals", "stock_alerts", "raw_objects", "load_positions")
Run = Mapping[str, Any]


class Api:
    """Airflow's REST API, which asks nobody for a password here."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v2"

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/{path}", data, headers)  # noqa: S310 - our own http address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            answered: dict[str, Any] = json.load(answer)
        return answered

    def trigger(self, dag: str) -> Run:
        """Start a run; return it when it is over."""
        name = self.ask(f"dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        return self._over(lambda: self.ask(f"dags/{dag}/dagRuns/{name}"))

    def scheduled(self, dag: str, after: datetime) -> Run:
        """Return the first run of the scheduler's own that began after a time, when it is over."""
        query = f"dags/{dag}/dagRuns?run_type=scheduled&order_by=start_date&start_date_gte={after:%Y-%m-%dT%H:%M:%SZ}"
        return self._over(lambda: next(iter(self.ask(query)["dag_runs"]), {"state": "none"}))

    def _over(self, look: Callable[[], Run], seconds: float = 150.0) -> Run:
        deadline = time.monotonic() + seconds
        while (run := look())["state"] not in ("success", "failed"):
            assert time.monotonic() < deadline, run
            time.sleep(0.5)
        return run

    def task_states(self, run: Run) -> dict[str, str]:
        found = self.ask(f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}


@pytest.fixture
def world(airflow_stack: Stack) -> World:
    return World(airflow_stack.rawzone_settings, airflow_stack.warehouse_settings("pipeline"))


@pytest.fixture
def api(airflow_stack: Stack) -> Api:
    return Api(airflow_stack.airflow_url)


def test_the_minute_path_runs_by_schedule_and_a_second_run_adds_nothing(world: World, api: Api) -> None:
    trades = [print_of(trade, symbol=SYMBOL) for trade in simulated(minutes=40)]
    world.put_all([*trades, end_mark(trades[-1])], partition=5)
    first = api.scheduled("market_pipeline", after=datetime.now(UTC))
    assert api.task_states(first) == {"load_compute_alert": "success"}
    in_bars = "SELECT sum(trades)::int, bool_and(final) FROM stock_prices WHERE symbol = %s AND bar_seconds = 60"
    assert world.select(in_bars, SYMBOL) == [(len(trades), True)]
    assert world.select("SELECT count(*) > 0 FROM stock_volatility WHERE symbol = %s", SYMBOL) == [(True,)]
    before = {table: world.rows(table) for table in TABLES}
    second = api.trigger("market_pipeline")
    assert api.task_states(second) == {"load_compute_alert": "success"}
    assert {table: world.rows(table) for table in TABLES} == before


def test_the_maintenance_runs(world: World, api: Api) -> None:
    begun = datetime.now(UTC)
    run = api.trigger("maintenance")
    assert api.task_states(run) == {"keep_house": "success", "measure_sessions": "success"}
    counted = "SELECT count(DISTINCT kafka_partition) FROM reconciliations WHERE checked_at >= %s"
    assert world.select(counted, begun) == [(6,)]


def test_quotes_are_skipped_where_there_is_no_token(api: Api) -> None:
    assert api.task_states(api.trigger("quote_fetch")) == {"fetch_and_publish": "skipped"}


def test_airflow_lists_its_dags_and_needs_no_password(airflow_stack: Stack) -> None:
    found = Api(airflow_stack.airflow_url).ask("dags")
    assert {dag["dag_id"] for dag in found["dags"]} == {path.stem for path in default_dags_folder().glob("*.py")}
