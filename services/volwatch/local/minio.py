"""MinIO: the object store of the raw zone."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from volwatch.local.passwords import Passwords
from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server

ACCESS_KEY = "volwatch"


class ObjectStore(Server):
    """The MinIO server."""

    name = "minio"

    def __init__(
        self, processes: Processes, program: Path, environment: Mapping[str, str], port: int, passwords: Passwords
    ) -> None:
        super().__init__(processes)
        self._program = program
        self._environment = environment
        self._port = port
        self.secret_key = passwords.of("minio")

    @property
    def endpoint(self) -> str:
        """Its address for S3 clients."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return f"http://{self.endpoint}"

    def programs(self) -> Mapping[str, Program]:
        """Return the server, without its web pages and without its look for updates."""
        command = [str(self._program), "server", str(self.folder / "data"), "--address", self.endpoint]
        own = {
            "MINIO_ROOT_USER": ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        certificates = ["--certs-dir", str(self.folder / "certificates")]
        return {self.name: Program([*command, *certificates], {**self._environment, **own})}

    def probe(self) -> bool:
        """Return whether it can store objects."""
        try:
            with urllib.request.urlopen(f"{self.address}/minio/health/ready", timeout=1) as answer:  # noqa: S310 - our own http address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
