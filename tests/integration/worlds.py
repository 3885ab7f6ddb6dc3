"""A raw zone and a warehouse of a test's own: what is put into the one, and what the minute path makes of it."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.databases import own_database
from volwatch.analytics.bars import MARK_CONDITION
from volwatch.local.stack import Stack
from volwatch.pipeline import minute
from volwatch.pipeline.minute import Report
from volwatch.producer.simulator import Simulator
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.rawzone.store import Rawzone
from volwatch.settings import PipelineSettings, RawzoneSettings, WarehouseSettings, as_environment
from volwatch.trade import Trade
from volwatch.warehouse import provision
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-test"
START_MS = 1_767_625_200_000  # 2026-01-05T15:00:00Z
MINUTE_MS = 60_000

# What tells when a row was written, not what it says.
_CLOCKS = ("updated_at", "recorded_at", "happened_at", "quarantined_at", "event_id", "quarantine_id")


class World:
    """An object store and a database, seen from both ends of the pipeline."""

    def __init__(self, rawzone: RawzoneSettings, warehouse: WarehouseSettings) -> None:
        self.environment = as_environment(rawzone, warehouse)
        self.rawzone_settings = rawzone
        self.rawzone = Rawzone.connect(rawzone)
        self.warehouse = warehouse

    def put(
        self, partition: int, first_offset: int, trades: Sequence[Trade], kafka_time_ms: int | None = None
    ) -> ObjectKey:
        """Store trades as one object, by default as if Kafka had them when they were received; return its key."""
        last_offset = first_offset + len(trades) - 1
        hour = hour_of(trades[0].received_at if kafka_time_ms is None else kafka_time_ms)
        key = ObjectKey(hour, partition, first_offset, last_offset)
        self.rawzone.put(key, encode_object(partition, list(enumerate(trades, first_offset))))
        return key

    def put_all(self, trades: Sequence[Trade], partition: int = 0, rows: int = 1_000) -> None:
        """Store trades in objects of so many rows."""
        for first in range(0, len(trades), rows):
            self.put(partition, first, trades[first : first + rows])

    def run(self, rawzone: Rawzone | None = None, rows_per_transaction: int = 500_000) -> Report:
        """Run the minute path once, in this process."""
        settings = PipelineSettings(rows_per_transaction=rows_per_transaction)
        with closing(connect(self.warehouse, application_name=APPLICATION_NAME)) as connection:
            return minute.run(connection, rawzone or self.rawzone, settings, lambda: datetime.now(UTC))

    @contextmanager
    def process(self, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """Run ``volwatch pipeline run`` as a process of its own, and kill it at the end if it still runs."""
        own = {f"VOLWATCH_PIPELINE_{name.upper()}": value for name, value in settings.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "volwatch.cli", "pipeline", "run"],
            env={**os.environ, **self.environment, **own},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with (
            closing(connect(self.warehouse, application_name=APPLICATION_NAME)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall()

    def rows(self, table: str, *without: str, where: str = "true") -> list[str]:
        """Return a whole table, without some columns (``column`` or ``column,key``), in an order of its own."""
        shown = "".join(f" #- '{{{path}}}'" for path in without)
        return [
            row
            for (row,) in self.select(
                f"SELECT (to_jsonb(held){shown})::text FROM {table} AS held WHERE {where} ORDER BY 1"
            )
        ]

    def outcome(self) -> dict[str, list[str]]:
        """Return all that must be the same however the raw rows came; what was taken back in between is left out."""
        whole = ("stock_prices", "stock_volatility", "stock_signals", "quarantine", "load_positions", "engine_state")
        told = {table: self.rows(table, *_CLOCKS, "hour") for table in whole}
        own = (*_CLOCKS, "detected_at", "why,raw_objects", "reached")
        told["stock_alerts"] = self.rows("stock_alerts", *own, where="state <> 'RETRACTED' AND kind <> 'BLIND'")
        steps = "event IN ('CONFIRMED', 'CLOSED') AND bar_start IS NOT NULL"  # without a bar: told again
        told["alert_events"] = self.rows("alert_events", *_CLOCKS, where=steps)
        return told


MakeWorld = Callable[[], World]


@contextmanager
def own_world(stack: Stack) -> Iterator[World]:
    """Make a bucket and a database; the latter goes at the end."""
    rawzone = stack.rawzone_settings.model_copy(update={"bucket": f"raw-{uuid.uuid4().hex[:8]}"})
    Rawzone.connect(rawzone).ensure_bucket()
    with own_database(stack.postgres) as database:
        yield World(rawzone, stack.postgres.settings(provision.PIPELINE, database))


def simulated(minutes: int, symbols: int = 1, rate: float = 0.5, spike_minute: int | None = None) -> list[Trade]:
    """Return a calm market, with a burst of the first symbol where one is asked for."""
    simulator = Simulator("gbm", 1, symbols, rate, START_MS)
    trades: list[Trade] = []
    if spike_minute is not None:
        begin_ms = START_MS + spike_minute * MINUTE_MS
        trades += _read(simulator, begin_ms)
        simulator.spike(begin_ms, simulator.names[0])
    return trades + _read(simulator, START_MS + minutes * MINUTE_MS)


def _read(simulator: Simulator, until_ms: int) -> list[Trade]:
    trades: list[Trade] = []
    more = True
    while more:
        batch = simulator.read(until_ms)
        trades += batch.trades
        more = batch.more
    return trades


def print_of(trade: Trade, **changes: object) -> Trade:
    """Return a trade like another."""
    return msgspec.structs.replace(trade, **changes)


def end_mark(trade: Trade, after_ms: int = 300_000) -> Trade:
    """Return the record that makes the bars before it final."""
    when = trade.received_at + after_ms
    return print_of(trade, event_time=when, received_at=when, size=0.0, conditions=(MARK_CONDITION,))
