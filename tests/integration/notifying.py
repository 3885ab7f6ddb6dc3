"""A notifier as a process of its own, between a warehouse in which alerts happen and receivers that count."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from tests.integration.worlds import APPLICATION_NAME, World
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.local.stack import ROLES, Stack
from volwatch.settings import as_environment
from volwatch.warehouse.connection import connect

SECRET = "a-secret-of-the-test"
INSERT_ALERT = """
INSERT INTO stock_alerts (alert_id, source, symbol, kind, detector, detector_version, onset_bar, state, severity,
    confirmed, statistic, threshold, volatility, expected_volatility, ratio, sentence, why, config_hash, detected_at,
    market_alert_id)
VALUES (%(alert_id)s, 'simulator', %(symbol)s, %(kind)s, 'range', '1', date_trunc('minute', now()), %(state)s,
    %(severity)s, true, 5.1, 3.8, 0.4, 0.1, 4.0, %(sentence)s, '{}', 'h', now(), %(market)s)
ON CONFLICT (alert_id) DO UPDATE SET state = %(state)s, severity = excluded.severity
"""
INSERT_EVENT = """
INSERT INTO alert_events (alert_id, event, severity, bar_start, actor) VALUES (%s, %s, %s, now(), %s)
"""


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not happen in time: {found}"
        time.sleep(0.05)


def new_alert() -> str:
    return str(uuid.uuid4())


class Desk:
    """A warehouse in which alerts happen, and a notifier on it."""

    def __init__(self, world: World, stack: Stack, folder: Path, alerts_topic: str) -> None:
        self.world = world
        self.file = folder / "channels.yaml"
        self.log = folder / "notifier.log"
        self.port = free_port(random.Random())
        self.warehouse = stack.postgres.settings(ROLES["notifier"], world.warehouse.database)
        self.environment = {
            **os.environ,
            **as_environment(stack.kafka_settings, self.warehouse),
            "VOLWATCH_KAFKA_ALERTS_TOPIC": alerts_topic,
            "VOLWATCH_NOTIFIER_CHANNELS_FILE": str(self.file),
            "VOLWATCH_SERVICE_HOST": LOOPBACK,
        }

    def happen(
        self,
        alert_id: str,
        event: str,
        severity: str = "LOW",
        *,
        symbol: str | None = None,
        kind: str = "VOLATILITY",
        market: str | None = None,
        actor: str = "pipeline",
        state: str | None = None,
    ) -> None:
        """Let an alert take a step, written as the pipeline does it: alert and event in one transaction."""
        row = {
            "alert_id": alert_id,
            "symbol": symbol or alert_id[:8],
            "kind": kind,
            "severity": severity,
            "state": state or event,
            "market": market,
            "sentence": f"{symbol or alert_id[:8]} moved",
        }
        with (
            closing(connect(self.world.warehouse, application_name=APPLICATION_NAME)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(INSERT_ALERT, row)
            cursor.execute(INSERT_EVENT, (alert_id, event, severity, actor))

    def channels(self, *entries: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(list(entries)))

    def start(self, port: int | None = None) -> "subprocess.Popen[bytes]":
        """Start a notifier without waiting for it."""
        environment = {**self.environment, "VOLWATCH_SERVICE_PORT": str(self.port if port is None else port)}
        command = [sys.executable, "-m", "volwatch.cli", "notifier"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log)

    @contextmanager
    def notifier(self, port: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a notifier that serves its channels; it ends with 0."""
        process = self.start(port)
        try:
            until(lambda: self.served() or process.poll() is not None)
            assert process.poll() is None, self.log.read_text()
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()

    def served(self) -> bool:
        return bool(self.select("SELECT channel FROM notification_channels"))

    def told(self) -> Counter[tuple[str, str]]:
        """Return how many deliveries of each channel are in each state."""
        rows = self.select("SELECT channel, state FROM notification_deliveries")
        return Counter((channel, state) for channel, state in rows)

    def all_told(self) -> bool:
        left = self.select(
            "SELECT (SELECT count(*) FROM notifications)"
            " + (SELECT count(*) FROM notification_deliveries WHERE state = 'WAITING')"
        )
        return left == [(0,)]

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask as the notifier: the pipeline sees nothing of what is told."""
        with (
            closing(connect(self.warehouse, application_name=APPLICATION_NAME)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall()


class Hook:
    """An HTTP receiver that keeps every request, and can be away."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.port = free_port(random.Random())
        self.on_request: Callable[[str], None] = lambda path: None
        self._server: ThreadingHTTPServer | None = None
        self.back()

    def url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}/{path}"

    def back(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests.append((self.path.strip("/"), dict(self.headers.items()), body))
                hook.on_request(self.path.strip("/"))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                """Keep requests, not lines."""

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def away(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def keys(self, path: str = "hook") -> Counter[str]:
        """Return how often each idempotency key was received, without dedupe."""
        return Counter(headers["Idempotency-Key"] for at, headers, _ in self.requests if at == path)

    def notified(self, status: str, path: str = "alertmanager") -> Counter[str]:
        """Return how often Alertmanager told of each alert under a status."""
        bodies = [json.loads(body) for at, _, body in self.requests if at == path]
        return Counter(
            one["labels"]["alert_id"] for sent in bodies for one in sent["alerts"] if one["status"] == status
        )


class Mailbox:
    """A local SMTP server that keeps every mail, and can be away."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = free_port(random.Random())
        self._controller: Controller | None = None
        self.back()

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def back(self) -> None:
        self._controller = Controller(self, hostname=LOOPBACK, port=self.port)
        self._controller.start()

    def away(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def ids(self) -> Counter[str]:
        return Counter(str(mail["Message-ID"]) for mail in self.mails)


def hook_channel(hook: Hook, **more: object) -> dict[str, object]:
    return {"name": "hook", "kind": "webhook", "url": hook.url("hook"), "secret": SECRET} | more


def mail_channel(mailbox: Mailbox, **more: object) -> dict[str, object]:
    return {
        "name": "mail",
        "kind": "mail",
        "host": LOOPBACK,
        "port": mailbox.port,
        "security": "none",
        "from": "volwatch@example.org",
        "to": ["desk@example.org"],
        "rate_per_minute": 100_000,
        **more,
    }


class Alertmanager:
    """A real Alertmanager, that tells a hook at once and of each alert by itself."""

    def __init__(self, program: Path, folder: Path, receiver: str) -> None:
        self.port = free_port(random.Random())
        self._data = folder / "alertmanager"
        self._data.mkdir()
        at_once = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "24h"}
        settings = {
            "route": {"receiver": "hook", **at_once},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": receiver, "send_resolved": True}]}],
        }
        self._config = self._data / "alertmanager.yaml"
        self._config.write_text(yaml.safe_dump(settings))
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.back()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def back(self) -> None:
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    f"--config.file={self._config}",
                    f"--storage.path={self._data}",
                    f"--web.listen-address={LOOPBACK}:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )

    def away(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        self._process = None


def alertmanager_program(cache: Path) -> Path:
    found = sorted(cache.glob("prometheus-alertmanager-*/prometheus-alertmanager"))
    if not found or not Path("/usr/share/prometheus/alertmanager/default.tmpl").exists():
        pytest.skip("there is no Alertmanager in the cache: make tools takes it out of Debian's package")
    return found[-1]
