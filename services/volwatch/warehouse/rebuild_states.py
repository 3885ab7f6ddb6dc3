"""States of the engine kept from time to time, so that a rebuild need not begin with the first trade; and the plans of
rebuilds that are done in pieces."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

KEPT_EVERY_HOUR = timedelta(days=2)
"""For so long after it was made every state is kept; then the first of each day."""
KEPT_AT_ALL = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a partition's engine after every offset below ``next_offset``, which came in within ``hour``."""

    next_offset: int
    hour: datetime
    state: bytes


def keep_states(cursor: Cursor) -> int:
    """Keep the state of each partition that has none of the hour it has reached; return how many were kept.

    To be called at the end of a minute transaction. Costs a probe of an index when there is nothing to keep.
    """
    cursor.execute(
        """INSERT INTO engine_snapshots
               (kafka_partition, next_offset, hour, engine_version, config_hash, checksum, state)
           SELECT kafka_partition, next_offset, hour, engine_version, config_hash, checksum, state
           FROM engine_state JOIN load_positions AS reached USING (kafka_partition)
           WHERE NOT EXISTS (SELECT FROM engine_snapshots AS kept
                             WHERE kept.kafka_partition = reached.kafka_partition AND kept.hour >= reached.hour)
           ON CONFLICT (kafka_partition, next_offset) DO NOTHING"""
    )
    return cursor.rowcount


def keep_state(cursor: Cursor, partition: int, snapshot: Snapshot, version: str, config_hash: str) -> None:
    """Keep one state, in the place of one of the same offset."""
    checksum = hashlib.sha256(snapshot.state).hexdigest()
    cursor.execute(
        """INSERT INTO engine_snapshots
               (kafka_partition, next_offset, hour, engine_version, config_hash, checksum, state)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (kafka_partition, next_offset) DO UPDATE SET hour = excluded.hour, made_at = now(),
               engine_version = excluded.engine_version, config_hash = excluded.config_hash,
               checksum = excluded.checksum, state = excluded.state""",
        (partition, snapshot.next_offset, snapshot.hour, version, config_hash, checksum, snapshot.state),
    )


def newest_state(cursor: Cursor, partition: int, offset: int, version: str) -> Snapshot | None:
    """Return the newest state of this version that was kept before an offset, or of it, and is whole."""
    cursor.execute(
        """SELECT next_offset, hour, state FROM engine_snapshots
           WHERE kafka_partition = %s AND next_offset <= %s AND engine_version = %s
               AND checksum = encode(sha256(state), 'hex')
           ORDER BY next_offset DESC LIMIT 1""",
        (partition, offset, version),
    )
    row = cursor.fetchone()
    return None if row is None else Snapshot(row[0], row[1], bytes(row[2]))


def state_at(cursor: Cursor, partition: int, next_offset: int, version: str) -> bytes | None:
    """Return the state that was kept of an offset, by this version."""
    cursor.execute(
        """SELECT state FROM engine_snapshots
           WHERE kafka_partition = %s AND next_offset = %s AND engine_version = %s""",
        (partition, next_offset, version),
    )
    row = cursor.fetchone()
    return None if row is None else bytes(row[0])


def forget_states_after(cursor: Cursor, partition: int, next_offset: int, but: Sequence[int]) -> int:
    """Forget the states behind an offset, but those of some offsets; they follow from what a rebuild has changed."""
    cursor.execute(
        """DELETE FROM engine_snapshots
           WHERE kafka_partition = %s AND next_offset > %s AND next_offset <> ALL(%s::bigint[])""",
        (partition, next_offset, list(but)),
    )
    return cursor.rowcount


def forget_states(cursor: Cursor, now: datetime) -> int:
    """Forget the states that are too old, or too many; return how many. For the daily maintenance."""
    cursor.execute(
        """DELETE FROM engine_snapshots AS kept
           WHERE hour < %(oldest)s OR (made_at < %(thinned)s AND EXISTS (
               SELECT FROM engine_snapshots AS other
               WHERE other.kafka_partition = kept.kafka_partition AND other.next_offset < kept.next_offset
                   AND other.hour >= date_trunc('day', kept.hour, 'UTC')))""",
        {"oldest": now - KEPT_AT_ALL, "thinned": now - KEPT_EVERY_HOUR},
    )
    return cursor.rowcount


def write_plan(cursor: Cursor, plan: bytes) -> int:
    """Store the plan of a rebuild in pieces; return its number."""
    cursor.execute("INSERT INTO rebuilds (plan) VALUES (%s) RETURNING rebuild_id", (plan,))
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("a statement that always gives a row gave none")
    return int(row[0])


def read_plan(cursor: Cursor, rebuild_id: int) -> bytes | None:
    """Return the plan of a rebuild."""
    cursor.execute("SELECT plan FROM rebuilds WHERE rebuild_id = %s", (rebuild_id,))
    row = cursor.fetchone()
    return None if row is None else bytes(row[0])


def finish_plan(cursor: Cursor, rebuild_id: int) -> None:
    """Note that a rebuild in pieces is done."""
    cursor.execute(
        "UPDATE rebuilds SET finished_at = now() WHERE rebuild_id = %s AND finished_at IS NULL", (rebuild_id,)
    )
