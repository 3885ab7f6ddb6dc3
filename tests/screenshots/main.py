"""``make screenshots``: each page of the dashboard, light and dark, as a picture in ``docs/images``.

A simulated market goes through the minute path into a warehouse of its own; a headless Chromium looks at the dashboard
that reads it. Takes two minutes. Look at what was made: nothing else judges it.
"""

import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page
from rich.console import Console

ROOT = Path(__file__).parents[2]
# In place of this folder, whose modules would stand before others of the same names.
sys.path[0] = str(ROOT)

from tests.benchmarks.servers import Servers  # noqa: E402 - found by the path above
from tests.dashboard.chromium import chromium  # noqa: E402 - the same
from tests.integration.worlds import World, own_world  # noqa: E402 - the same
from tests.screenshots.market import Market, busiest, judge, people, platform  # noqa: E402 - the same
from volwatch.errors import Misconfigured  # noqa: E402 - the same
from volwatch.local.interrupts import interruptible  # noqa: E402 - the same
from volwatch.local.ports import free_port  # noqa: E402 - the same
from volwatch.local.process import Processes  # noqa: E402 - the same
from volwatch.local.service import Service  # noqa: E402 - the same
from volwatch.local.stack import Stack  # noqa: E402 - the same
from volwatch.runtime import configure_logging  # noqa: E402 - the same
from volwatch.settings import as_environment, inherited_environment  # noqa: E402 - the same
from volwatch.warehouse import provision  # noqa: E402 - the same
from volwatch.warehouse.reader import Reader, open_reader  # noqa: E402 - the same
from volwatch.warehouse.readings import AlertFilter  # noqa: E402 - the same

IMAGES = ROOT / "docs" / "images"
WIDTH, TALLEST = 1440, 3000
SCHEMES = ("light", "dark")
PATIENCE_MS = 120_000


def main(console: Console) -> int:
    """Make the pictures; return the exit code."""
    with interruptible(), Servers(console) as servers:
        try:
            with own_world(servers.stack) as world:
                _make(servers.stack, world, console)
        except Misconfigured as error:
            console.print(str(error), style="bold red", markup=False)
            return 2
    return 0


def addresses(reader: Reader, burst_symbol: str) -> Mapping[str, str]:
    """Return the path of each picture's page by its name."""
    series = busiest(reader, burst_symbol)
    shown = reader.alerts(AlertFilter(symbol=burst_symbol, kinds=("VOLATILITY",)), 1, "newest")["alert_id"][0]
    return {
        "overview": "/",
        "symbol": f"/symbol?symbol={series.symbol}&source={series.source}",
        "alerts": f"/alerts?alert={shown}",
        "backtest": "/backtest",
        "pipeline": "/pipeline",
    }


def _make(stack: Stack, world: World, console: Console) -> None:
    console.print("screenshots: a day of the market")
    market = Market(world)
    market.begin()
    _nightly(world)
    platform(stack, world)
    settings = stack.postgres.settings(provision.DASHBOARD, world.warehouse.database)
    reader = open_reader(settings, connections=1, application_name="screenshots")
    people(reader)
    processes = Processes(stack.folder / "screenshots")
    ports = (free_port(random.SystemRandom()), free_port(random.SystemRandom()))
    environment = {**inherited_environment(), **as_environment(settings)}
    service = Service(processes, "dashboard", ["dashboard"], environment, ports)
    try:
        service.start()
        with chromium() as browser:
            for name, path in addresses(reader, market.burst_symbol).items():
                for scheme in SCHEMES:
                    market.go_on()  # else the page would say that the data is stale
                    judge(stack, world)
                    target = IMAGES / f"{name}-{scheme}.png"
                    _shoot(browser, f"{service.url}{path}", scheme, target, run=name == "backtest")
                    console.print(f"screenshots: {target.relative_to(ROOT)}")
    finally:
        service.stop()
        processes.release()
        reader.close()


def _nightly(world: World) -> None:
    """Write the daily bars and what follows from them."""
    command = [sys.executable, "-m", "volwatch.cli", "pipeline", "nightly"]
    subprocess.run(command, env={**inherited_environment(), **world.environment}, check=True, stdout=subprocess.DEVNULL)


def _shoot(browser: Browser, address: str, scheme: str, target: Path, *, run: bool) -> None:
    """Take the picture of a page, after a click on its button Run where it has one."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.get_by_text("As of").first.wait_for()
        _settle(page)
        if run:
            page.get_by_role("button", name="Run", exact=True).click()
            page.get_by_text("symbol-days").wait_for()
            _settle(page)
        # Streamlit scrolls inside of the page: the window is made as tall as what is in it.
        height = page.evaluate("document.querySelector('.stMainBlockContainer').scrollHeight")
        page.set_viewport_size({"width": WIDTH, "height": min(int(height) + 20, TALLEST)})
        _settle(page)
        page.screenshot(path=target)
    finally:
        context.close()


def _settle(page: Page) -> None:
    """Wait until the script has run and the charts are drawn."""
    page.locator("[data-test-script-state='notRunning']").first.wait_for(state="attached")
    time.sleep(3)


if __name__ == "__main__":
    configure_logging("error")
    sys.exit(main(Console()))
