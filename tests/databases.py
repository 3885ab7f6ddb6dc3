"""Databases of tests' own: each a copy of one that was migrated once on its server, which takes a tenth of the time."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import sql

from volwatch.local.postgres import Postgres
from volwatch.warehouse import provision
from volwatch.warehouse.migrations import migrate

_TEMPLATE = "volwatch_template"


@contextmanager
def own_database(postgres: Postgres) -> Iterator[str]:
    """Make an empty warehouse; it goes at the end."""
    database = f"volwatch_{uuid.uuid4().hex[:8]}"
    make_warehouse(postgres, database)
    yield database
    with postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def make_warehouse(postgres: Postgres, database: str) -> None:
    """Make an empty warehouse as ``provision`` and ``migrate`` leave it."""
    owner, guests = provision.OWNER, provision.STAGES
    with postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (_TEMPLATE,))
        if cursor.fetchone() is None:
            provision.ensure_database(admin, _TEMPLATE, owner=owner, guests=guests)
            migrate(postgres.settings(owner, _TEMPLATE))
        names = [sql.Identifier(name) for name in (database, _TEMPLATE, owner)]
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))
        # What is granted on a database as a whole is not copied.
        provision.ensure_database(admin, database, owner=owner, guests=guests)
        cursor.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO volwatch_pipeline").format(sql.Identifier(database)))
