"""The embedded stack as one thing that starts, tells where everything is, and stops without leaving a process."""

import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import SecretStr
from rich.console import Console

from volwatch.errors import Misconfigured
from volwatch.local import fetch
from volwatch.local.airflow import Airflow
from volwatch.local.given import check_given
from volwatch.local.interrupts import uninterrupted
from volwatch.local.kafka import Kafka
from volwatch.local.minio import ACCESS_KEY, ObjectStore
from volwatch.local.passwords import Passwords
from volwatch.local.ports import free_port
from volwatch.local.postgres import Postgres
from volwatch.local.process import Processes, ProcessExit
from volwatch.local.server import Server, stop_together
from volwatch.local.service import Service
from volwatch.rawzone.store import Rawzone
from volwatch.settings import (
    KafkaSettings,
    LocalSettings,
    RawzoneSettings,
    WarehouseSettings,
    as_environment,
    inherited_environment,
    load_one,
)
from volwatch.topics import create_topics
from volwatch.warehouse import provision
from volwatch.warehouse.migrations import migrate

ROLES = {role.removeprefix("volwatch_"): role for role in (provision.OWNER, *provision.STAGES)}
_ROLE_OF_STAGE = {
    "dashboard": "dashboard",
    "detector": "detector",
    "migrate": "owner",
    "notifier": "notifier",
}

_Own = TypeVar("_Own", bound=Server)


class Stack:
    """The servers and services of one data folder, as a context manager.

    Parameters
    ----------
    folder : Path
        Where data, logs and passwords are; made when missing. A later stack on it serves the same data.
    console : Console or None
        Where progress is told.
    durable : bool
        False lets PostgreSQL lose its last seconds when the machine fails: for tests.
    task_env : mapping, optional
        Further variables of Airflow's tasks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        console: Console | None = None,
        durable: bool = True,
        task_env: Mapping[str, str] | None = None,
    ) -> None:
        self._console = console
        self._local = load_one(LocalSettings)
        check_given(self._local)
        self._processes = Processes(folder.resolve())
        self._passwords = Passwords(self._processes.folder / "passwords.json")
        self._randomness = random.SystemRandom()
        self._inherited = inherited_environment()
        self._task_env = task_env or {}
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="stack")
        self._postgres_lock = threading.Lock()
        self._airflow_up: Future[None] | None = None
        self._services: dict[str, Service] = {}
        self._make_servers(durable)

    def _make_servers(self, durable: bool) -> None:
        processes, inherited, passwords = self._processes, self._inherited, self._passwords
        jars, minio = (self._local.cache / artefact.name for artefact in (fetch.kafka(), fetch.minio()))
        self._postgres = Postgres(processes, inherited, self._port(), passwords, durable=durable)
        self._kafka = None
        if self._local.kafka_bootstrap is None:
            self._kafka = Kafka(processes, jars, inherited, (self._port(), self._port()))
        self._minio = None
        if self._local.rawzone_endpoint is None:
            self._minio = ObjectStore(processes, minio / "minio", inherited, self._port(), passwords)
        self._airflow: Airflow | None = None
        if self._local.airflow_url is None:
            database = self._postgres.settings(provision.AIRFLOW, provision.AIRFLOW_DATABASE)
            self._airflow = Airflow(processes, self._task_environment, self._port(), passwords, database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start_servers(self, *, airflow: bool = False) -> None:
        """Start Kafka, MinIO and PostgreSQL side by side; return when they hold topics, bucket, roles and schema.

        Parameters
        ----------
        airflow : bool
            Start Airflow too, and wait for it.

        Raises
        ------
        Misconfigured
            Programs are missing: all are named.
        Transient
            A server did not start; the end of its log is in the message.
        """
        self._fetch()
        if airflow:
            self.start_airflow()
        jobs = [self._start_kafka, self._start_minio, self._start_warehouse, *([self.wait_airflow] if airflow else [])]
        with self._progress("starting the servers"):
            started = [self._threads.submit(job) for job in jobs]
            for future in wait(started, return_when="FIRST_EXCEPTION").done:
                future.result()

    def start_airflow(self) -> None:
        """Start Airflow, and PostgreSQL before it, in the background; ``wait_airflow`` waits for it."""
        if self._airflow_up is None:
            self._airflow_up = self._threads.submit(self._start_airflow)

    def wait_airflow(self) -> None:
        """Return when Airflow serves; raise what kept it from doing so."""
        if self._airflow_up is not None:
            self._airflow_up.result()

    def start_service(
        self, stage: str, *arguments: str, env: Mapping[str, str] | None = None, name: str | None = None
    ) -> Service:
        """Start ``volwatch <stage> <arguments>`` under the role of the stage, without waiting until it is ready.

        Parameters
        ----------
        env : mapping, optional
            Further variables of its environment.
        name : str, optional
            What it is called, where a stage runs more than once; by default the stage.
        """
        name = name or stage
        environment = {**self._inherited, **self.environment(_ROLE_OF_STAGE.get(stage, "pipeline")), **(env or {})}
        service = Service(self._processes, name, [stage, *arguments], environment, (self._port(), self._port()))
        service.launch()
        self._services[name] = service
        return service

    def environment(self, role: str = "pipeline") -> dict[str, str]:
        """Return the VOLWATCH_* variables of a process that works under this role (a key of ``ROLES``)."""
        return as_environment(self.kafka_settings, self.rawzone_settings, self.warehouse_settings(role))

    @property
    def kafka_settings(self) -> KafkaSettings:
        """How Kafka is reached."""
        return load_one(KafkaSettings) if self._kafka is None else KafkaSettings(bootstrap=self._kafka.bootstrap)

    @property
    def rawzone_settings(self) -> RawzoneSettings:
        """How the object store is reached."""
        if self._minio is None:
            return load_one(RawzoneSettings)
        return RawzoneSettings(
            endpoint=self._minio.endpoint,
            access_key=SecretStr(ACCESS_KEY),
            secret_key=SecretStr(self._minio.secret_key),
        )

    def warehouse_settings(self, role: str) -> WarehouseSettings:
        """How the warehouse is reached; a running server of another's is used under the one role that was given."""
        if self._local.warehouse_host is not None:
            return load_one(WarehouseSettings)
        return self._postgres.settings(ROLES[role], provision.DATABASE)

    @property
    def own_lease(self) -> dict[str, str]:
        """The variable by which the producers of this stack, and of no other on this machine, stand by for another."""
        return {"VOLWATCH_LEASE_FILE": str(self.folder / "producer.lease")}

    @property
    def folder(self) -> Path:
        """Where data, logs and passwords are."""
        return self._processes.folder

    @property
    def kafka(self) -> Kafka:
        """The stack's own Kafka."""
        return _own(self._kafka, "VOLWATCH_KAFKA_BOOTSTRAP")

    @property
    def minio(self) -> ObjectStore:
        """The stack's own object store."""
        return _own(self._minio, "VOLWATCH_RAWZONE_ENDPOINT")

    @property
    def postgres(self) -> Postgres:
        """The stack's own PostgreSQL."""
        return self._postgres

    @property
    def airflow(self) -> Airflow:
        """The stack's own Airflow."""
        return _own(self._airflow, "VOLWATCH_AIRFLOW_URL")

    @property
    def airflow_url(self) -> str:
        """Where Airflow is, the stack's own or another."""
        return self._local.airflow_url or self.airflow.url

    def failed(self) -> list[ProcessExit]:
        """Return the children that ended though nobody stopped them."""
        return self._processes.failed()

    def stop(self) -> None:
        """Stop everything, services before servers; return when no process is left."""
        with uninterrupted():
            self._processes.close_to_starts()
            stop_together([*self._services.values(), self._airflow])
            stop_together([self._kafka, self._minio, self._postgres])
            self._processes.release()
            self._threads.shutdown()

    def _fetch(self) -> None:
        artefacts = {fetch.minio(): self._minio, fetch.kafka(): self._kafka}
        wanted = [artefact for artefact, server in artefacts.items() if server is not None]
        with self._progress("fetching what is not in the cache yet"):
            fetch.fetch(self._local.cache, wanted, self._tell)

    def _start_kafka(self) -> None:
        began = time.monotonic()
        if self._kafka is not None:
            self._kafka.start()
        create_topics(self.kafka_settings)
        self._tell_ready("Kafka", self.kafka_settings.bootstrap, began)

    def _start_minio(self) -> None:
        began = time.monotonic()
        if self._minio is not None:
            self._minio.start()
        Rawzone.connect(self.rawzone_settings).ensure_bucket()
        self._tell_ready("MinIO", self.rawzone_settings.endpoint, began)

    def _start_warehouse(self) -> None:
        began = time.monotonic()
        if self._local.warehouse_host is None:
            self._start_postgres()
        settings = self.warehouse_settings("owner")
        migrate(settings)
        self._tell_ready("PostgreSQL", f"{settings.host}:{settings.port}", began)

    def _start_postgres(self) -> None:
        with self._postgres_lock:
            if not self._postgres.pids:
                self._postgres.start()
                with self._postgres.admin() as admin:
                    provision.provision(admin, {role: self._postgres.password(role) for role in provision.ROLES})

    def _start_airflow(self) -> None:
        began = time.monotonic()
        if self._airflow is not None:
            self._start_postgres()
            self._airflow.start()
        self._tell_ready("Airflow", self.airflow_url, began)

    def _task_environment(self) -> dict[str, str]:
        return {**self._inherited, **self.environment("pipeline"), **self._task_env}

    def _port(self) -> int:
        return free_port(self._randomness)

    def _tell(self, line: str) -> None:
        if self._console is not None:
            self._console.print(line, highlight=False)

    def _tell_ready(self, name: str, address: str, began: float) -> None:
        self._tell(f"{name} is ready after {time.monotonic() - began:.1f} s: {address}")

    def _progress(self, what: str) -> AbstractContextManager[object]:
        return nullcontext() if self._console is None else self._console.status(what)


def _own(server: _Own | None, variable: str) -> _Own:
    if server is None:
        raise Misconfigured([f"{variable} names a running server: the stack has none of its own to offer"])
    return server
