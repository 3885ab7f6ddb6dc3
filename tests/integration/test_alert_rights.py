"""The dashboard's role acts for people, and does nothing else; tried on every table and function there is."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

import pytest
from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the driver names the class in lower case

from tests.integration.acting import Insert, as_pipeline
from tests.integration.worlds import MakeWorld, World
from volwatch.local.stack import ROLES, Stack
from volwatch.warehouse import alert_acts, provision
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.connection import connect

DASHBOARD_FUNCTIONS = {
    "acknowledge_alert",
    "annotate_alert",
    "end_silence",
    "is_silenced",
    "mark_false_positive",
    "silence_alerts",
}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def attempts(cursor: Cursor) -> Iterator[sql.Composed]:
    """Yield what would change each table, view and partition there is."""
    cursor.execute(
        """SELECT relname, (SELECT attname FROM pg_attribute WHERE attrelid = class.oid AND attnum > 0
                            AND attidentity = '' ORDER BY attnum LIMIT 1), relkind = 'v'
           FROM pg_class AS class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"""
    )
    changes = ["INSERT INTO {table} DEFAULT VALUES", "UPDATE {table} SET {column} = {column}", "DELETE FROM {table}"]
    for table, column, is_view in cursor.fetchall():
        named = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
        more = ["DROP VIEW {table}"] if is_view else ["TRUNCATE {table}", "DROP TABLE {table}"]
        for statement in [*changes, *more]:
            yield sql.SQL(statement).format(**named)


def test_the_dashboard_s_role_can_change_no_table(world: World, acting: Cursor) -> None:
    as_pipeline(world, "SELECT ensure_partitions(now(), now())")
    tried = list(attempts(acting))
    assert len(tried) > 100
    not_refused = []
    for attempt in tried:
        try:
            acting.execute(attempt)
        except errors.InsufficientPrivilege:
            continue
        except errors.ObjectNotInPrerequisiteState:  # a view that joins or counts takes no row from anybody
            views = "silenced_alerts|alert_quality|alert_differences|notifier_channels"
            assert re.search(views, attempt.as_string(acting))
            continue
        not_refused.append(attempt.as_string(acting))
    assert not_refused == []


def functions_of(cursor: Cursor, role: str) -> set[str]:
    """Return the functions that a role may call, but for those that only triggers call."""
    cursor.execute(
        """SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
               AND prorettype <> 'trigger'::regtype AND has_function_privilege(%s, oid, 'EXECUTE')""",
        (role,),
    )
    return {name for (name,) in cursor.fetchall()}


def test_the_dashboard_s_role_may_call_the_acts_of_people_and_nothing_else(acting: Cursor) -> None:
    assert functions_of(acting, provision.DASHBOARD) == DASHBOARD_FUNCTIONS
    assert functions_of(acting, provision.READONLY) == {"is_silenced"}
    assert functions_of(acting, provision.PIPELINE) & DASHBOARD_FUNCTIONS == {"is_silenced"}


@pytest.mark.parametrize(
    "statement", ["SELECT ensure_partitions(now(), now())", "SELECT mend_object(0, 0, 'x')", "SELECT told_by('x')"]
)
def test_the_dashboard_s_role_is_refused_what_is_the_pipeline_s(acting: Cursor, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        acting.execute(statement)


@pytest.mark.parametrize("role", ["pipeline", "readonly"])
def test_no_other_role_acts_for_people(stack: Stack, world: World, insert: Insert, role: str) -> None:
    settings = stack.postgres.settings(ROLES[role], world.warehouse.database)
    alert = insert()
    acts: Sequence[Callable[[Cursor], object]] = (
        lambda cursor: alert_acts.annotate(cursor, alert, "Ada", "x"),
        lambda cursor: alert_acts.mark_false_positive(cursor, alert, "Ada", None, is_false=True),
        lambda cursor: alert_acts.silence(cursor, "Ada", "x", Scope(symbol="A"), datetime.now(UTC)),
        lambda cursor: alert_acts.end_silence(cursor, 1, "Ada"),
    )
    for act in acts:
        with (
            closing(connect(settings, application_name="test")) as connection,
            connection.cursor() as cursor,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            act(cursor)
