"""What a pipeline run writes. All of it happens in the caller's transaction: rows, alerts, ledger, positions and state
become visible together, or not at all."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

import pandas as pd
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import execute_values

from volwatch.errors import Misconfigured
from volwatch.warehouse import staging
from volwatch.warehouse.staging import Copy

_RUN_LOCK_KEY = 0x766F6C72  # "volr": held by the one run that writes


@dataclass(frozen=True, slots=True)
class Position:
    """How far a Kafka partition is loaded."""

    next_offset: int
    hour: datetime
    gaps: int


@dataclass(frozen=True, slots=True)
class LoadedObject:
    """A ledger entry: an object of the raw zone and what was taken from it; ``fault`` is why it could not be read.

    ``rows_rejected`` are the trades that went to quarantine when it was loaded: its own, and prints of objects before
    it that were held until then.
    """

    object_key: str
    partition: int
    first_offset: int
    last_offset: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int
    fault: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """What one transaction of a pipeline run did; ``bars`` and ``volatility`` count rows that changed."""

    objects: int
    rows_loaded: int
    rows_rejected: int
    bars: int
    volatility: int
    alerts: int
    newest_event: datetime | None


@dataclass(frozen=True, slots=True)
class QuarantinedTrade:
    """A trade that was not taken, and why; ``record`` is the whole record as it stands on Kafka."""

    partition: int
    offset: int
    source: str
    symbol: str
    reason: str
    record: str


def try_lock(cursor: Cursor) -> bool:
    """Return whether this transaction may write; false when another run is at it. Released at the transaction's end."""
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_RUN_LOCK_KEY,))
    return bool(_one(cursor)[0])


def positions(cursor: Cursor) -> dict[int, Position]:
    """Return how far each partition is loaded."""
    cursor.execute("SELECT kafka_partition, next_offset, hour, gaps FROM load_positions")
    return {partition: Position(next_offset, hour, gaps) for partition, next_offset, hour, gaps in cursor.fetchall()}


def write_position(cursor: Cursor, partition: int, position: Position) -> None:
    """Note how far a partition is loaded."""
    cursor.execute(
        """INSERT INTO load_positions (kafka_partition, next_offset, hour, gaps) VALUES (%s, %s, %s, %s)
           ON CONFLICT (kafka_partition) DO UPDATE SET next_offset = excluded.next_offset, hour = excluded.hour,
               gaps = excluded.gaps, updated_at = now()""",
        (partition, position.next_offset, position.hour, position.gaps),
    )


def write_objects(cursor: Cursor, objects: Sequence[LoadedObject]) -> None:
    """Enter objects into the ledger; one that is there already, and gave nothing new, stays as it is."""
    execute_values(
        cursor,
        """INSERT INTO raw_objects (object_key, kafka_partition, first_offset, last_offset,
               rows_read, rows_loaded, rows_rejected, fault) VALUES %s ON CONFLICT (object_key) DO NOTHING""",
        [astuple(held) for held in objects],
    )


def objects_with(cursor: Cursor, partition: int, first_offset: int, last_offset: int) -> list[str]:
    """Return the keys of the loaded objects that hold any of a range of offsets."""
    cursor.execute(
        """SELECT object_key FROM raw_objects
           WHERE kafka_partition = %s AND first_offset <= %s AND last_offset >= %s ORDER BY first_offset""",
        (partition, last_offset, first_offset),
    )
    return [key for (key,) in cursor.fetchall()]


def write_quarantine(cursor: Cursor, trades: Sequence[QuarantinedTrade]) -> None:
    """Set trades aside, each once."""
    execute_values(
        cursor,
        """INSERT INTO quarantine (kafka_partition, kafka_offset, source, symbol, reason, record) VALUES %s
           ON CONFLICT (kafka_partition, kafka_offset) DO NOTHING""",
        [astuple(trade) for trade in trades],
    )


def engine_state(cursor: Cursor, partition: int, version: str) -> bytes | None:
    """Return the saved state of a partition's engine, None before the first run.

    Raises
    ------
    Misconfigured
        It was saved by another version of the algorithm, or its bytes are not those that were saved.
    """
    cursor.execute("SELECT engine_version, checksum, state FROM engine_state WHERE kafka_partition = %s", (partition,))
    row = cursor.fetchone()
    if row is None:
        return None
    saved_version, checksum, state = row[0], row[1], bytes(row[2])
    if saved_version != version:
        raise _unusable(partition, f"is of version {saved_version}, this program's is {version}")
    if hashlib.sha256(state).hexdigest() != checksum:
        raise _unusable(partition, "is damaged: its checksum differs")
    return state


def _unusable(partition: int, why: str) -> Misconfigured:
    return Misconfigured(
        [f"the engine state of partition {partition} {why}; make it anew: volwatch rebuild --from TIME"]
    )


def write_engine_state(
    cursor: Cursor,
    partition: int,
    state: bytes,
    *,
    version: str,
    config_hash: str,
    watermark: datetime | None,
    is_rebuilt: bool = False,
) -> None:
    """Save the state of a partition's engine; one that a rebuild has made is a new revision."""
    cursor.execute(
        """INSERT INTO engine_state (kafka_partition, watermark, engine_version, config_hash, checksum, state,
               revision)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (kafka_partition) DO UPDATE SET watermark = excluded.watermark,
               engine_version = excluded.engine_version, config_hash = excluded.config_hash,
               checksum = excluded.checksum, state = excluded.state, updated_at = now(),
               revision = engine_state.revision + excluded.revision""",
        (partition, watermark, version, config_hash, hashlib.sha256(state).hexdigest(), state, int(is_rebuilt)),
    )


def write_frame(cursor: Cursor, table: str, frame: pd.DataFrame) -> int:
    """Insert rows, or replace provisional ones; return how many rows that changed."""
    if frame.empty:
        return 0
    return write_rows(cursor, staging.copy_of(table, [staging.columns_of(frame)], is_new=False))


def write_rows(cursor: Cursor, copy: Copy) -> int:
    """Insert rows, or replace provisional ones; return how many rows that changed."""
    return staging.write(cursor, copy)


def write_run(cursor: Cursor, started_at: datetime, run: Run) -> None:
    """Note that a run went through, and what it did."""
    cursor.execute(
        """INSERT INTO pipeline_runs (started_at, objects, rows_loaded, rows_rejected, bars, volatility, alerts,
               newest_event) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        (started_at, *astuple(run)),
    )


def watchlist(cursor: Cursor) -> dict[str, str]:
    """Return the calendar of each symbol on the watch-list."""
    cursor.execute("SELECT symbol, calendar FROM watchlist")
    return dict(cursor.fetchall())


def _one(cursor: Cursor) -> tuple[object, ...]:
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a statement that always gives a row gave none")
    return tuple(row)
