"""Airflow: scheduler, DAG processor and API server, with the LocalExecutor, on the PostgreSQL of the stack.

The three are started side by side rather than through ``airflow standalone``, which starts them after one another's
imports, adds a triggerer that no DAG of ours needs, and leaves children behind when it is stopped.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from volwatch.local.passwords import Passwords
from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server
from volwatch.settings import WarehouseSettings

_COMPONENTS = ("scheduler", "dag_processor")
_PARALLELISM = "3"  # one for each DAG of every minute, and one for the others


class Airflow(Server):
    """Airflow's processes."""

    name = "airflow"
    ready_timeout_seconds = 180.0

    def __init__(
        self,
        processes: Processes,
        environment: Callable[[], Mapping[str, str]],
        port: int,
        passwords: Passwords,
        database: WarehouseSettings,
    ) -> None:
        super().__init__(processes)
        self._environment = environment
        self._port = port
        self._passwords = passwords
        self._database = database
        self._launched_at = 0.0

    @property
    def url(self) -> str:
        """Where its pages and its API are."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return self.url

    def programs(self) -> Mapping[str, Program]:
        """Return its processes, its database migrated."""
        environment = {**self._environment(), **self._settings()}
        airflow = [sys.executable, "-m", "airflow"]
        self._migrate(Program([*airflow, "db", "migrate"], environment))
        self._launched_at = time.time()
        commands = {
            "scheduler": ["scheduler", "--skip-serve-logs"],
            "dag-processor": ["dag-processor"],
            "api-server": ["api-server"],
        }
        return {
            f"airflow-{name}": Program([*airflow, *command], environment, grace_seconds=5)
            for name, command in commands.items()
        }

    def probe(self) -> bool:
        """Return whether scheduler and DAG processor have beaten since they were started."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=2) as answer:  # noqa: S310 - our own http address
                health = json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return False
        return all(self._beating(health[name], f"latest_{name}_heartbeat") for name in _COMPONENTS)

    def _beating(self, component: Mapping[str, str | None], field: str) -> bool:
        heartbeat = component[field]
        return heartbeat is not None and datetime.fromisoformat(heartbeat).timestamp() >= self._launched_at

    def _migrate(self, program: Program) -> None:
        """Migrate once for each version: asking Airflow whether there is anything to do takes it ten seconds."""
        done = self.folder / "migrated"
        if done.exists() and done.read_text() == version("apache-airflow"):
            return
        self.processes.run("airflow-migrate", program)
        done.write_text(version("apache-airflow"))

    def _settings(self) -> dict[str, str]:
        login = f"{quote(self._database.user)}:{quote(self._password(), safe='')}"
        place = f"{self._database.host}:{self._database.port}/{self._database.database}"
        settings = {
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__DAGS_FOLDER": str(default_dags_folder()),
            "CORE__LOAD_EXAMPLES": "false",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "CORE__PARALLELISM": _PARALLELISM,
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
            "CORE__FERNET_KEY": self._passwords.of("airflow-fernet"),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "API__BASE_URL": self.url,
            "API__HOST": LOOPBACK,
            "API__PORT": str(self._port),
            "API__WORKERS": "1",
            "API__SECRET_KEY": self._passwords.of("airflow-api"),
            "API_AUTH__JWT_SECRET": self._passwords.of("airflow-jwt", random_bytes=48),
            "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{login}@{place}",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # The scheduler may start tasks before the API server serves, and a busy machine takes its time: a task that
            # gives up then is tried again minutes later.
            "WORKERS__EXECUTION_API_RETRIES": "12",
            "WORKERS__EXECUTION_API_TIMEOUT": "30",
            "LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
            "USAGE_DATA_COLLECTION__ENABLED": "false",
        }
        return {"AIRFLOW_HOME": str(self.folder), **{f"AIRFLOW__{name}": value for name, value in settings.items()}}

    def _password(self) -> str:
        return self._database.password.get_secret_value() if self._database.password else ""


def default_dags_folder() -> Path:
    """Return where the DAGs are in a checkout."""
    return Path(__file__).resolve().parents[3] / "airflow" / "dags"
