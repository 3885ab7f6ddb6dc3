"""Alerts to act on, in a warehouse of a test's own, and the dashboard's role, which alone acts."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.worlds import World
from volwatch.local.stack import ROLES, Stack
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect

INSERT = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, sentence, why, config_hash, detected_at)
VALUES (%(id)s, %(source)s, %(symbol)s, %(kind)s, 'lre', '1', %(onset)s, %(state)s, 'LOW', true, 4, 3.7, 's', '{}', 'h',
    now())
"""
Insert = Callable[..., str]


@pytest.fixture
def dashboard_of_world(stack: Stack, world: World) -> WarehouseSettings:
    return stack.postgres.settings(ROLES["dashboard"], world.warehouse.database)


@pytest.fixture
def acting(dashboard_of_world: WarehouseSettings) -> Iterator[Cursor]:
    """One of the dashboard's role, each of whose statements is a transaction."""
    with closing(connect(dashboard_of_world, application_name="test")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


@pytest.fixture
def insert(world: World) -> Insert:
    def insert(symbol: str = "A", kind: str = "VOLATILITY", state: str = "OPEN", age_days: int = 0) -> str:
        alert_id = str(uuid.uuid4())
        onset = datetime.now(UTC) - timedelta(days=age_days)
        row = {"id": alert_id, "source": "simulator", "symbol": symbol, "kind": kind, "onset": onset, "state": state}
        as_pipeline(world, INSERT, row)
        return alert_id

    return insert


def as_pipeline(
    world: World, statement: str, parameters: Mapping[str, object] | Sequence[object] | None = None
) -> None:
    with (
        closing(connect(world.warehouse, application_name="test")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, parameters)
