"""The schema, its roles and their rights, on a real PostgreSQL."""

import argparse
import getpass
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2 import errors, sql
from pydantic import SecretStr
from yoyo.backends.core.postgresql import PostgresqlBackend

from volwatch.errors import Transient
from volwatch.local.stack import ROLES, Stack
from volwatch.settings import WarehouseSettings, as_environment
from volwatch.warehouse import migrate_command, provision
from volwatch.warehouse.connection import connect
from volwatch.warehouse.migrations import migrate
from volwatch.warehouse.schema import default_folder

ALERT = "11111111-1111-1111-1111-111111111111"
INSERT_ALERT = f"""
    INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
        confirmed, statistic, threshold, sentence, why, config_hash, detected_at)
    VALUES ('{ALERT}', 'simulator', 'A', 'VOLATILITY', 'range', '1', now(), 'OPEN', 'LOW', true, 4, 3.7, 's', '{{}}',
        'h', now())"""
PARTITION = "SELECT ensure_partitions('2026-01-31T23:59Z', '2026-02-01T00:00Z')"
FORBIDDEN = {
    "pipeline": [
        "DROP TABLE stock_prices",
        "DELETE FROM stock_prices",
        "DELETE FROM stock_alerts",
        "TRUNCATE stock_alerts",
        "CREATE TABLE mine (a integer)",
        "CREATE SCHEMA mine",
        "UPDATE alert_events SET actor = 'x'",
        "UPDATE raw_objects SET rows_read = 0",
        "DELETE FROM notifications",
        "SELECT count(*) FROM notification_deliveries",
        f"SELECT acknowledge_alert('{ALERT}', 'x')",
    ],
    "notifier": [
        "UPDATE stock_alerts SET note = 'x'",
        f"INSERT INTO alert_events (alert_id, event, actor) VALUES ('{ALERT}', 'NOTE', 'x')",
        "SELECT count(*) FROM quarantine",
        "DELETE FROM notification_deliveries",
        "SELECT forget_notifications(now())",
        "CREATE TABLE mine (a integer)",
    ],
    "dashboard": [
        "SELECT count(*) FROM notification_deliveries",
        "INSERT INTO watchlist VALUES ('A', 'XNYS')",
        "UPDATE stock_alerts SET note = 'x'",
        "DELETE FROM alert_events",
        "SELECT state FROM engine_state",
        "CREATE TEMPORARY TABLE mine (a integer)",
        "CREATE TABLE mine (a integer)",
        PARTITION,
        "SELECT drop_partitions('stock_prices', now())",
    ],
    "readonly": [
        "INSERT INTO watchlist VALUES ('A', 'XNYS')",
        "UPDATE stock_alerts SET note = 'x'",
        "CREATE TABLE mine (a integer)",
        f"SELECT acknowledge_alert('{ALERT}', 'x')",
        PARTITION,
    ],
}


@pytest.fixture
def empty(stack: Stack) -> Iterator[str]:
    """A provisioned database without a schema."""
    database = f"volwatch_{uuid.uuid4().hex[:8]}"
    with stack.postgres.admin() as admin:
        provision.ensure_database(admin, database, owner=provision.OWNER, guests=provision.STAGES)
        yield database
        with admin.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


@pytest.fixture
def owner(stack: Stack, empty: str) -> WarehouseSettings:
    return stack.postgres.settings(provision.OWNER, empty)


def execute(settings: WarehouseSettings, statement: str) -> list[tuple[object, ...]]:
    with closing(connect(settings, application_name="test")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def all_migrations() -> list[str]:
    return sorted(file.stem for file in default_folder().glob("*.sql"))


def test_every_migration_is_applied_once_and_in_order(owner: WarehouseSettings) -> None:
    assert migrate(owner) == all_migrations()
    assert migrate(owner) == []


def test_two_migrations_at_once_apply_each_file_once(owner: WarehouseSettings) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _turn: migrate(owner), range(4)))
    assert sorted(applied) == [[], [], [], all_migrations()]


def test_a_migration_that_was_not_marked_was_not_applied(
    owner: WarehouseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (a integer);")
    with monkeypatch.context() as patch:
        patch.setattr(PostgresqlBackend, "mark_one", cut_short)
        with pytest.raises(KeyboardInterrupt):
            migrate(owner, tmp_path)
    assert execute(owner, "SELECT to_regclass('good')") == [(None,)]
    assert migrate(owner, tmp_path) == ["0001_good"]


def test_migrating_needs_no_name_of_the_system_s_user(
    owner: WarehouseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert migrate(owner) == all_migrations()


def test_a_migration_that_fails_leaves_nothing_behind(owner: WarehouseSettings, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (a integer);")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half (a integer); CREATE TABLE half (a integer);")
    with pytest.raises(errors.DuplicateTable):
        migrate(owner, tmp_path)
    assert execute(owner, "SELECT to_regclass('good')::text, to_regclass('half')::text") == [("good", None)]
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE whole (a integer);")
    assert migrate(owner, tmp_path) == ["0002_bad"]


def test_the_command_names_what_it_applied(
    owner: WarehouseSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in as_environment(owner).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (a integer);")
    parser = argparse.ArgumentParser()
    migrate_command.add_arguments(parser)
    arguments = parser.parse_args([str(tmp_path)])
    assert [migrate_command.run(arguments), migrate_command.run(arguments)] == [0, 0]
    assert capsys.readouterr().out == "applied 0001_one\nthe schema is up to date\n"


@pytest.mark.parametrize(("role", "statement"), [(role, each) for role, all_ in FORBIDDEN.items() for each in all_])
def test_a_role_may_not(stack: Stack, role: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute(stack.warehouse_settings(role), statement)


def test_the_pipeline_writes_rows_and_makes_partitions(stack: Stack, owner: WarehouseSettings) -> None:
    migrate(owner)
    pipeline = stack.postgres.settings(ROLES["pipeline"], owner.database)
    assert execute(pipeline, PARTITION) == [(6,)]
    assert execute(pipeline, PARTITION) == [(0,)]
    execute(
        pipeline,
        """INSERT INTO stock_prices (source, symbol, bar_start, bar_seconds, open, high, low, close, volume, trades,
               session, revision, final, flags, elapsed_bars, first_trade_at, last_trade_at, kafka_partition,
               first_offset, last_offset)
           VALUES ('simulator', 'A', '2026-02-01T00:00Z', 60, 1, 2, 1, 2, 3, 1, 'regular', 0, true, '{}', 1,
               '2026-02-01T00:00Z', '2026-02-01T00:00Z', 0, 0, 0)""",
    )
    for reader in ("dashboard", "readonly"):
        settings = stack.postgres.settings(ROLES[reader], owner.database)
        assert execute(settings, "SELECT tableoid::regclass::text FROM stock_prices") == [("stock_prices_2026_02",)]


def test_old_partitions_are_dropped_whole_and_young_ones_stay(stack: Stack, owner: WarehouseSettings) -> None:
    migrate(owner)
    pipeline = stack.postgres.settings(ROLES["pipeline"], owner.database)
    execute(pipeline, "SELECT ensure_partitions('2026-01-01T00:00Z', '2026-03-01T00:00Z')")
    assert execute(pipeline, "SELECT drop_partitions('stock_prices', '2026-02-28T23:59Z')") == [(1,)]
    assert execute(pipeline, "SELECT drop_partitions('stock_prices', '2026-03-01T00:00Z')") == [(1,)]
    assert execute(pipeline, "SELECT to_regclass('stock_prices_2026_03')::text") == [("stock_prices_2026_03",)]
    with pytest.raises(errors.RaiseException, match="is not a partitioned table of volwatch"):
        execute(pipeline, "SELECT drop_partitions('stock_alerts', now())")


def test_the_dashboard_acknowledges_an_alert_once_and_leaves_a_trace(stack: Stack, owner: WarehouseSettings) -> None:
    migrate(owner)
    execute(stack.postgres.settings(ROLES["pipeline"], owner.database), INSERT_ALERT)
    dashboard = stack.postgres.settings(ROLES["dashboard"], owner.database)
    acknowledge = f"SELECT acknowledge_alert('{ALERT}', 'ann', 'seen')"
    assert [execute(dashboard, acknowledge), execute(dashboard, acknowledge)] == [[(True,)], [(False,)]]
    assert execute(dashboard, "SELECT state, acknowledged_by, note FROM stock_alerts") == [("OPEN", "ann", "seen")]
    assert execute(dashboard, "SELECT event, actor, detail FROM alert_events") == [("ACKNOWLEDGED", "ann", "seen")]


@pytest.mark.parametrize(("role", "database"), [("airflow", "volwatch"), ("volwatch_pipeline", "airflow")])
def test_a_role_may_not_connect_to_a_database_that_is_not_its_own(stack: Stack, role: str, database: str) -> None:
    with pytest.raises(Transient, match="permission denied for database"):
        connect(stack.postgres.settings(role, database), application_name="test")


def test_provisioning_again_changes_nothing(stack: Stack) -> None:
    passwords = {role: stack.postgres.password(role) for role in provision.ROLES}
    with stack.postgres.admin() as admin:
        provision.provision(admin, passwords)
    assert execute(stack.warehouse_settings("readonly"), "SELECT count(*) FROM watchlist") == [(0,)]


def test_an_administrator_who_is_no_superuser_can_provision_a_database(stack: Stack) -> None:
    name = f"own_{uuid.uuid4().hex[:8]}"
    with stack.postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(f"CREATE ROLE admin_{name} LOGIN CREATEROLE CREATEDB PASSWORD 'p'")
        administrator = stack.postgres.settings(f"admin_{name}", "postgres").model_copy(
            update={"password": SecretStr("p")}
        )
        with closing(connect(administrator, application_name="test")) as lesser:
            lesser.autocommit = True
            for _turn in range(2):
                provision.ensure_role(lesser, f"owner_{name}", "secret")
                provision.ensure_database(lesser, name, owner=f"owner_{name}")
        cursor.execute("SELECT rolname FROM pg_database JOIN pg_roles r ON datdba = r.oid WHERE datname = %s", (name,))
        assert cursor.fetchall() == [(f"owner_{name}",)]
        cursor.execute(f"DROP DATABASE {name}")
        cursor.execute(f"DROP ROLE admin_{name}, owner_{name}")


def test_a_session_speaks_utc_and_gives_up_on_a_statement_that_takes_too_long(stack: Stack) -> None:
    settings = stack.warehouse_settings("readonly")
    connection = connect(settings, application_name="test", statement_timeout_seconds=0.05)
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('timezone'), current_setting('application_name')")
        assert cursor.fetchall() == [("UTC", "test")]
        with pytest.raises(errors.QueryCanceled):
            cursor.execute("SELECT pg_sleep(5)")
