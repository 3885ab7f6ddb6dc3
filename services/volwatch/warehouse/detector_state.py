"""How far the detector has come: its engines' states, and where to start when there is none that can be used."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case
from psycopg2.extras import Json

from volwatch.analytics.state import VERSION
from volwatch.warehouse.writer import engine_state


@dataclass(frozen=True, slots=True)
class Start:
    """Where the engine of a partition starts.

    Attributes
    ----------
    state : that it goes on from; None: from the beginning.
    next_offset : of the first record that the state does not know.
    since_offset : where the detector took over from the minute path.
    revision : of the minute path's state.
    is_own : the detector saved it itself.
    """

    state: bytes | None
    next_offset: int
    since_offset: int
    revision: int
    is_own: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """The state of one partition's engine after every offset below ``next_offset``; see ``Start``."""

    partition: int
    state: bytes
    next_offset: int
    since_offset: int
    revision: int
    watermarks: Mapping[str, int]


def start(cursor: Cursor, partition: int, config_hash: str) -> Start:
    """Return where to start with a partition: at the farther of the detector's own state and the minute path's.

    The detector's own counts only under the same settings, and while no rebuild has replaced the minute path's: both
    paths then go on from one state, and say the same.

    Raises
    ------
    Misconfigured
        The minute path's state is of another version, or damaged.
    """
    cursor.execute(
        """SELECT position.next_offset, held.revision
           FROM (SELECT %s::integer AS kafka_partition) AS asked
           LEFT JOIN load_positions AS position USING (kafka_partition)
           LEFT JOIN engine_state AS held USING (kafka_partition)""",
        (partition,),
    )
    row = cursor.fetchone()
    loaded, revision = (each or 0 for each in row or (0, 0))  # before the first run there is neither
    own = _own(cursor, partition, config_hash, revision)
    if own is not None and own.next_offset >= loaded:
        return own
    return Start(engine_state(cursor, partition, VERSION), loaded, loaded, revision, is_own=False)


def _own(cursor: Cursor, partition: int, config_hash: str, revision: int) -> Start | None:
    cursor.execute(
        """SELECT state, next_offset, since_offset FROM detector_state
           WHERE kafka_partition = %s AND engine_version = %s AND config_hash = %s AND revision = %s
               AND checksum = encode(sha256(state), 'hex')""",
        (partition, VERSION, config_hash, revision),
    )
    row = cursor.fetchone()
    return None if row is None else Start(bytes(row[0]), row[1], row[2], revision, is_own=True)


def revisions(cursor: Cursor, partitions: Sequence[int]) -> dict[int, int]:
    """Return the revision of the minute path's state of each partition; 0 where there is none."""
    cursor.execute(
        "SELECT kafka_partition, revision FROM engine_state WHERE kafka_partition = ANY(%s)", (list(partitions),)
    )
    return dict.fromkeys(partitions, 0) | dict(cursor.fetchall())


def write(cursor: Cursor, saved: Saved, config_hash: str) -> None:
    """Save the state of a partition's engine, unless one that has come further is saved already."""
    checksum = hashlib.sha256(saved.state).hexdigest()
    cursor.execute(
        """INSERT INTO detector_state AS held (kafka_partition, next_offset, since_offset, revision, watermarks,
               engine_version, config_hash, checksum, state)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (kafka_partition) DO UPDATE SET next_offset = excluded.next_offset,
               since_offset = excluded.since_offset, revision = excluded.revision, watermarks = excluded.watermarks,
               engine_version = excluded.engine_version, config_hash = excluded.config_hash,
               checksum = excluded.checksum, state = excluded.state, updated_at = now()
           WHERE held.next_offset <= excluded.next_offset OR held.revision <> excluded.revision
               OR held.config_hash <> excluded.config_hash""",
        (
            saved.partition,
            saved.next_offset,
            saved.since_offset,
            saved.revision,
            Json(dict(saved.watermarks)),
            VERSION,
            config_hash,
            checksum,
            saved.state,
        ),
    )
