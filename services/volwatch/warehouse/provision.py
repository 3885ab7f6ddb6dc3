"""The roles and databases that exist before the first migration, each with no more rights than its stage needs."""

from collections.abc import Mapping

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

OWNER = "volwatch_owner"  # migrates; owns every table
PIPELINE = "volwatch_pipeline"  # writes rows
DASHBOARD = "volwatch_dashboard"  # reads, and acknowledges alerts through a function
READONLY = "volwatch_readonly"  # Grafana, analysts
AIRFLOW = "airflow"  # Airflow's own database, and nothing of ours
ROLES = (OWNER, PIPELINE, DASHBOARD, READONLY, AIRFLOW)
STAGES = (PIPELINE, DASHBOARD, READONLY)

DATABASE = "volwatch"
AIRFLOW_DATABASE = "airflow"


def provision(admin: Connection, passwords: Mapping[str, str]) -> None:
    """Give every role its password and both databases to their owners; running it again changes nothing.

    Parameters
    ----------
    admin : connection
        In autocommit mode, under a role that may create roles and databases.
    passwords : mapping
        One for each of ``ROLES``.
    """
    for role in ROLES:
        ensure_role(admin, role, passwords[role])
    ensure_database(admin, DATABASE, owner=OWNER, guests=STAGES)
    ensure_database(admin, AIRFLOW_DATABASE, owner=AIRFLOW)


def ensure_role(admin: Connection, role: str, password: str) -> None:
    """Let the role exist and log in with this password, without any right over the server."""
    with admin.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
        verb = sql.SQL("ALTER" if cursor.fetchone() is not None else "CREATE")
        cursor.execute(
            sql.SQL("{} ROLE {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                verb, sql.Identifier(role), sql.Literal(password)
            )
        )


def ensure_database(admin: Connection, database: str, *, owner: str, guests: tuple[str, ...] = ()) -> None:
    """Let the database exist; nobody but its owner and the guests may connect to it."""
    name = sql.Identifier(database)
    with admin.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (database,))
        if cursor.fetchone() is None:
            # An administrator who is no superuser may give a database only to a role it is a member of.
            if not _is_superuser(admin):
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(owner)))
            cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner)))
        cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        for guest in guests:
            cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(guest)))


def _is_superuser(admin: Connection) -> bool:
    return admin.info.parameter_status("is_superuser") == "on"
