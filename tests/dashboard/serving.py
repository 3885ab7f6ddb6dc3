"""The dashboard's own process, on the warehouse of a test."""

import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from volwatch.local.ports import LOOPBACK, free_port
from volwatch.local.process import Processes
from volwatch.local.service import Service
from volwatch.settings import WarehouseSettings, as_environment, inherited_environment

READY_SECONDS = 60.0


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that serves: where its pages are, the port on which it tells of itself, its process id."""

    url: str
    metrics_port: int
    pid: int

    def metrics(self) -> bytes:
        """Return what it tells of itself."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.metrics_port}/metrics") as answer:
            told: bytes = answer.read()
        return told


Start = Callable[..., Dashboard]
Open = Callable[..., str]


@contextmanager
def dashboards(warehouse: WarehouseSettings, folder: Path) -> Iterator[Start]:
    """Yield what starts a dashboard with more variables, if given; all of them end in the end.

    ``{address}`` in a variable is where its pages are.
    """
    processes = Processes(folder)
    with ExitStack() as started:
        started.callback(processes.release)

        def start(**more: str) -> Dashboard:
            ports = (free_port(random.SystemRandom()), free_port(random.SystemRandom()))
            told = {name: value.format(address=f"http://{LOOPBACK}:{ports[1]}") for name, value in more.items()}
            environment = {**inherited_environment(), **as_environment(warehouse), **told}
            service = Service(processes, "dashboard", ["dashboard"], environment, ports)
            started.callback(service.stop)
            service.launch()
            _wait_until_ready(ports[0], service)
            return Dashboard(service.url, ports[0], service.pids[0])

        yield start


def _wait_until_ready(port: int, service: Service) -> None:
    """Wait until the dashboard itself says that it is ready, under whatever path it serves."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz"):
                return
        except urllib.error.URLError:
            assert service.running, f"the dashboard ended with exit code {service.exit_code}"
            assert time.monotonic() < deadline, "the dashboard did not become ready"
            time.sleep(0.1)  # nothing tells when it is: it is asked again
