"""The passwords of one data folder: generated once, kept in a file that nobody else can read."""

import base64
import json
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path


def _random_key(random_bytes: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(random_bytes)).decode()  # as Airflow's Fernet key must be


class Passwords:
    """The passwords of a folder, by what they open."""

    def __init__(self, file: Path, generate: Callable[[int], str] = _random_key) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._generate = generate
        self._known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    def of(self, name: str, *, random_bytes: int = 32) -> str:
        """Return the password of this name, which stays the same for as long as the folder lives."""
        with self._lock:
            if name not in self._known:
                self._known[name] = self._generate(random_bytes)
                self._write()
            return self._known[name]

    def _write(self) -> None:
        scratch = self._file.with_suffix(".new")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._known, file, indent=2)
        scratch.replace(self._file)
