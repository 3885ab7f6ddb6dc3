"""The real servers, started once for the session by the same module that runs the demo."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.databases import own_database
from tests.integration.acting import acting, dashboard_of_world, insert  # noqa: F401 - fixtures
from tests.integration.worlds import MakeWorld, own_world
from volwatch.local.airflow import Airflow
from volwatch.local.interrupts import interruptible
from volwatch.local.stack import ROLES, Stack
from volwatch.rawzone.store import Rawzone
from volwatch.settings import as_environment
from volwatch.topics import create_topics

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> Iterator[None]:
    """SIGTERM ends the session as Ctrl-C does: the servers are stopped, not left behind."""
    with interruptible():
        yield


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder through which the user of PostgreSQL may pass, as it may not through pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="volwatch-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder(scratch: Path) -> Path:
    """A data folder of the test's own."""
    return scratch / uuid.uuid4().hex[:8]


@pytest.fixture(scope="session")
def stack(scratch: Path) -> Iterator[Stack]:
    """Kafka, MinIO and PostgreSQL, with topics, bucket, roles and schema."""
    with Stack(scratch / "session", durable=False) as started:
        started.start_servers()
        yield started


@pytest.fixture
def make_world(stack: Stack) -> Iterator[MakeWorld]:
    """Makes an object store and a database, as often as it is called; the databases go at the end."""
    with ExitStack() as worlds:
        yield lambda: worlds.enter_context(own_world(stack))


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[Airflow]:
    """Airflow on the servers of the session; its tasks work on the stack's own topic, bucket and database.

    It ends with the module that wants it: its scheduler alone takes a tenth of the machine.
    """
    stack.start_airflow()
    stack.wait_airflow()
    if not stack.airflow.probe():  # another module had it before, and has stopped it
        stack.airflow.start()
    yield stack.airflow
    stack.airflow.stop()


@pytest.fixture(scope="module")
def airflow_stack(stack: Stack, airflow: Airflow) -> Stack:
    """The servers of the session with Airflow."""
    return stack


@pytest.fixture
def platform_as(stack: Stack) -> Iterator[Callable[[str], dict[str, str]]]:
    """The environment by role (a key of ``ROLES``) of a platform of the test's own: empty topics, bucket and schema."""
    name = uuid.uuid4().hex[:8]
    topics = {
        "topic": f"trades-{name}",
        "quarantine_topic": f"trades-{name}.quarantine",
        "alerts_topic": f"alerts-{name}",
    }
    kafka = stack.kafka_settings.model_copy(update=topics)
    rawzone = stack.rawzone_settings.model_copy(update={"bucket": f"raw-{name}"})
    create_topics(kafka)
    Rawzone.connect(rawzone).ensure_bucket()
    with own_database(stack.postgres) as database:

        def environment(role: str) -> dict[str, str]:
            own = as_environment(kafka, rawzone, stack.postgres.settings(ROLES[role], database))
            groups = {f"VOLWATCH_{stage.upper()}_GROUP": f"{stage}-{name}" for stage in ("consumer", "detector")}
            return {**own, **groups}

        yield environment
        admin_client = AdminClient({**kafka.client_config()})
        for deleted in admin_client.delete_topics(list(topics.values())).values():
            deleted.result(timeout=30)


@pytest.fixture
def platform(platform_as: Callable[[str], dict[str, str]]) -> dict[str, str]:
    """The environment of a pipeline process on a platform of the test's own."""
    return platform_as("pipeline")
