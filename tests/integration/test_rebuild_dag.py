"""The DAG of the rebuild through Airflow itself: an hour is a task of its own."""

import time
from collections import Counter
from typing import Any

import pytest

from tests.integration.airflow_api import Api
from tests.integration.test_airflow import TABLES
from tests.integration.worlds import World, end_mark, print_of, simulated
from volwatch.local.stack import Stack

pytestmark = pytest.mark.integration

PARTITION = 4  # test_airflow has loaded another one of the same platform
SYMBOL = "REBUILT"
TOLD = "SELECT sum(trades)::int, bool_and(final) FROM stock_prices WHERE symbol = %s AND bar_seconds = 60"


@pytest.fixture
def world(airflow_stack: Stack) -> World:
    return World(airflow_stack.rawzone_settings, airflow_stack.warehouse_settings("pipeline"))


@pytest.fixture
def api(airflow_stack: Stack) -> Api:
    return Api(airflow_stack.airflow_url)


def load(world: World, rows: int) -> None:
    """Run the minute path until the partition is loaded: the scheduler runs it, too."""
    deadline = time.monotonic() + 120
    position = "SELECT next_offset FROM load_positions WHERE kafka_partition = %s"
    while world.select(position, PARTITION) != [(rows,)]:
        assert time.monotonic() < deadline
        if world.run().busy:
            time.sleep(0.5)


def rebuild(api: Api, first: str) -> dict[str, Any]:
    """Trigger a run; return it when it is over."""
    name = api.ask("dags/rebuild/dagRuns", {"logical_date": None, "conf": {"first": first}})["dag_run_id"]
    deadline = time.monotonic() + 240
    while (run := api.ask(f"dags/rebuild/dagRuns/{name}"))["state"] not in ("success", "failed"):
        assert time.monotonic() < deadline, run
        time.sleep(0.5)
    return run


def test_a_repaired_hour_is_rebuilt_by_a_task_an_hour_and_again_nothing_changes(world: World, api: Api) -> None:
    trades = [print_of(trade, symbol=SYMBOL) for trade in simulated(minutes=130)]
    rows = [*trades, end_mark(trades[-1])]
    half = len(rows) // 2
    key = world.put(PARTITION, 0, rows[:half])
    world.rawzone.put(key, b"no gzip")
    for first in range(half, len(rows), 500):
        world.put(PARTITION, first, rows[first : first + 500])
    load(world, len(rows))
    assert world.select(TOLD, SYMBOL) == [(len(trades) - half, True)]
    world.put(PARTITION, 0, rows[:half])
    run = rebuild(api, "2026-01-05T15:00Z")
    found = api.ask(f"dags/rebuild/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
    assert Counter((task["task_id"], task["state"]) for task in found) == {
        ("plan", "success"): 1,
        ("rebuild_hour", "success"): 2,
        ("finish", "success"): 1,
    }
    hours = sorted(task["rendered_map_index"] for task in found if task["task_id"] == "rebuild_hour")
    assert hours == [f"2026-01-05T{hour}:00:00+00:00" for hour in (15, 16)]
    assert world.select(TOLD, SYMBOL) == [(len(trades), True)]
    before = {table: world.rows(table) for table in TABLES}
    assert rebuild(api, "2026-01-05T15:00Z")["state"] == "success"
    assert {table: world.rows(table) for table in TABLES} == before
