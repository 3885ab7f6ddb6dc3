"""A day of a simulated market with every kind of event, taken by the minute path up to now, and what people did."""

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from tests.dashboard.rows import Rows
from tests.integration.worlds import World
from volwatch.local.stack import Stack
from volwatch.producer.simulator import Simulator
from volwatch.warehouse import provision
from volwatch.warehouse.connection import connect
from volwatch.warehouse.reader import Reader
from volwatch.warehouse.readings import AlertFilter, Series

SYMBOLS, RATE, SEED = 12, 4.0, 11
HOURS, HISTORY_DAYS = 26, 60
PARTITIONS = 3
BURST_MINUTES_AGO, BURST_TIMES, BURST_SECONDS = 7, 6.0, 240
ROWS_OF_AN_OBJECT = 20_000


class Market:
    """Puts the trades of every moment into a world, and takes them through the minute path.

    Parameters
    ----------
    world : World
        An empty raw zone and warehouse.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._began_ms = _now_ms() - HOURS * 3_600_000
        self._simulator = Simulator("mixed", SEED, SYMBOLS, RATE, self._began_ms, HISTORY_DAYS)
        self._offsets = [0] * PARTITIONS

    @property
    def burst_symbol(self) -> str:
        """The symbol whose alert is open."""
        return self._simulator.names[2]

    def begin(self) -> None:
        """Take the market up to now, with a burst that is still under way."""
        burst_ms = _now_ms() - BURST_MINUTES_AGO * 60_000
        self._put_until(burst_ms)
        self._simulator.spike(burst_ms, self.burst_symbol, BURST_TIMES, BURST_SECONDS)
        self.go_on()

    def go_on(self) -> None:
        """Take what has come since."""
        self._put_until(_now_ms())
        self._world.run()

    def _put_until(self, until_ms: int) -> None:
        more = True
        while more:
            batch = self._simulator.read(until_ms)
            more = batch.more
            for partition in range(PARTITIONS):
                names = self._simulator.names[partition::PARTITIONS]
                own = [trade for trade in batch.trades if trade.symbol in names]
                for first in range(0, len(own), ROWS_OF_AN_OBJECT):
                    part = own[first : first + ROWS_OF_AN_OBJECT]
                    self._world.put(partition, self._offsets[partition], part)
                    self._offsets[partition] += len(part)


def people(reader: Reader) -> None:
    """Let people do something about a few of the alerts."""
    closed = reader.alerts(AlertFilter(states=("CLOSED",)), 6)["alert_id"].tolist()
    for alert_id in closed[:3]:
        reader.acknowledge(alert_id, "Ada", "seen")
    for alert_id in closed[3:4]:
        reader.mark_false_positive(alert_id, "Grace", "a test print", is_false=True)


def platform(stack: Stack, world: World) -> None:
    """Write what the other stages leave behind once: the notifier's channels, a reconciliation, trades set aside."""
    database = world.warehouse.database
    with closing(_connect(stack, provision.PIPELINE, database)) as pipeline:
        rows = Rows(pipeline)
        checked_at = datetime.now(UTC) - timedelta(hours=5)
        for partition in _positions(pipeline):
            rows.reconciliation(checked_at, partition, missing_raw=0, unloaded=0)
        for offset, reason, age_hours in ((1, "BAD_PRICE", 2), (2, "LATE", 1)):
            rows.rejected(
                offset, reason, '{"symbol": "SIM01", "price": -1.0, "size": 100.0}', timedelta(hours=age_hours)
            )
        pipeline.commit()
    with closing(_connect(stack, provision.NOTIFIER, database)) as notifier, notifier.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notification_channels (channel, kind, last_success_at)
               VALUES ('desk', 'mail', now() - interval '6 minutes'),
                      ('on-call', 'webhook', now() - interval '1 hour')"""
        )
        notifier.commit()


def judge(stack: Stack, world: World) -> None:
    """Write how far a detector would be: a few records ahead of the minute path, which it took over from just now."""
    database = world.warehouse.database
    with closing(_connect(stack, provision.DETECTOR, database)) as detector, detector.cursor() as cursor:
        for partition, offset in _positions(detector).items():
            cursor.execute(
                """INSERT INTO detector_state (kafka_partition, next_offset, since_offset, revision, watermarks,
                       engine_version, config_hash, checksum, state)
                   VALUES (%(partition)s, %(offset)s, %(offset)s, 0, jsonb_build_object('simulator', %(now)s),
                       '1', '0', '0', '')
                   ON CONFLICT (kafka_partition) DO UPDATE
                   SET next_offset = excluded.next_offset, since_offset = excluded.since_offset,
                       watermarks = excluded.watermarks, updated_at = now()""",
                {"partition": partition, "offset": offset + 12, "now": _now_ms()},
            )
        detector.commit()


def _connect(stack: Stack, role: str, database: str) -> Connection:
    return connect(stack.postgres.settings(role, database), application_name="screenshots")


def busiest(reader: Reader, symbol: str) -> Series:
    """Return the series of a symbol."""
    return next(series for series in reader.series() if series.symbol == symbol)


def _positions(connection: Connection) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT kafka_partition, next_offset FROM load_positions ORDER BY kafka_partition")
        return dict(cursor.fetchall())


def _now_ms() -> int:
    return round(time.time() * 1000)
