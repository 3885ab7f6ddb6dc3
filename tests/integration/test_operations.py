"""Provisioning, waiting and tracing, as the processes that they are, on the real servers."""

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic
from minio import Minio
from minio.error import S3Error
from psycopg2 import sql
from pydantic import SecretStr

from volwatch.errors import Transient
from volwatch.local.passwords import Passwords
from volwatch.local.ports import free_port
from volwatch.local.postgres import Postgres
from volwatch.local.process import Processes
from volwatch.local.stack import ROLES, Stack
from volwatch.rawzone.store import Rawzone
from volwatch.settings import (
    KafkaSettings,
    RawzoneSettings,
    WarehouseProvisionSettings,
    WarehouseSettings,
    as_environment,
    inherited_environment,
)
from volwatch.topics import TIMESTAMP_TYPE, check_topics
from volwatch.warehouse import provision, schema
from volwatch.warehouse.connection import connect
from volwatch.warehouse.migrations import migrate

PREFIX = "VOLWATCH_RAWZONE_PROVISION_"
PlatformAs = Callable[[str], dict[str, str]]


def volwatch(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "volwatch.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def running(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command beside the test, and kill it at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def own_topics(stack: Stack) -> KafkaSettings:
    name = f"trades-{uuid.uuid4().hex[:8]}"
    return stack.kafka_settings.model_copy(
        update={"topic": name, "quarantine_topic": f"{name}.quarantine", "partitions": 2}
    )


@pytest.fixture
def kafka(stack: Stack) -> Iterator[KafkaSettings]:
    """Topics of the test's own, which are not there yet."""
    settings = own_topics(stack)
    yield settings
    admin = AdminClient({**settings.client_config()})
    for deleted in admin.delete_topics([settings.topic, settings.quarantine_topic]).values():
        deleted.exception(timeout=30)


def test_topics_are_provisioned_and_corrected(kafka: KafkaSettings) -> None:
    admin = AdminClient({**kafka.client_config()})
    admin.create_topics([NewTopic(kafka.topic, num_partitions=1)])[kafka.topic].result(timeout=30)
    for _turn in range(2):
        done = volwatch(as_environment(kafka), "provision", "kafka")
        assert (done.returncode, "dated_by_producers" in done.stdout) == (0, False)
    check_topics(kafka)
    found = admin.list_topics(timeout=10).topics
    assert [len(found[name].partitions) for name in (kafka.topic, kafka.quarantine_topic)] == [1, 2]
    assert [timestamp_type(admin, name) for name in (kafka.topic, kafka.quarantine_topic)] == ["LogAppendTime"] * 2


def timestamp_type(admin: AdminClient, topic: str) -> str | None:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    described = admin.describe_configs([resource])[resource].result(timeout=30)
    value: str | None = described[TIMESTAMP_TYPE].value
    return value


def test_more_copies_than_brokers_are_refused_with_the_reason(kafka: KafkaSettings) -> None:
    environment = as_environment(kafka.model_copy(update={"replication": 3}))
    done = volwatch(environment, "provision", "kafka", "--patience", "1")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("volwatch provision kafka: gave up after 1 s: Kafka at ")
    assert "only 1 broker" in line
    assert done.stdout.count('"event": "provision_failed"') == 3


@dataclass(frozen=True)
class Store:
    """A provisioned store of the module's own, and how each of its users sees it."""

    environment: dict[str, str]
    root: RawzoneSettings
    logs: str

    def user(self, name: str) -> RawzoneSettings:
        access, secret = (self.environment[f"{PREFIX}{name}_{key}_KEY"] for key in ("ACCESS", "SECRET"))
        return self.root.model_copy(update={"access_key": SecretStr(access), "secret_key": SecretStr(secret)})

    def client(self, name: str) -> Minio:
        return client_of(self.user(name))


def client_of(settings: RawzoneSettings) -> Minio:
    return Minio(
        settings.endpoint,
        access_key=settings.access_key.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        secure=False,
        region=settings.region,
    )


def users(name: str) -> dict[str, str]:
    return {
        f"{PREFIX}{user}_{key}_KEY": f"{user}-{key}-{name}".lower()
        for user in ("CONSUMER", "PIPELINE", "AIRFLOW")
        for key in ("ACCESS", "SECRET")
    } | {f"{PREFIX}{user}_ACCESS_KEY": f"{user[0]}{name}".lower() for user in ("CONSUMER", "PIPELINE", "AIRFLOW")}


@pytest.fixture(scope="module")
def store(stack: Stack) -> Store:
    """Buckets, rules and users, provisioned twice."""
    name = uuid.uuid4().hex[:8]
    root = stack.rawzone_settings.model_copy(update={"bucket": f"raw-{name}"})
    own = {f"{PREFIX}LOG_BUCKET": f"logs-{name}", f"{PREFIX}RETENTION_DAYS": "400"}
    environment = {**as_environment(root), **users(name), **own}
    for _turn in range(2):
        done = volwatch(environment, "provision", "rawzone")
        assert (done.returncode, done.stderr) == (0, "")
    return Store(environment, root, f"logs-{name}")


def test_raw_objects_and_logs_expire_by_rules(store: Store) -> None:
    root = client_of(store.root)
    found = {}
    for bucket in (store.root.bucket, store.logs):
        config = root.get_bucket_lifecycle(bucket)
        assert config is not None
        found[bucket] = [
            (rule.rule_id, rule.rule_filter.prefix, rule.expiration.days)
            for rule in config.rules
            if rule.rule_filter and rule.expiration
        ]
    assert found == {
        store.root.bucket: [("volwatch-expiry", "trades/", 400)],
        store.logs: [("volwatch-expiry", "", 14)],
    }


def attempts(client: Minio, bucket: str) -> dict[str, str]:
    """Return what becomes of each thing that a user may try on a bucket that holds the object ``held``."""

    def outcome(attempt: Callable[[], object]) -> str:
        try:
            attempt()
        except S3Error as error:
            return str(error.code)
        return "done"

    return {
        "list": outcome(lambda: list(client.list_objects(bucket))),
        "get": outcome(lambda: client.get_object(bucket, "held").close()),
        "put": outcome(lambda: client.put_object(bucket, "held", BytesIO(b"object"), 6)),
        "delete": outcome(lambda: client.remove_object(bucket, "deleted")),
        "rules": outcome(lambda: client.delete_bucket_lifecycle(bucket)),
        "drop": outcome(lambda: client.remove_bucket(bucket)),
    }


NO = "AccessDenied"
NOTHING = dict.fromkeys(("list", "get", "put", "delete", "rules", "drop"), NO)


@pytest.mark.parametrize(
    ("user", "on_raw", "on_logs"),
    [
        ("CONSUMER", {"list": "done", "get": "done", "put": "done"}, {}),
        ("PIPELINE", {"list": "done", "get": "done"}, {}),
        ("AIRFLOW", {}, {"list": "done", "get": "done", "put": "done", "delete": "done"}),
    ],
)
def test_a_user_can_do_its_job_and_nothing_else(
    store: Store, user: str, on_raw: dict[str, str], on_logs: dict[str, str]
) -> None:
    for bucket in (store.root.bucket, store.logs):
        client_of(store.root).put_object(bucket, "held", BytesIO(b"object"), 6)
    client = store.client(user)
    assert attempts(client, store.root.bucket) == {**NOTHING, **on_raw}
    assert attempts(client, store.logs) == {**NOTHING, **on_logs}
    with pytest.raises(S3Error, match=NO):
        client.make_bucket(f"new-{uuid.uuid4().hex[:8]}")


def test_the_consumer_finds_its_bucket_and_may_make_no_other(store: Store) -> None:
    Rawzone.connect(store.user("CONSUMER")).ensure_bucket()
    elsewhere = store.user("CONSUMER").model_copy(update={"bucket": "raw-elsewhere"})
    with pytest.raises(Transient, match=NO):
        Rawzone.connect(elsewhere).ensure_bucket()


def test_wrong_keys_are_not_ready(store: Store) -> None:
    wrong = store.root.model_copy(update={"secret_key": SecretStr("wrong-secret")})
    done = volwatch(as_environment(wrong), "wait", "rawzone", "--patience", "0")
    assert (done.returncode, "gave up on rawzone after" in done.stdout) == (1, True)


@pytest.fixture(scope="module")
def bare(scratch: Path) -> Iterator[Postgres]:
    """A PostgreSQL on which nothing was made yet."""
    folder = scratch / "bare"
    processes = Processes(folder)
    passwords = Passwords(folder / "passwords.json")
    port = free_port(random.SystemRandom())
    server = Postgres(processes, inherited_environment(), port, passwords, durable=False)
    server.start()
    yield server
    server.stop()
    processes.release()


def passwords(server: Postgres, *roles: str) -> dict[str, str]:
    return as_environment(
        WarehouseProvisionSettings.model_validate({f"{role}_password": server.password(ROLES[role]) for role in roles})
    )


def logins(server: Postgres) -> dict[str, bool]:
    with server.admin() as admin, admin.cursor() as cursor:
        cursor.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname ~ '^(volwatch|airflow)'")
        return dict(cursor.fetchall())


def test_a_bare_server_is_provisioned_role_by_role(bare: Postgres) -> None:
    admin = as_environment(bare.settings("postgres", "postgres"))
    everybody = set(ROLES.values()) - {provision.AIRFLOW}
    later = [role for role in ROLES if role not in ("owner", "pipeline")]
    done = volwatch({**admin, **passwords(bare, "owner", "pipeline")}, "provision", "warehouse")
    assert (done.returncode, done.stdout.count("role_without_login")) == (0, len(later))
    assert {role for role, may in logins(bare).items() if may} == {provision.OWNER, provision.PIPELINE}
    assert logins(bare).keys() == everybody
    migrate(bare.settings(provision.OWNER, provision.DATABASE))
    with pytest.raises(Transient, match="authentication failed"):
        connect(bare.settings(provision.READONLY, provision.DATABASE), application_name="test")
    for _turn in range(2):  # what is not given is left as it is
        done = volwatch({**admin, **passwords(bare, *later)}, "provision", "warehouse")
        assert (done.returncode, done.stdout.count("role_without_login")) == (0, 0)
    assert logins(bare) == dict.fromkeys(everybody, True)
    for role in provision.STAGES:
        schema.check(bare.settings(role, provision.DATABASE), "test")
    airflow = {"VOLWATCH_WAREHOUSE_PROVISION_AIRFLOW_PASSWORD": bare.password(provision.AIRFLOW)}
    assert volwatch({**admin, **airflow}, "provision", "warehouse").returncode == 0
    connect(bare.settings(provision.AIRFLOW, provision.AIRFLOW_DATABASE), application_name="test").close()


def test_two_at_once_provision_a_server(bare: Postgres) -> None:
    environment = {**as_environment(bare.settings("postgres", "postgres")), **passwords(bare, "owner", "pipeline")}
    with bare.admin() as admin, admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(provision.DATABASE)))
    processes = [running(environment, "provision", "warehouse", "--patience", "0") for _turn in range(3)]
    with processes[0] as first, processes[1] as second, processes[2] as third:
        assert [process.wait(60) for process in (first, second, third)] == [0, 0, 0]


def test_who_may_not_provision_is_told_so(stack: Stack) -> None:
    environment = as_environment(stack.postgres.settings(provision.OWNER, provision.DATABASE))
    own = {"VOLWATCH_WAREHOUSE_PROVISION_READONLY_PASSWORD": stack.postgres.password(provision.READONLY)}
    done = volwatch({**environment, **own}, "provision", "warehouse")
    assert done.returncode == 2
    assert "volwatch_owner may not provision PostgreSQL: permission denied" in done.stderr


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """The name of a database that is not there yet."""
    name = f"volwatch_{uuid.uuid4().hex[:8]}"
    yield name
    with stack.postgres.admin() as admin, admin.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def test_wait_returns_when_all_is_there_and_not_before(stack: Stack, kafka: KafkaSettings, database: str) -> None:
    rawzone = stack.rawzone_settings.model_copy(update={"bucket": f"raw-{uuid.uuid4().hex[:8]}"})
    warehouse = stack.postgres.settings(provision.DASHBOARD, database)
    environment = as_environment(kafka, rawzone, warehouse)
    with running(environment, "wait", "kafka", "rawzone", "warehouse", "--patience", "120") as waiting:
        assert waiting.stdout is not None

        def told(text: str) -> None:
            assert any(text in line for line in waiting.stdout or ())

        told(f'database "{database}" does not exist')
        assert volwatch(as_environment(kafka), "provision", "kafka").returncode == 0
        told("kafka is ready")
        Rawzone.connect(rawzone).ensure_bucket()
        told("rawzone is ready")
        with stack.postgres.admin() as admin:
            provision.ensure_database(admin, database, owner=provision.OWNER, guests=provision.STAGES)
        told("no migration is applied yet")
        assert waiting.poll() is None
        migrate(stack.postgres.settings(provision.OWNER, database))
        told("warehouse is ready")
        assert waiting.wait(30) == 0


def test_wait_names_what_is_missing_and_why(stack: Stack, kafka: KafkaSettings) -> None:
    rawzone = stack.rawzone_settings.model_copy(update={"bucket": "raw-missing"})
    warehouse = stack.warehouse_settings("readonly")
    environment = as_environment(kafka, rawzone, warehouse)
    done = volwatch(environment, "wait", "warehouse", "kafka", "rawzone", "--patience", "1")
    assert done.returncode == 1
    given_up = [line.partition(" after 1 s: ") for line in done.stdout.splitlines() if line.startswith("gave up")]
    assert [(name, why) for name, _, why in given_up] == [
        (
            "gave up on kafka",
            f"Kafka at {kafka.bootstrap}: there is no topic {kafka.topic}, {kafka.quarantine_topic}",
        ),
        ("gave up on rawzone", "raw zone: there is no bucket raw-missing"),
    ]


@pytest.mark.parametrize("role", ["owner", "pipeline", "dashboard", "readonly"])
def test_every_role_sees_which_migrations_are_missing(stack: Stack, role: str, tmp_path: Path) -> None:
    settings = stack.warehouse_settings(role)
    schema.check(settings, "test")
    for file in schema.default_folder().glob("*.sql"):
        (tmp_path / file.name).touch()
    (tmp_path / "9998_later.sql").touch()
    with pytest.raises(Transient, match="database volwatch: not applied yet: 9998_later"):
        schema.check(settings, "test", tmp_path)


def test_a_program_that_was_rolled_back_finds_more_migrations_than_it_has(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "0001_schema.sql").touch()
    schema.check(stack.warehouse_settings("pipeline"), "test", tmp_path)


@pytest.mark.parametrize("role", ["pipeline", "dashboard", "readonly"])
def test_a_role_reads_the_names_of_migrations_and_no_more(stack: Stack, role: str) -> None:
    with (
        closing(connect(stack.warehouse_settings(role), application_name="test")) as connection,
        connection.cursor() as cursor,
        pytest.raises(Exception, match="permission denied"),
    ):
        cursor.execute("DELETE FROM _yoyo_migration")


QUICK = {"VOLWATCH_SERVICE_HOST": "127.0.0.1", "VOLWATCH_SERVICE_PORT": "0", "VOLWATCH_CONSUMER_FLUSH_SECONDS": "0.5"}


def test_a_record_gets_through_with_users_of_least_rights_and_leaves_no_row(platform_as: PlatformAs) -> None:
    pipeline, readonly = platform_as("pipeline"), platform_as("readonly")
    keys = users(uuid.uuid4().hex[:8])
    assert volwatch({**readonly, **keys, f"{PREFIX}LOG_BUCKET": "logs-trace"}, "provision", "rawzone").returncode == 0

    def keys_of(user: str) -> dict[str, str]:
        return {f"VOLWATCH_RAWZONE_{key}_KEY": keys[f"{PREFIX}{user}_{key}_KEY"] for key in ("ACCESS", "SECRET")}

    with running({**pipeline, **QUICK, **keys_of("CONSUMER")}, "consumer"):
        for _turn in range(2):
            with running({**readonly, **keys_of("PIPELINE")}, "trace", "--patience", "120") as trace:
                while trace.poll() is None:
                    assert volwatch({**pipeline, **keys_of("PIPELINE")}, "pipeline", "run").returncode == 0
                assert trace.stdout is not None
                lines = trace.stdout.read().splitlines()
            assert trace.returncode == 0, lines
            assert [line.split()[0] for line in lines] == ["kafka", "rawzone", "warehouse", "a"]
    assert rows(pipeline) == {
        "stock_prices": 0,
        "stock_volatility": 0,
        "stock_signals": 0,
        "stock_alerts": 0,
        "quarantine": 0,
        "watchlist": 0,
        "load_positions": 1,
        "raw_objects": 2,
    }


def rows(environment: Mapping[str, str]) -> dict[str, int]:
    tables = (
        "stock_prices",
        "stock_volatility",
        "stock_signals",
        "stock_alerts",
        "quarantine",
        "watchlist",
        "load_positions",
        "raw_objects",
    )
    prefix = "VOLWATCH_WAREHOUSE_"
    given = {name.removeprefix(prefix).lower(): value for name, value in environment.items() if name.startswith(prefix)}
    counts = {}
    with (
        closing(connect(WarehouseSettings.model_validate(given), application_name="test")) as connection,
        connection.cursor() as cursor,
    ):
        for table in tables:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            [(counts[table],)] = cursor.fetchall()
    return counts


def test_a_trace_names_the_hop_that_does_not_answer(platform: dict[str, str]) -> None:
    no_consumer = volwatch(platform, "trace", "--patience", "3")
    assert no_consumer.returncode == 1
    assert no_consumer.stdout.splitlines()[-1].startswith("rawzone   no answer after 3 s: no object answers")
    with running({**platform, **QUICK}, "consumer"):
        no_pipeline = volwatch(platform, "trace", "--patience", "20")
    assert no_pipeline.returncode == 1
    assert no_pipeline.stdout.splitlines()[-1].startswith("warehouse no answer after 20 s: partition")
    no_topic = volwatch({**platform, "VOLWATCH_KAFKA_TOPIC": "trades-missing"}, "trace", "--patience", "3")
    assert no_topic.returncode == 1
    assert "there is no topic trades-missing" in no_topic.stdout.splitlines()[-1]
