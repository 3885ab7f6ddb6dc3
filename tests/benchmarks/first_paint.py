"""How long a person waits for the first page, in a real Chromium, on the market of ``warehouse_market``.

From the start of the navigation, with nothing in the browser's cache, until the table of symbols has a cell with the
name of one and the page says how old its data is. The peer is the page that one writes first: ``peers/first_page.py``.
"""

import random
import statistics
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.benchmarks.measure import Measured, Unequal
from tests.dashboard.chromium import chromium
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server
from volwatch.local.service import Service
from volwatch.settings import WarehouseSettings, as_environment, inherited_environment

ROOT = Path(__file__).parents[2]
PEER = ROOT / "tests" / "benchmarks" / "peers" / "first_page.py"
ROUNDS, PEER_ROUNDS = 5, 3
PATIENCE_MS = 180_000

# Tables are drawn on a canvas, which holds what is to be seen of them as cells too. The table of symbols is the first.
_PAINTED = r"""() => {
    const table = document.querySelector('[data-testid=stDataFrame] canvas table')
    const badges = [...document.querySelectorAll('.stMarkdownBadge')]
    const named = [...(table?.querySelectorAll('td') ?? [])].some(cell => /^S\d{3}$/.test(cell.textContent))
    const aged = badges.some(badge => badge.textContent.includes('As of') && badge.checkVisibility())
    return named && aged && [performance.now(), Number(table.getAttribute('aria-rowcount'))]
}"""


class Painted(NamedTuple):
    """When the first page was there, and how many rows its table has."""

    milliseconds: float
    rows: int


class PeerPage(Server):
    """The peer's script, served by Streamlit."""

    name = "first-page"

    def __init__(self, processes: Processes, port: int, environment: Mapping[str, str]) -> None:
        super().__init__(processes)
        self._port, self._environment = port, {**environment, "PYTHONPATH": str(ROOT)}

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"http://{LOOPBACK}:{self._port}"

    def programs(self) -> Mapping[str, Program]:
        """Return the script's server."""
        options = {
            "server.address": LOOPBACK,
            "server.port": self._port,
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": "false",
            "logger.hideWelcomeMessage": "true",
        }
        told = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "streamlit", "run", str(PEER), *told]
        return {self.name: Program(command, self._environment)}

    def probe(self) -> bool:
        """Return whether it serves now."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/_stcore/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def run(warehouse: WarehouseSettings, tell: Callable[[str], None]) -> Measured:
    """Return the median time of the dashboard's first page, and that of the peer's; tell of what no page can beat."""
    with _served(warehouse) as (ours_at, peer_at), chromium() as browser:
        ours = times(browser, ours_at, ROUNDS)
        peer = times(browser, peer_at, PEER_ROUNDS)
        alone = times(browser, f"{peer_at}/?alone", PEER_ROUNDS)
    check(ours, peer)
    found, expected, least = (statistics.median(seen.milliseconds for seen in side) for side in (ours, peer, alone))
    tell(f"first paint: ours {found:.0f} ms, the naive page {expected:.0f} ms; without any question {least:.0f} ms")
    return Measured("dashboard_first_paint_ms", found, expected, expected / found, "ms, less is better")


def times(browser: Browser, address: str, rounds: int) -> list[Painted]:
    """Return how a page was painted each time, opened once before to warm up its server."""
    return [painted(browser, address) for _ in range(rounds + 1)][1:]


def painted(browser: Browser, address: str) -> Painted:
    """Open a page in a context of its own, whose cache is empty, and return when it was there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.goto(address, wait_until="commit")
        milliseconds, rows = page.wait_for_function(_PAINTED, timeout=PATIENCE_MS).json_value()
    finally:
        context.close()
    return Painted(milliseconds, rows)


def check(ours: list[Painted], peer: list[Painted]) -> None:
    """Raise ``Unequal`` where the tables have not the same number of rows."""
    if len({seen.rows for seen in (*ours, *peer)}) != 1:
        raise Unequal("first paint: the tables of the two pages are not of one length")


@contextmanager
def _served(warehouse: WarehouseSettings) -> Iterator[tuple[str, str]]:
    """Serve the dashboard and the peer's page; yield their addresses."""
    randomness = random.SystemRandom()
    environment = {**inherited_environment(), **as_environment(warehouse)}
    with tempfile.TemporaryDirectory(prefix="volwatch-bench-") as folder:
        processes = Processes(Path(folder))
        ports = (free_port(randomness), free_port(randomness))
        servers = (
            Service(processes, "dashboard", ["dashboard"], environment, ports),
            PeerPage(processes, free_port(randomness), environment),
        )
        try:
            for server in servers:
                server.start()
            yield servers[0].address, servers[1].address
        finally:
            processes.release()
