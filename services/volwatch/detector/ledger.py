"""What the detector reads and writes in the warehouse, each as one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from volwatch.analytics.config import EngineConfig
from volwatch.configuration import engine_config
from volwatch.settings import PipelineSettings
from volwatch.warehouse import detector_state, sight
from volwatch.warehouse.alert_writer import Told, write_transitions
from volwatch.warehouse.detector_state import Saved, Start
from volwatch.warehouse.pool import Pool
from volwatch.warehouse.writer import watchlist


class Ledger:
    """The detector's side of the warehouse; every method raises ``Transient`` while it is away."""

    def __init__(self, pool: Pool, settings: PipelineSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._lapses = sight.Lapses()

    def config(self) -> EngineConfig:
        """Return what the engine is told, as the minute path tells it."""
        with self._transaction() as cursor:
            return engine_config(self._settings, watchlist(cursor))

    def starts(self, partitions: Sequence[int], config: EngineConfig) -> dict[int, Start]:
        """Return where to start with each partition."""
        with self._transaction() as cursor:
            return {partition: detector_state.start(cursor, partition, config.hash) for partition in partitions}

    def revisions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the revision of the minute path's state of each partition."""
        with self._transaction() as cursor:
            return detector_state.revisions(cursor, partitions)

    def write(self, told: Sequence[Told], revisions: Mapping[int, int], config: EngineConfig) -> bool:
        """Write what was found of alerts; return False, with nothing written, if a rebuild came between.

        Parameters
        ----------
        revisions : mapping
            By partition, of the states that it was found with.
        """
        with self._transaction() as cursor:
            if detector_state.revisions(cursor, list(revisions)) != dict(revisions):
                return False
            write_transitions(
                cursor,
                told,
                "detector",
                bars_since=datetime.now(UTC),  # the detector changes no bars
                threshold=config.enter,
                config_hash=config.hash,
            )
        return True

    def save(self, saved: Saved, config: EngineConfig) -> None:
        """Save the state of a partition's engine."""
        with self._transaction() as cursor:
            detector_state.write(cursor, saved, config.hash)

    def watch(self, watermarks: Mapping[str, int]) -> None:
        """Say what cannot be seen, and what can again."""
        with self._transaction() as cursor:
            sight.watch(cursor, "detector", watermarks, self._lapses)

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        with self._pool.lend() as connection, connection, connection.cursor() as cursor:
            yield cursor
