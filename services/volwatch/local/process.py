"""Child processes that leave nothing behind: each runs in a session of its own, with a log file of its own."""

import contextlib
import fcntl
import os
import pwd
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from volwatch.errors import Misconfigured, Transient

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessExit:
    """A child that ended though nobody stopped it."""

    name: str
    exit_code: int
    log: Path


@dataclass(frozen=True)
class Program:
    """What to run, and how to stop it.

    Attributes
    ----------
    command : list of str
        The program and its arguments.
    environment : mapping
        The whole environment of the process.
    user : str or None
        The system user to run as; None for our own.
    stop_signal : int
        What asks it to stop.
    grace_seconds : float
        How long it may take before it is killed.
    """

    command: list[str]
    environment: Mapping[str, str]
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0


class Child:
    """A running program."""

    def __init__(self, name: str, program: Program, folder: Path) -> None:
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._program = program
        self._record = folder / "run" / name
        self._stopped = False
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                program.command,
                env=dict(program.environment),
                cwd=folder,
                user=program.user,
                group=None if program.user is None else pwd.getpwnam(program.user).pw_gid,
                extra_groups=None if program.user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._record.write_text(f"{self.pid} {psutil.Process(self.pid).create_time()}")

    @property
    def pid(self) -> int:
        """Its process id, which is its session's too."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def exit(self) -> ProcessExit | None:
        """How it ended, if it did so by itself."""
        code = self._process.poll()
        return None if code is None or self._stopped else ProcessExit(self.name, code, self.log)

    def ask_to_stop(self) -> None:
        """Send the signal that asks it to stop, and do not wait."""
        if self.running:
            self._stopped = True
            self._process.send_signal(self._program.stop_signal)

    def stop(self) -> None:
        """Stop it and every process it started; return when none is left."""
        family = _family(self.pid)
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._program.grace_seconds)
        _kill(self.pid, family)
        self._process.wait()
        self._record.unlink(missing_ok=True)

    def last_lines(self, count: int = 12) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def _family(session: int) -> list[psutil.Process]:
    """Return the living members of a session, and the descendants of its leader that left it."""
    members = [process for process in psutil.process_iter() if _session(process.pid) == session and _alive(process)]
    with contextlib.suppress(psutil.NoSuchProcess):
        members += psutil.Process(session).children(recursive=True)
    return members


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def is_alive(pid: int) -> bool:
    """Return whether a process of this number runs; one that ended and waits for its parent to notice does not."""
    try:
        return _alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _kill(session: int, family: list[psutil.Process]) -> None:
    """Kill until nobody is left: a process may have forked while the others died."""
    while left := [process for process in {*family, *_family(session)} if _alive(process)]:
        # The leader first: PostgreSQL's would otherwise start again what died.
        for process in sorted(left, key=lambda each: each.pid != session):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_POLL_SECONDS)


def _end_recorded(record: Path) -> None:
    """Kill a child that an earlier stack left, having been killed before it could stop it."""
    pid, created = record.read_text().split()
    if _created(int(pid)) == float(created):  # else the number is a stranger's by now
        _kill(int(pid), [])
    record.unlink()


def _created(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


class Processes:
    """All children of one stack, which has its folder to itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("logs", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Misconfigured([f"{folder} is in use by another 'volwatch local'"]) from error
        for record in (folder / "run").iterdir():
            _end_recorded(record)
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._children: dict[str, Child] = {}

    def start(self, name: str, program: Program) -> Child:
        """Start a child, in place of an earlier one of that name."""
        with self._starting:
            self.check_open()
            if name in self._children:
                self._children[name].stop()
            self._children[name] = Child(name, program, self.folder)
            return self._children[name]

    def run(self, name: str, program: Program) -> None:
        """Run a program to its end.

        Raises
        ------
        Transient
            It failed; the end of its log is in the message.
        """
        child = self.start(name, program)
        while child.running:
            self.sleep()
        exited = child.exit
        child.stop()
        if exited is not None and exited.exit_code != 0:
            raise Transient(
                f"{name} failed with exit code {exited.exit_code}; {child.log} ends with:\n{child.last_lines()}"
            )
        del self._children[name]

    def check_open(self) -> None:
        """Raise ``Transient`` when the stack is being stopped, so that nobody waits for it."""
        if self._closing.is_set():
            raise Transient("the stack is being stopped")

    def sleep(self) -> None:
        """Wait a moment before looking again."""
        self._closing.wait(_POLL_SECONDS)
        self.check_open()

    def failed(self) -> list[ProcessExit]:
        """Return the children that ended though nobody stopped them."""
        exits = [child.exit for child in list(self._children.values())]
        return [exit_ for exit_ in exits if exit_ is not None]

    def close_to_starts(self) -> None:
        """Let nothing more be started."""
        with self._starting:
            self._closing.set()

    def release(self) -> None:
        """Stop what still runs and give the folder free."""
        self.close_to_starts()
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.stop()
        self._lock.close()


def wait_until(ready: Callable[[], bool], children: list[Child], processes: Processes, timeout_seconds: float) -> None:
    """Return when ``ready()`` holds.

    Raises
    ------
    Transient
        A child ended, the time is over, or the stack is being stopped.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        for child in children:
            if not child.running:
                raise Transient(f"{child.name} ended while it started; {child.log} ends with:\n{child.last_lines()}")
        if time.monotonic() > deadline:
            names = " and ".join(child.name for child in children)
            raise Transient(f"{names} did not get ready within {timeout_seconds:.0f} s; see {children[0].log}")
        processes.sleep()
