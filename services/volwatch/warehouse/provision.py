"""The roles and databases that exist before the first migration, each with no more rights than its stage needs."""

from collections.abc import Mapping
from contextlib import closing

from psycopg2 import Error, errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the same

from volwatch.errors import Misconfigured, Transient
from volwatch.settings import WarehouseProvisionSettings, WarehouseSettings
from volwatch.warehouse.connection import connect

APPLICATION_NAME = "volwatch-provision"

OWNER = "volwatch_owner"  # migrates; owns every table
PIPELINE = "volwatch_pipeline"  # writes rows
DETECTOR = "volwatch_detector"  # writes alerts
NOTIFIER = "volwatch_notifier"  # tells of alerts
DASHBOARD = "volwatch_dashboard"  # reads, and acknowledges alerts through a function
READONLY = "volwatch_readonly"  # Grafana, analysts
AIRFLOW = "airflow"  # Airflow's own database, and nothing of ours
ROLES = (OWNER, PIPELINE, DETECTOR, NOTIFIER, DASHBOARD, READONLY, AIRFLOW)
STAGES = (PIPELINE, DETECTOR, NOTIFIER, DASHBOARD, READONLY)

LOCK_KEY = 0x766F6C70  # "volp"

DATABASE = "volwatch"
AIRFLOW_DATABASE = "airflow"


def provision(admin: Connection, passwords: Mapping[str, str]) -> list[str]:
    """Make roles and databases; running it again changes nothing. Return the roles that were made without login.

    A role without a password is left as it is. Where there is none, it is made all the same, without login: the
    migrations grant it rights. Airflow's role and database are made only with its password.

    Parameters
    ----------
    admin : connection
        In autocommit mode, under a role that may create roles and databases.
    passwords : mapping
        Role to password, of those in ``ROLES``.
    """
    with admin.cursor() as cursor:
        # Ends with the session. Two at once would both find a role or a database missing, and both make it.
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
    for role in ROLES:
        if role in passwords:
            ensure_role(admin, role, passwords[role])
    mute = [role for role in (OWNER, *STAGES) if role not in passwords and _make_mute(admin, role)]
    ensure_database(admin, DATABASE, owner=OWNER, guests=STAGES)
    if AIRFLOW in passwords:
        ensure_database(admin, AIRFLOW_DATABASE, owner=AIRFLOW)
    return mute


def provision_server(settings: WarehouseSettings, wanted: WarehouseProvisionSettings) -> list[str]:
    """Do the same on the server and as the administrator that the settings name.

    Raises
    ------
    Misconfigured
        The administrator may not do it.
    Transient
        The server does not answer, or somebody else was changing the same just now.
    """
    given = {
        OWNER: wanted.owner_password,
        PIPELINE: wanted.pipeline_password,
        DETECTOR: wanted.detector_password,
        NOTIFIER: wanted.notifier_password,
        DASHBOARD: wanted.dashboard_password,
        READONLY: wanted.readonly_password,
        AIRFLOW: wanted.airflow_password,
    }
    passwords = {role: secret.get_secret_value() for role, secret in given.items() if secret is not None}
    with closing(connect(settings, application_name=APPLICATION_NAME)) as admin:
        admin.autocommit = True
        try:
            return provision(admin, passwords)
        except errors.InsufficientPrivilege as error:
            raise Misconfigured([f"{settings.user} may not provision PostgreSQL: {str(error).strip()}"]) from error
        except Error as error:
            raise Transient(f"PostgreSQL at {settings.host}:{settings.port}: {str(error).strip()}") from error


def ensure_role(admin: Connection, role: str, password: str) -> None:
    """Let the role exist and log in with this password, without any right over the server."""
    with admin.cursor() as cursor:
        verb = sql.SQL("ALTER" if _exists(cursor, role) else "CREATE")
        cursor.execute(
            sql.SQL("{} ROLE {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                verb, sql.Identifier(role), sql.Literal(password)
            )
        )


def _make_mute(admin: Connection, role: str) -> bool:
    """Make a role that may not log in, unless there is one of this name; return whether it is new."""
    with admin.cursor() as cursor:
        if _exists(cursor, role):
            return False
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOCREATEDB NOCREATEROLE").format(sql.Identifier(role)))
    return True


def _exists(cursor: Cursor, role: str) -> bool:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
    return cursor.fetchone() is not None


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
