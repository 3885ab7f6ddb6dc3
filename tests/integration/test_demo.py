"""The whole way with one command: a price becomes an alert on the dashboard, and a broken hop is named."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from volwatch.local.process import is_alive

PATIENCE_SECONDS = 400.0


@pytest.fixture
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A running demo that would go on for ten minutes."""
    command = [sys.executable, "-m", "volwatch.cli", "local", "demo", "--for", "600", "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)


def read_until(process: subprocess.Popen[str], pattern: str, told: list[str]) -> re.Match[str]:
    """Return the first match of a pattern in the lines that the process tells."""
    assert process.stdout is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    for line in process.stdout:
        told.append(line)
        if found := re.search(pattern, line):
            return found
        assert time.monotonic() < deadline, "".join(told)
    raise AssertionError(f"it ended without {pattern!r}:\n{''.join(told)}")


def recorded_pid(folder: Path, name: str) -> int:
    """Return the process of a server of the stack."""
    return int((folder / "run" / name).read_text().split()[0])


@pytest.mark.timeout(900)
def test_the_injected_spike_is_alerted_and_a_broken_hop_is_named(demo: subprocess.Popen[str], folder: Path) -> None:
    told: list[str] = []
    dashboard = read_until(demo, r"dashboard: (\S+)", told).group(1)
    read_until(demo, r"alert (\d+) s after the burst was injected.*SIM01 .* the usual", told)
    with urllib.request.urlopen(dashboard, timeout=10) as page:  # noqa: S310 - the address the demo told
        assert page.status == 200
    # The alert comes by the fast path, some minutes before what is behind it has gone through the last hop.
    hops = ("produced", "watched", "stored raw", "loaded")
    read_until(demo, "^" + ", ".join(rf"[1-9][\d,]* trades {hop}" for hop in hops), told)
    read_until(demo, r"[^\d,][1-9]\d* quotes published", told)
    children = psutil.Process(demo.pid).children(recursive=True)
    os.kill(recorded_pid(folder, "minio"), signal.SIGKILL)
    read_until(demo, r"FAILED: raw zone \(MinIO\): minio ended with exit code -9", told)
    assert demo.wait(timeout=60) == 1
    assert [child for child in children if is_alive(child.pid)] == []
