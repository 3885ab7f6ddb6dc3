"""Keeps the processes of a platform running, as Kubernetes would, and kills them."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import Error

from tests.faults.parts import LOADER, PRODUCER, Part
from tests.faults.source import Sample
from volwatch.errors import Transient
from volwatch.local.postgres import Postgres
from volwatch.local.scrape import read_metric
from volwatch.local.service import Service
from volwatch.local.stack import ROLES, Stack
from volwatch.settings import as_environment

_PAUSE_AFTER_CRASH_SECONDS = 1.0
_LONGEST_WAIT_FOR_WORK_SECONDS = 15.0
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'volwatch-pipeline'"

KILLED, LEFT, CRASHED, ENDED = "killed", "left", "ended by itself", "ran to its end"


@dataclass(slots=True)
class _Kept:
    """A part and how it stands."""

    part: Part
    service: Service | None = None
    started_ms: int = 0
    wanted: bool = True
    due_at: float = 0.0
    seen: bool = True
    killed: bool = False
    leaving: bool = False


class Supervisor:
    """The processes of one platform.

    Parameters
    ----------
    environment : mapping
        The servers of that platform.
    database : str
        Its database: a loader is at work when it has a session there.

    Attributes
    ----------
    tally : Counter of (str, str)
        What became of each part, and how often.
    reasons : Counter of (str, str)
        Why parts ended by themselves.
    samples : list of Sample
        What each life of the producer had counted as delivered.
    """

    def __init__(self, stack: Stack, parts: Sequence[Part], environment: Mapping[str, str], database: str) -> None:
        self._stack = stack
        self._environment = environment
        self._database = database
        self._kept = {part.name: _Kept(part) for part in parts}
        self.tally: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.samples: list[Sample] = []

    def look(self) -> None:
        """Note who has ended, and start again who is due."""
        for kept in self._kept.values():
            if kept.service is not None and kept.service.running:
                continue
            if not kept.seen:
                self._note_end(kept)
            if kept.wanted and time.monotonic() >= kept.due_at:
                self._start(kept)

    def runs(self, name: str) -> bool:
        """Return whether a part runs now."""
        service = self._kept[name].service
        return service is not None and service.running

    @property
    def delivered(self) -> float | None:
        """How many records this life of the producer has counted as delivered; None when it does not answer."""
        return self.metric(PRODUCER, "volwatch_producer_trades_total", outcome="delivered")

    def ended_well(self, name: str) -> bool:
        """Return whether a part has ended with exit code 0."""
        service = self._kept[name].service
        return service is not None and service.exit_code == 0

    def metric(self, name: str, metric: str, **labels: str) -> float | None:
        """Return what a part tells of itself; None when it does not answer."""
        service = self._kept[name].service
        return None if service is None else read_metric(service.url, metric, **labels)

    def kill(self, name: str) -> None:
        """Kill a part that runs, without warning."""
        kept = self._kept[name]
        assert kept.service is not None
        if name == PRODUCER:
            self._take_sample(kept)
        kept.killed = True
        for pid in kept.service.pids:
            os.kill(pid, signal.SIGKILL)
        self.tally[name, KILLED] += 1

    def leave(self, name: str) -> None:
        """Ask a part to stop and do not start it again until ``join``."""
        kept = self._kept[name]
        kept.wanted, kept.leaving = False, True
        if kept.service is not None and kept.service.running:
            for pid in kept.service.pids:
                os.kill(pid, signal.SIGTERM)

    def join(self, name: str) -> None:
        """Let a part run again."""
        self._kept[name].wanted = True

    def rest(self, name: str) -> None:
        """Start a task no more; a run that is under way goes to its end."""
        self._kept[name].wanted = False

    def stop(self) -> None:
        """End what still runs."""
        for kept in self._kept.values():
            kept.wanted = False
            if kept.service is not None:
                kept.service.stop()

    def is_at_work(self, name: str) -> bool:
        """Return whether a part is in the middle of what it does: a loader, when it has a session of the warehouse.

        Where the warehouse cannot be asked, it counts as at work.
        """
        kept = self._kept[name]
        if name != LOADER or time.time() - kept.started_ms / 1_000 > _LONGEST_WAIT_FOR_WORK_SECONDS:
            return True
        return has_session(self._stack.postgres, self._database)

    def log(self, name: str) -> Path:
        """Return where a part writes its log."""
        return self._stack.folder / "logs" / f"{_process_name(name)}.log"

    def _start(self, kept: _Kept) -> None:
        kept.seen = kept.killed = kept.leaving = False
        kept.started_ms = time.time_ns() // 1_000_000
        if kept.service is not None:
            kept.service.launch()
            return
        stage, *words = kept.part.words
        role = self._stack.postgres.settings(ROLES[kept.part.role], self._database)
        environment = {**self._environment, **as_environment(role), **kept.part.environment}
        kept.service = self._stack.start_service(stage, *words, env=environment, name=_process_name(kept.part.name))

    def _note_end(self, kept: _Kept) -> None:
        assert kept.service is not None
        kept.seen = True
        pause = kept.part.pause_seconds or 0.0
        if not kept.killed:
            pause = max(pause, self._note_own_end(kept))
        kept.due_at = time.monotonic() + pause

    def _note_own_end(self, kept: _Kept) -> float:
        """Note how a part ended that was not killed; return after how long it may start again at the earliest."""
        assert kept.service is not None
        name, code = kept.part.name, kept.service.exit_code
        # One that has not come so far as to listen for the signal has nothing to bring to an end.
        if code == 0 or (kept.leaving and code == -signal.SIGTERM):
            self.tally[name, LEFT if kept.leaving else ENDED] += 1
            if name == PRODUCER and code == 0:
                self._take_last_sample(kept)
            return 0.0
        self.tally[name, CRASHED] += 1
        self.reasons[name, _reason(self.log(name), code)] += 1
        return _PAUSE_AFTER_CRASH_SECONDS

    def _take_sample(self, kept: _Kept) -> None:
        delivered = self.delivered
        if delivered is not None:
            now_ms = time.time_ns() // 1_000_000
            self.samples.append(Sample(kept.started_ms, now_ms, int(delivered), whole=False))

    def _take_last_sample(self, kept: _Kept) -> None:
        lines = self.log(PRODUCER).read_text().splitlines()
        told = next(json.loads(line) for line in reversed(lines) if '"event": "producer_stopped"' in line)
        now_ms = time.time_ns() // 1_000_000
        # It says nothing of deliveries when it was never its turn.
        self.samples.append(Sample(kept.started_ms, now_ms, int(told.get("delivered", 0)), whole=True))


def has_session(postgres: Postgres, database: str) -> bool:
    """Return whether a loader has a session of a database; true where nobody answers."""
    try:
        with postgres.admin() as connection, connection.cursor() as cursor:
            cursor.execute(_SESSIONS, (database,))
            return cursor.fetchone() != (0,)
    except (Transient, Error):
        return True


def _process_name(name: str) -> str:
    return f"faults-{name}"


def _reason(log: Path, code: int | None) -> str:
    """Return the error with which a program ended."""
    lines = log.read_text(errors="replace").splitlines()
    told = next((line for line in reversed(lines) if line and not line.startswith((" ", "{", "%"))), "")
    return f"exit code {code}: {told.partition(':')[0]}"
