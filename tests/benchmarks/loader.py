"""Raw zone to PostgreSQL: the minute path, from gzipped objects to final bars, volatility and alerts, against ``psql``
copying the same rows from a ready CSV file into a table without any index.

The peer does far less: it neither unzips, judges, aggregates nor computes. Its rows are then aggregated in SQL, which
is not timed, and must give the same bars.
"""

import gzip
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.benchmarks.market import MESSAGES, SYMBOLS, trades
from tests.benchmarks.measure import Measured, Timed, Unequal, measure, timed
from tests.benchmarks.servers import Servers
from tests.integration.worlds import end_mark, own_world
from volwatch.local.postgres import binaries
from volwatch.local.stack import Stack
from volwatch.producer.simulator import symbol_names
from volwatch.rawzone.encode import HEADER, encode_object
from volwatch.rawzone.keys import ObjectKey, hour_of
from volwatch.settings import ConsumerSettings, WarehouseSettings
from volwatch.trade import Trade
from volwatch.warehouse import provision
from volwatch.warehouse.connection import connect

PARTITIONS = 6

_PEER_TABLE = """CREATE TABLE peer_rows (partition integer, kafka_offset bigint, source text, symbol text,
    event_time bigint, price double precision, size double precision, conditions text, trade_id text,
    received_at bigint, seq bigint)"""
_OUR_BARS = """SELECT symbol, bar_start, open, high, low, close, volume, trades FROM stock_prices
    WHERE final AND bar_seconds = 60 ORDER BY symbol, bar_start"""
_PEER_BARS = """SELECT symbol, to_timestamp(event_time / 60000 * 60) AS bar_start,
        (array_agg(price ORDER BY event_time, kafka_offset))[1]::numeric(18, 8),
        max(price)::numeric(18, 8), min(price)::numeric(18, 8),
        (array_agg(price ORDER BY event_time DESC, kafka_offset DESC))[1]::numeric(18, 8),
        sum(size)::numeric(24, 8), count(*)
    FROM peer_rows WHERE size > 0 GROUP BY symbol, bar_start ORDER BY symbol, bar_start"""

Objects = list[tuple[ObjectKey, bytes]]
Bars = list[tuple[Any, ...]]


def run(servers: Servers, tell: Callable[[str], None]) -> Measured:
    """Measure both sides on the raw rows of an hour."""
    stack = servers.stack
    tell("loader: making the raw zone")
    market = trades(MESSAGES)
    objects = list(_objects(market))
    file = stack.folder / "rows.csv"
    _write_csv(file, objects)

    def check(made: Bars, expected: Bars) -> None:
        if not made or made != expected:
            raise Unequal("loader: the bars differ")

    rows = len(market) + PARTITIONS
    return measure("loader", "rows/s", rows, lambda: load(stack, objects), lambda: copy(stack, file), check, tell)


def load(stack: Stack, objects: Objects) -> Timed[Bars]:
    """Run the minute path on a raw zone and a warehouse of its own; return the final bars."""
    with own_world(stack) as world:
        for key, data in objects:
            world.rawzone.put(key, data)
        seconds, _ = timed(world.run)
        return seconds, _select(world.warehouse, _OUR_BARS)


def copy(stack: Stack, file: Path) -> Timed[Bars]:
    """Copy the rows into a bare table; return the bars they make."""
    with own_world(stack) as world:
        owner = stack.postgres.settings(provision.OWNER, world.warehouse.database)
        with closing(connect(owner, application_name="volwatch-bench")) as connection, connection.cursor() as cursor:
            cursor.execute(_PEER_TABLE)
            connection.commit()
        seconds, _ = timed(lambda: _psql(owner, f"\\copy peer_rows FROM '{file}' (FORMAT csv, HEADER)"))
        return seconds, _select(owner, _PEER_BARS)


def _objects(market: list[Trade]) -> Iterator[tuple[ObjectKey, bytes]]:
    """Yield what the consumer would have stored: each symbol in one partition, and a mark that makes all bars final."""
    partition_of = {name: number % PARTITIONS for number, name in enumerate(symbol_names(SYMBOLS))}
    parts: list[list[Trade]] = [[] for _ in range(PARTITIONS)]
    for trade in market:
        parts[partition_of[trade.symbol]].append(trade)
    most_rows = ConsumerSettings().flush_rows
    for partition, part in enumerate(parts):
        rows = list(enumerate([*part, end_mark(part[-1])]))
        for first in range(0, len(rows), most_rows):
            held = rows[first : first + most_rows]
            key = ObjectKey(hour_of(market[0].received_at), partition, held[0][0], held[-1][0])
            yield key, encode_object(partition, held)


def _write_csv(file: Path, objects: Objects) -> None:
    with file.open("wb") as lines:
        lines.write(HEADER)
        for _, data in objects:
            lines.write(gzip.decompress(data).removeprefix(HEADER))


def _psql(settings: WarehouseSettings, command: str) -> None:
    assert settings.password is not None
    where = ["-h", settings.host, "-p", str(settings.port), "-U", settings.user, "-d", settings.database]
    subprocess.run(
        [str(binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, "-c", command],
        env={"PGPASSWORD": settings.password.get_secret_value(), "PGSSLMODE": settings.sslmode},
        check=True,
    )


def _select(settings: WarehouseSettings, statement: str) -> Bars:
    with closing(connect(settings, application_name="volwatch-bench")) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()
