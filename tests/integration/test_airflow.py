"""The DAGs through Airflow itself: scheduler, task process and API, on the stack's own object store and database."""

from datetime import UTC, datetime

import pytest

from tests.integration.airflow_api import Api
from tests.integration.worlds import World, end_mark, print_of, simulated
from volwatch.local.airflow import default_dags_folder
from volwatch.local.stack import Stack

SYMBOL = "AIRFLOW"
TABLES = ("stock_prices", "stock_volatility", "stock_signals", "stock_alerts", "raw_objects", "load_positions")


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
