"""``volwatch dashboard``: Streamlit and, beside it in the same process, /metrics, /healthz and /readyz."""

import argparse
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import bootstrap

from dashboard.collector import PipelineCollector
from dashboard.provider_file import provider_file
from volwatch.metrics import REGISTRY
from volwatch.runtime import Health, configure_logging, serve
from volwatch.settings import DashboardSettings, ServiceSettings, WarehouseSettings, load
from volwatch.warehouse.reader import open_reader

APP = Path(__file__).with_name("app.py")
PROBE_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 3.0

THEME: dict[str, object] = {
    "theme.baseRadius": "0.4rem",
    "theme.showWidgetBorder": True,
    "theme.headingFontSizes": ["1.9rem", "1.5rem", "1.25rem", "1.1rem", "1rem", "0.9rem"],
    "theme.light.primaryColor": "#3b82c4",
    "theme.light.backgroundColor": "#fbfcfd",
    "theme.light.secondaryBackgroundColor": "#eef2f6",
    "theme.light.textColor": "#1f2933",
    "theme.light.borderColor": "#d9e1e8",
    "theme.dark.primaryColor": "#5aa0dc",
    "theme.dark.backgroundColor": "#11161c",
    "theme.dark.secondaryBackgroundColor": "#1b232c",
    "theme.dark.textColor": "#e4e9ee",
    "theme.dark.borderColor": "#2c3743",
}

log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.description = (
        "Serve the dashboard until SIGTERM. It reads the warehouse as the role volwatch_dashboard "
        "(VOLWATCH_WAREHOUSE_HOST, _USER, _PASSWORD …), listens on VOLWATCH_DASHBOARD_PORT under "
        "VOLWATCH_DASHBOARD_BASE_PATH, and tells of itself and of the pipeline on VOLWATCH_SERVICE_PORT."
    )


def run(args: argparse.Namespace) -> int:
    """Serve the dashboard until a signal ends it; return the exit code.

    Raises
    ------
    Misconfigured
        Settings are missing or wrong.
    """
    del args  # everything is in the environment: the app reads the same settings in each session
    dashboard, warehouse, service = load(DashboardSettings, WarehouseSettings, ServiceSettings)
    configure_logging(service.log_level)
    reader = open_reader(warehouse, connections=1, application_name="volwatch-dashboard-metrics")
    REGISTRY.register(PipelineCollector(reader.totals))
    health = Health()
    port = serve(health, service.host, service.port)
    _watch(health, probe_address(dashboard), time.sleep)
    log.info(
        "dashboard_started",
        port=dashboard.port,
        base_path=dashboard.base_path,
        metrics_port=port,
        signs_in=dashboard.signs_in,
        read_only=dashboard.read_only,
    )
    with provider_file(dashboard) as path:
        _serve_pages(streamlit_options(dashboard, path))
    log.info("dashboard_stopped")
    return 0


def _serve_pages(options: Mapping[str, object]) -> None:
    # Streamlit takes a folder "pages" for scripts of its own until the app has run once: an address of a page that is
    # the first one asked of a new process would show nothing.
    PagesManager.uses_pages_directory = False
    bootstrap.load_config_options(dict(options))
    bootstrap.run(str(APP), is_hello=False, args=[], flag_options=dict(options))


def streamlit_options(settings: DashboardSettings, provider: Path | None = None) -> dict[str, object]:
    """Return Streamlit's own settings: ours win over any file on the machine, also what it may know of a provider."""
    secret = settings.cookie_secret
    return {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.baseUrlPath": settings.base_path.strip("/"),
        "server.headless": True,
        "server.fileWatcherType": "none",
        # Proxies cut a connection on which nothing was said for a minute or so.
        "server.websocketPingInterval": 20,
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        # The greeting asks a server on the internet for this machine's address.
        "logger.hideWelcomeMessage": True,
        "secrets.files": [] if provider is None else [str(provider)],
        **THEME,
        **({} if secret is None else {"server.cookieSecret": secret.get_secret_value()}),
    }


def probe_address(settings: DashboardSettings) -> str:
    """Return the address at which Streamlit tells that it is well."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104 - asks on the loopback
    path = f"/{settings.base_path.strip('/')}".rstrip("/")
    return f"http://{host}:{settings.port}{path}/_stcore/health"


def probe(address: str, health: Health) -> None:
    """Beat while Streamlit answers; ready only then."""
    try:
        with urllib.request.urlopen(address, timeout=PROBE_TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own address
            well = answer.status == 200
    except (urllib.error.URLError, TimeoutError):
        well = False
    health.set_ready(well)
    if well:
        health.beat()


def _watch(health: Health, address: str, sleep: Callable[[float], None]) -> None:
    def watch() -> None:
        while True:
            probe(address, health)
            sleep(PROBE_SECONDS if health.ready else 0.5)

    threading.Thread(target=watch, name="probe", daemon=True).start()
