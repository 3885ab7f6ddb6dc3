"""What every stage's main needs around its work: logs, the signal to stop, and the page on which it tells of itself."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from types import FrameType
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from volwatch.metrics import REGISTRY

StartResponse = Callable[..., Any]


def configure_logging(level: str = "info") -> None:
    """Log one structured line per event to standard output: readable on a terminal, JSON elsewhere."""
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


class Stop:
    """The wish to stop, set by SIGTERM or SIGINT; loops ask ``requested`` or sleep in ``wait``."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @classmethod
    def on_signals(cls) -> "Stop":
        """Return a stop that SIGTERM and SIGINT set."""
        stop = cls()

        def handle(signum: int, _frame: FrameType | None) -> None:
            stop.request()

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)
        return stop

    @property
    def requested(self) -> bool:
        """Whether it is time to finish."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask the loop to finish."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``, less when asked to stop; return whether it was asked."""
        return self._event.wait(seconds)


class Health:
    """What the probes ask: ``/healthz`` fails when the loop has not beaten for a while, ``/readyz`` until it is ready.

    Parameters
    ----------
    stuck_seconds : float
        Silence of the loop after which the process counts as stuck.
    clock : callable
        A monotonic clock, in seconds.
    """

    def __init__(self, stuck_seconds: float = 120.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._beaten_at = clock()
        self._ready = False

    def beat(self) -> None:
        """Tell that the loop went round."""
        self._beaten_at = self._clock()

    def set_ready(self, ready: bool) -> None:
        """Tell whether the stage can do its work now."""
        self._ready = ready

    @property
    def alive(self) -> bool:
        """Whether the loop has gone round lately."""
        return self._clock() - self._beaten_at < self._stuck_seconds

    @property
    def ready(self) -> bool:
        """Whether the stage can do its work now."""
        return self._ready


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Probes and scrapes are not worth a log line."""


def _answer(start_response: StartResponse, good: bool) -> Iterable[bytes]:
    start_response("200 OK" if good else "503 Service Unavailable", [("Content-Type", "text/plain")])
    return [b"ok\n" if good else b"not ok\n"]


def serve(health: Health, host: str, port: int, registry: CollectorRegistry = REGISTRY) -> int:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` from a daemon thread; return the port (0 asks for any)."""
    metrics_app = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return cast("Iterable[bytes]", metrics_app(environ, start_response))
        if path == "/healthz":
            return _answer(start_response, health.alive)
        if path == "/readyz":
            return _answer(start_response, health.ready and health.alive)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"here are /metrics, /healthz and /readyz\n"]

    server = make_server(host, port, app, server_class=_Server, handler_class=_QuietHandler)
    threading.Thread(target=server.serve_forever, name="serve", daemon=True).start()
    return server.server_port
