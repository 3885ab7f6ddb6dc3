"""What the servers of the stack have in common: they start, get ready, stop, and can be started again."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from volwatch.local.process import Child, Processes, Program, wait_until


class Server(ABC):
    """A server of the stack: one or more child processes, and a probe that tells when they serve."""

    name: str
    ready_timeout_seconds = 90.0

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.folder = processes.folder / self.name
        self._children: list[Child] = []

    @abstractmethod
    def programs(self) -> Mapping[str, Program]:
        """Return what to run, by the name of its log, having prepared the folder."""

    @abstractmethod
    def probe(self) -> bool:
        """Return whether it serves now."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is reached, as told to people."""

    def start(self) -> None:
        """Start it and return when it serves."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start its processes without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._children = [self.processes.start(name, program) for name, program in self.programs().items()]

    def wait_ready(self) -> None:
        """Return when it serves.

        Raises
        ------
        Transient
            It ended, or did not get ready in time.
        """
        wait_until(self.probe, self._children, self.processes, self.ready_timeout_seconds)

    def stop(self) -> None:
        """Stop it; its data stays and ``start`` serves them again at the same address."""
        for child in self._children:
            child.ask_to_stop()
        for child in self._children:
            child.stop()

    @property
    def pids(self) -> list[int]:
        """Its processes, those that it started itself apart."""
        return [child.pid for child in self._children]


def stop_together(servers: Sequence[Server | None]) -> None:
    """Stop servers side by side; return when all are stopped."""
    with ThreadPoolExecutor(max_workers=len(servers)) as threads:
        list(threads.map(Server.stop, [server for server in servers if server is not None]))
