"""Brings the schema up to date: the plain SQL files of ``sql/``, forward only, each exactly once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration

from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect, connection_arguments
from volwatch.warehouse.schema import APPLIED_TABLE, default_folder, no_migrations

APPLICATION_NAME = "volwatch-migrate"
LOCK_KEY = 0x766F6C77  # "volw"; a database of ours holds no other advisory lock of this key


def migrate(settings: WarehouseSettings, folder: Path | None = None) -> list[str]:
    """Apply what is not applied yet, as the role of ``settings``; return the names, in order.

    Two at once are safe: the second waits for the first and then finds nothing to do.

    Raises
    ------
    Misconfigured
        There is no migration in the folder.
    """
    folder = folder or default_folder()
    migrations = read_migrations(str(folder))
    if not migrations:
        raise no_migrations(folder)
    with _locked(settings), _backend(settings) as backend:
        pending = backend.to_apply(migrations)
        backend.apply_migrations(pending)
        return [migration.id for migration in pending]


@contextmanager
def _locked(settings: WarehouseSettings) -> Iterator[None]:
    # The migration tool's own lock is a row, which a killed process leaves behind. This one ends with its session.
    with closing(connect(settings, application_name=APPLICATION_NAME, statement_timeout_seconds=0)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        yield


class _Backend(PostgresqlBackend):  # type: ignore[misc]  # the tool has no types
    """Applies a migration and marks it as applied in one transaction.

    The tool uses two, and writes a log in a third: killed in between, it would find a schema that it does not know of,
    and its log wants the name of the system's user, which a container's has not.
    """

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        self.ensure_internal_schema_updated()
        with self.transaction():
            migration.process_steps(self, "apply", force=force)
            if mark:
                self.mark_one(migration, log=False)


@contextmanager
def _backend(settings: WarehouseSettings) -> Iterator[_Backend]:
    uri = DatabaseURI(
        scheme="postgresql",
        username=settings.user,
        password=settings.password.get_secret_value() if settings.password else None,
        hostname=settings.host,
        port=settings.port,
        database=settings.database,
        args=connection_arguments(settings, APPLICATION_NAME, 0),
    )
    backend = _Backend(uri, APPLIED_TABLE)
    backend.init_database()
    with closing(backend.connection):
        yield backend
