"""What the embedded stack downloads or builds once for each user: Kafka's jars and MinIO.

It needs the standard library only, so that ``make setup`` can build MinIO while the packages are still being installed:
``python3 -m volwatch.local.fetch FOLDER``.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from volwatch.errors import Transient
from volwatch.local import tools
from volwatch.local.interrupts import interruptible

POM = Path(__file__).with_name("pom.xml")
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"  # release tags of this module are no module versions
MINIO_MODULE = f"github.com/minio/minio@{MINIO_VERSION}"
VERSITYGW_VERSION = "v1.8.0"
VERSITYGW_MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSITYGW_VERSION}"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Artefact:
    """Something that is fetched once.

    Attributes
    ----------
    name : str
        The name of its folder in the cache, with its version.
    tools : tuple of str
        The programs that fetching needs.
    command : callable
        Maps an empty folder to the command that fills it.
    variable : str or None
        An environment variable by which the command learns the folder.
    """

    name: str
    tools: tuple[str, ...]
    command: Callable[[Path], list[str]]
    variable: str | None = None


def kafka() -> Artefact:
    """Return the jars of Kafka, in the version that ``pom.xml`` names."""
    version = re.search(r"<version>(.+?)</version>", POM.read_text())
    assert version is not None  # noqa: S101 - the file lies beside this module
    return Artefact(f"kafka-{version[1]}", ("java", "mvn"), _maven)


def minio() -> Artefact:
    """Return the MinIO server, built from source: its public images and binaries are gone."""
    return _go_program(f"minio-{MINIO_VERSION}", MINIO_MODULE)


def versitygw() -> Artefact:
    """Return the Versity S3 gateway, built from source: the second store on which tests show the raw zone."""
    return _go_program(f"versitygw-{VERSITYGW_VERSION}", VERSITYGW_MODULE)


def _go_program(name: str, module: str) -> Artefact:
    command = ["go", "install", "-trimpath", "-ldflags", "-s -w", module]
    return Artefact(name, ("go",), lambda _folder: command, "GOBIN")


def _maven(folder: Path) -> list[str]:
    quiet = ["mvn", "--batch-mode", "--no-transfer-progress", "--strict-checksums", "--file", str(POM)]
    return [*quiet, "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]


def fetch(cache: Path, artefacts: list[Artefact], report: Report = lambda _line: None) -> list[Path]:
    """Return the folders of the artefacts, having filled those that were missing, side by side.

    Raises
    ------
    Misconfigured
        Programs are missing: all are named.
    Transient
        A download or a build failed; its last lines are in the message.
    """
    missing = [artefact for artefact in artefacts if not (cache / artefact.name).is_dir()]
    tools.require(dict.fromkeys(tool for artefact in missing for tool in artefact.tools))
    running = _Commands()
    with ThreadPoolExecutor(len(missing) or 1) as threads:
        filled = [threads.submit(_fill, cache, artefact, running, report) for artefact in missing]
        try:
            for future in filled:
                future.result()
        except BaseException:
            running.end()
            raise
    return [cache / artefact.name for artefact in artefacts]


class _Commands:
    """The commands under way, each with the processes it started in a session of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []
        self._ended = False

    def run(self, command: list[str], environment: dict[str, str] | None, folder: Path) -> tuple[int, str]:
        """Return the exit code and the output of a command."""
        with self._start(command, environment, folder) as process:
            output, _ = process.communicate()
            with self._lock:
                self._running.remove(process)
        return process.returncode, output

    def _start(self, command: list[str], environment: dict[str, str] | None, folder: Path) -> "subprocess.Popen[str]":
        with self._lock:  # what is started as all is ended would never be
            if self._ended:
                raise Transient("fetching was ended")
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.append(process)
        return process

    def end(self) -> None:
        """Kill what is under way; nothing more is started."""
        with self._lock:
            self._ended = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _fill(cache: Path, artefact: Artefact, commands: _Commands, report: Report) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    report(f"{artefact.name}: fetching")
    began = time.monotonic()
    # Filled under another name and renamed when whole: a run that is cut short leaves nothing that looks complete.
    with tempfile.TemporaryDirectory(prefix=f".{artefact.name}-", dir=cache) as scratch:
        folder = Path(scratch, "whole")
        folder.mkdir()
        environment = None if artefact.variable is None else os.environ | {artefact.variable: str(folder)}
        exit_code, output = commands.run(artefact.command(folder), environment, folder)
        if exit_code != 0:
            raise Transient(f"{artefact.name} cannot be fetched:\n" + "\n".join(output.splitlines()[-15:]))
        try:
            folder.rename(cache / artefact.name)
        except OSError:
            if not (cache / artefact.name).is_dir():  # else another process was faster, with the same content
                raise
    report(f"{artefact.name}: fetched in {time.monotonic() - began:.0f} s")


def main(arguments: list[str]) -> int:
    """Fill the cache folder that is the only argument; return the exit code."""
    with interruptible():
        fetch(Path(arguments[0]), [minio(), kafka()], lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
