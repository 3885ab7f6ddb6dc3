"""Servers that are killed or stopped, and come back at the same address with the same data."""

import contextlib
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import psutil

from volwatch.errors import Misconfigured
from volwatch.local.server import Server
from volwatch.local.stack import Stack

SERVERS = ("kafka", "minio", "postgres")


def own_servers(stack: Stack) -> dict[str, Server]:
    """Return the servers of a stack by name; one that runs elsewhere is not ours to stop."""
    servers: dict[str, Server] = {}
    for name in SERVERS:
        with contextlib.suppress(Misconfigured):
            servers[name] = getattr(stack, name)
    return servers


class Outages:
    """What is done to the servers, beside the loop that keeps the processes: a start takes seconds."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        self._servers = servers
        self._threads = ThreadPoolExecutor(len(servers), "outage")
        self._locks = {name: threading.Lock() for name in servers}
        self._under_way: list[Future[None]] = []
        self._hurry = threading.Event()

    @property
    def servers(self) -> list[str]:
        """The names of the servers."""
        return list(self._servers)

    def restart(self, name: str) -> None:
        """Kill a server and start it again at once."""
        self._under_way.append(self._threads.submit(self._restart, name))

    def away(self, name: str, seconds: float) -> None:
        """Stop a server and start it again after a while."""
        self._under_way.append(self._threads.submit(self._away, name, seconds))

    def settle(self) -> None:
        """Return when every server is back; raise what kept one from coming back."""
        for outage in self._under_way:
            outage.result()
        self._under_way.clear()

    @property
    def over(self) -> bool:
        """Whether every server is back."""
        return all(outage.done() for outage in self._under_way)

    def close(self) -> None:
        """Let the servers come back at once, and do nothing more."""
        self._hurry.set()
        self._threads.shutdown()

    def _restart(self, name: str) -> None:
        with self._locks[name]:
            kill(self._servers[name])
            self._servers[name].start()

    def _away(self, name: str, seconds: float) -> None:
        with self._locks[name]:
            self._servers[name].stop()
            self._hurry.wait(seconds)
            self._servers[name].start()


def kill(server: Server) -> None:
    """Kill a server and what it started, as if the machine had failed; return when it is gone."""
    for pid in server.pids:
        leader = psutil.Process(pid)
        family = leader.children(recursive=True)
        # The leader first: PostgreSQL's would see its children die, and start to recover.
        for process in [leader, *family]:
            process.kill()
    server.stop()
