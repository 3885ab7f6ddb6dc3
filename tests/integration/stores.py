"""The S3 stores on which the raw zone is shown: MinIO, a second one, and any that the environment names."""

import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from volwatch.local import fetch
from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server
from volwatch.settings import LocalSettings, RawzoneSettings, inherited_environment, load_one

ACCESS_KEY = "volwatch"


class GivenStore(RawzoneSettings):
    """A store that runs already: VOLWATCH_TEST_S3_ENDPOINT, _ACCESS_KEY, _SECRET_KEY, _SECURE, _REGION, _CA_FILE."""

    model_config = SettingsConfigDict(env_prefix="VOLWATCH_TEST_S3_", extra="ignore", frozen=True)


class Gateway(Server):
    """The Versity gateway: an S3 server over files, which shares no line with MinIO."""

    name = "versitygw"

    def __init__(self, processes: Processes, program: Path, port: int) -> None:
        super().__init__(processes)
        self._program = program
        self._endpoint = f"{LOOPBACK}:{port}"
        self._secret_key = secrets.token_urlsafe(24)

    @property
    def settings(self) -> RawzoneSettings:
        """How it is reached by its first user, who may do everything."""
        return RawzoneSettings(
            endpoint=self._endpoint, access_key=SecretStr(ACCESS_KEY), secret_key=SecretStr(self._secret_key)
        )

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return f"http://{self._endpoint}"

    def programs(self) -> Mapping[str, Program]:
        """Return the server; what it knows of objects lies beside them, for not every file system has attributes."""
        data, told = self.folder / "data", self.folder / "told"
        for folder in (data, told):
            folder.mkdir(exist_ok=True)
        options = ["--port", self._endpoint, "--health", "/health", "--quiet"]
        keys = {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": self._secret_key}
        command = [str(self._program), *options, "posix", "--sidecar", str(told), str(data)]
        return {self.name: Program(command, {**inherited_environment(), **keys})}

    def probe(self) -> bool:
        """Return whether it serves."""
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=1) as answer:  # noqa: S310 - our own http address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def gateway_program() -> Path:
    """Return the gateway's program, built once for each user: about a minute."""
    [folder] = fetch.fetch(load_one(LocalSettings).cache, [fetch.versitygw()])
    return folder / "versitygw"
