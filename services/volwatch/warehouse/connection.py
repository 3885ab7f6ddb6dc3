"""How every stage connects to PostgreSQL."""

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.errors import Transient
from volwatch.settings import WarehouseSettings

CONNECT_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 120.0


def connect(
    settings: WarehouseSettings,
    *,
    application_name: str,
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
) -> Connection:
    """Return a connection whose session speaks UTC and gives up on a statement that takes too long.

    Parameters
    ----------
    settings : WarehouseSettings
        The server, the database and the role.
    application_name : str
        What ``pg_stat_activity`` shows.
    statement_timeout_seconds : float
        Longest a statement may run; 0 for ever.

    Raises
    ------
    Transient
        The server cannot be reached, or refuses the connection.
    """
    try:
        connection: Connection = psycopg2.connect(
            None,
            None,
            None,
            **connection_arguments(settings, application_name, statement_timeout_seconds),
            host=settings.host,
            port=settings.port,
            dbname=settings.database,
            user=settings.user,
            password=settings.password.get_secret_value() if settings.password else None,
        )
    except psycopg2.OperationalError as error:
        raise Transient(f"PostgreSQL at {settings.host}:{settings.port}: {str(error).strip()}") from error
    return connection


def connection_arguments(
    settings: WarehouseSettings, application_name: str, statement_timeout_seconds: float
) -> dict[str, str]:
    """Return the libpq parameters that say how to connect, not where or as whom."""
    options = {
        "timezone": "UTC",
        "statement_timeout": f"{round(statement_timeout_seconds * 1000)}ms",
        "client_encoding": "UTF8",
    }
    return {
        "application_name": application_name,
        "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
        "sslmode": settings.sslmode,
        # A server that vanished without a word is noticed in half a minute, not in two hours.
        "keepalives_idle": "15",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }
