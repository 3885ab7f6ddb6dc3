"""The project's own services, as the stack runs them: ``volwatch <stage>``."""

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server

_DASHBOARD = "dashboard"


class Service(Server):
    """One stage of the platform. ``start`` waits until it says that it is ready, ``launch`` does not."""

    def __init__(
        self,
        processes: Processes,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        ports: tuple[int, int],
    ) -> None:
        self.name = name
        super().__init__(processes)
        self._arguments = arguments
        self._service_port, self._dashboard_port = ports
        self._environment = {**environment, **_places(SERVICE=self._service_port, DASHBOARD=self._dashboard_port)}

    @property
    def _stage(self) -> str:
        return self._arguments[0]

    @property
    def url(self) -> str:
        """Where its pages are: the dashboard's, or /metrics, /healthz and /readyz."""
        return f"http://{LOOPBACK}:{self._dashboard_port if self._stage == _DASHBOARD else self._service_port}"

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return self.url

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return any(child.running for child in self._children)

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did so by itself."""
        exits = [child.exit for child in self._children]
        return next((exited.exit_code for exited in exits if exited is not None), None)

    def programs(self) -> Mapping[str, Program]:
        """Return the service."""
        command = [sys.executable, "-m", "volwatch.cli", *self._arguments]
        return {self.name: Program(command, self._environment, grace_seconds=20)}

    def probe(self) -> bool:
        """Return whether it says that it can do its work."""
        page = "_stcore/health" if self._stage == _DASHBOARD else "readyz"
        try:
            with urllib.request.urlopen(f"{self.url}/{page}", timeout=2) as answer:  # noqa: S310 - our own http address
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _places(**ports: int) -> dict[str, str]:
    hosts = {f"VOLWATCH_{group}_HOST": LOOPBACK for group in ports}
    return hosts | {f"VOLWATCH_{group}_PORT": str(port) for group, port in ports.items()}
