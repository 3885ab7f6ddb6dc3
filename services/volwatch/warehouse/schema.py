"""Which migrations there are and which a database has: all that a stage needs to know before it starts.

Whoever only asks needs no migration tool; ``migrations`` applies them.
"""

from contextlib import closing
from pathlib import Path

from psycopg2 import Error, errors

from volwatch.errors import Misconfigured, Transient
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect

IMAGE_FOLDER = Path("/app/sql")
APPLIED_TABLE = "_yoyo_migration"
_TIMEOUT_SECONDS = 10.0


def default_folder() -> Path:
    """Return where the migrations are: beside the package in a checkout, in ``/app/sql`` in an image."""
    checkout = Path(__file__).resolve().parents[3] / "sql"
    return checkout if checkout.is_dir() else IMAGE_FOLDER


def no_migrations(folder: Path) -> Misconfigured:
    """Return the fault of a folder without migrations."""
    return Misconfigured([f"there is no .sql file in {folder}"])


def check(settings: WarehouseSettings, application_name: str, folder: Path | None = None) -> None:
    """Return when the role of the settings can connect and every migration of this program is applied.

    A database may have more: those of a later program, before a rollback.

    Raises
    ------
    Misconfigured
        There is no migration in the folder.
    Transient
        The server, the role or a migration is missing.
    """
    folder = folder or default_folder()
    wanted = {file.stem for file in folder.glob("*.sql")}
    if not wanted:
        raise no_migrations(folder)
    missing = sorted(wanted - _applied(settings, application_name))
    if missing:
        raise Transient(f"PostgreSQL, database {settings.database}: not applied yet: {', '.join(missing)}")


def _applied(settings: WarehouseSettings, application_name: str) -> set[str]:
    where = f"PostgreSQL, database {settings.database}"
    with closing(
        connect(settings, application_name=application_name, statement_timeout_seconds=_TIMEOUT_SECONDS)
    ) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT migration_id FROM {APPLIED_TABLE}")  # noqa: S608 - a constant
                return {name for (name,) in cursor.fetchall()}
        except errors.UndefinedTable as error:
            raise Transient(f"{where}: no migration is applied yet") from error
        except errors.InsufficientPrivilege as error:
            raise Transient(f"{where}: {settings.user} may not yet read which migrations are applied") from error
        except Error as error:
            raise Transient(f"{where}: {str(error).strip()}") from error
