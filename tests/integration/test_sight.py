"""On a real warehouse: what the platform cannot see is an alert of its own, which ends when it sees again."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.worlds import own_world
from volwatch.local.stack import Stack
from volwatch.warehouse import detector_state, provision, sight
from volwatch.warehouse.connection import connect
from volwatch.warehouse.detector_state import Saved
from volwatch.warehouse.sight import Lapses, watch

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def warehouse(stack: Stack) -> Iterator[Cursor]:
    with own_world(stack) as world:
        owner = stack.postgres.settings(provision.OWNER, world.warehouse.database)
        with closing(connect(owner, application_name="test")) as connection:
            yield connection.cursor()


@pytest.fixture
def cursor(warehouse: Cursor) -> Iterator[Cursor]:
    yield warehouse
    warehouse.connection.rollback()


def standing(cursor: Cursor, age: timedelta, symbol: str = "BINANCE:BTCUSDT") -> None:
    cursor.execute(
        """INSERT INTO series_standing VALUES ('finnhub', %s, 'LIVE', now() - %s, now() - %s)
           ON CONFLICT (source, symbol) DO UPDATE SET watermark = excluded.watermark""",
        (symbol, age, age),
    )


def ran(cursor: Cursor, age: timedelta) -> None:
    cursor.execute(
        """INSERT INTO pipeline_runs (started_at, finished_at, objects, rows_loaded, rows_rejected, bars, volatility,
               alerts) VALUES (now() - %s, now() - %s, 1, 1, 0, 1, 1, 0)""",
        (age, age),
    )


def loaded(cursor: Cursor, offset: int, age: timedelta) -> None:
    cursor.execute(
        "INSERT INTO raw_objects VALUES (%s, 0, %s, %s, 1, 1, 0, NULL, now() - %s)", (f"o{offset}", offset, offset, age)
    )


def detected(cursor: Cursor, next_offset: int, **watermarks: int) -> None:
    detector_state.write(cursor, Saved(0, b"state", next_offset, 0, 0, watermarks), "hash")


def alerts(cursor: Cursor) -> list[tuple[Any, ...]]:
    cursor.execute("SELECT source, symbol, state FROM stock_alerts WHERE kind = 'BLIND' ORDER BY recorded_at, 1, 2")
    return cursor.fetchall()


def events(cursor: Cursor) -> list[tuple[Any, ...]]:
    cursor.execute("SELECT event, actor FROM alert_events ORDER BY event_id")
    return cursor.fetchall()


def test_a_silent_feed_is_told_of_once_and_that_it_speaks_again(cursor: Cursor) -> None:
    standing(cursor, timedelta(minutes=6))
    assert (watch(cursor, "pipeline"), watch(cursor, "detector")) == (1, 1)
    assert alerts(cursor) == [("finnhub", "FEED_SILENT", "OPEN")]
    standing(cursor, timedelta(seconds=5))
    assert watch(cursor, "pipeline") == 0
    assert alerts(cursor) == [("finnhub", "FEED_SILENT", "CLOSED")]
    assert events(cursor) == [("OPEN", "watch"), ("CLOSED", "watch")]


def test_what_the_detector_has_just_received_counts_though_the_minute_path_has_not_loaded_it(cursor: Cursor) -> None:
    standing(cursor, timedelta(minutes=6))
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    assert watch(cursor, "detector", {"finnhub": now_ms}) == 0
    detected(cursor, 1, finnhub=now_ms)
    assert watch(cursor, "pipeline") == 0


def test_a_feed_that_was_last_heard_of_weeks_ago_is_not_in_use(cursor: Cursor) -> None:
    standing(cursor, timedelta(days=8))
    assert watch(cursor, "pipeline") == 0


def test_a_detector_that_has_not_taken_what_was_loaded_long_ago_is_behind(cursor: Cursor) -> None:
    detected(cursor, 10)
    loaded(cursor, 9, timedelta(minutes=9))
    loaded(cursor, 10, timedelta(minutes=2))
    assert watch(cursor, "pipeline") == 0
    loaded(cursor, 11, timedelta(minutes=4))
    assert watch(cursor, "pipeline") == 1
    assert alerts(cursor) == [("volwatch", "DETECTOR_BEHIND", "OPEN")]
    detected(cursor, 12)
    assert watch(cursor, "pipeline") == 0
    assert alerts(cursor) == [("volwatch", "DETECTOR_BEHIND", "CLOSED")]


def test_no_detector_at_all_is_not_behind(cursor: Cursor) -> None:
    loaded(cursor, 11, timedelta(minutes=4))
    assert watch(cursor, "pipeline") == 0


def test_a_minute_path_without_a_run_for_minutes_is_behind(cursor: Cursor) -> None:
    ran(cursor, timedelta(minutes=4))
    assert watch(cursor, "detector") == 1
    assert alerts(cursor) == [("volwatch", "PIPELINE_BEHIND", "OPEN")]
    ran(cursor, timedelta(seconds=9))
    assert watch(cursor, "detector") == 0


def test_a_minute_path_that_runs_but_takes_in_nothing_is_behind(
    cursor: Cursor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapses = Lapses()
    ran(cursor, timedelta(seconds=9))
    cursor.execute("INSERT INTO load_positions VALUES (0, 5, now())")
    detected(cursor, 9)
    assert watch(cursor, "detector", lapses=lapses) == 0
    monkeypatch.setattr(sight, "BEHIND", timedelta(0))
    assert watch(cursor, "detector", lapses=lapses) == 1
    cursor.execute("UPDATE load_positions SET next_offset = 9")
    ran(cursor, timedelta(0))
    cursor.execute("UPDATE pipeline_runs SET finished_at = clock_timestamp() + interval '1 s'")
    assert watch(cursor, "detector", lapses=lapses) == 0


def test_the_detector_does_not_judge_itself_nor_the_minute_path_itself(cursor: Cursor) -> None:
    ran(cursor, timedelta(minutes=4))
    detected(cursor, 10)
    loaded(cursor, 11, timedelta(minutes=4))
    assert watch(cursor, "pipeline") == 1
    assert watch(cursor, "detector") == 1
    assert [what for _, what, _ in alerts(cursor)] == ["DETECTOR_BEHIND", "PIPELINE_BEHIND"]
    assert {state for *_, state in alerts(cursor)} == {"OPEN"}
