"""The lease as a lock on a file, for producers of one machine.

The kernel frees the lock when its holder ends, however it ends. The file says who holds it: who ended without giving it
back has left a name there. Whoever opens a file that was removed meanwhile has a lock on nothing, so it is always asked
whether the locked file is still the one of that name.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volwatch.errors import Misconfigured
from volwatch.producer.lease import Record

_LONGEST_NAME = 1_000
_NAMELESS = "another process"


class FileLock:
    """A lease on this machine; see ``Lease``. Its requests wait for nothing.

    Every method raises ``Misconfigured`` when the file cannot be had.
    """

    lasts = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = None

    def read(self, timeout_seconds: float) -> Record:
        """Return who is in the file, and whether that process holds the lock."""
        with self._opened(os.O_RDONLY) as file:
            if file is None:
                return Record("", "")
            name = _name(file)
            if _locked(file, fcntl.LOCK_SH):
                return Record(name, name, abandoned=name != "")
            return Record(name or _NAMELESS, name)

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        """Lock the file, unless another process has, and write the holder into it."""
        self._close()
        with self._opened(os.O_RDWR | os.O_CREAT) as file:
            if file is None or not _locked(file, fcntl.LOCK_EX) or not self._is_in_place(file):
                return None
            if _name(file) != seen.holder:
                return None
            os.ftruncate(file, 0)
            os.pwrite(file, holder.encode(), 0)
            self._held = os.dup(file)  # the lock lasts until both are closed
        return Record(holder, holder)

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        """Make sure that the locked file is still in its place, and look used to whoever tidies up old files."""
        if self._held is None or not self._is_in_place(self._held):
            return None
        os.utime(self._held)
        return own

    def release(self, own: Record, timeout_seconds: float) -> None:
        """Remove the file, then its lock."""
        if self._held is not None and self._is_in_place(self._held):
            self._path.unlink()
        self._close()

    def _close(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int | None]:
        """Open the file as long as the context lasts; give None where there is none."""
        try:
            file = os.open(self._path, flags | os.O_NOFOLLOW, 0o644)
        except FileNotFoundError:
            if flags & os.O_CREAT:
                raise Misconfigured([f"VOLWATCH_LEASE_FILE: there is no folder {self._path.parent}"]) from None
            yield None
            return
        except OSError as error:
            raise Misconfigured([f"VOLWATCH_LEASE_FILE: {self._path}: {error.strerror}"]) from None
        try:
            yield file
        finally:
            os.close(file)

    def _is_in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path, follow_symlinks=False))
        except FileNotFoundError:
            return False


def _name(file: int) -> str:
    return os.pread(file, _LONGEST_NAME, 0).decode(errors="replace")


def _locked(file: int, kind: int) -> bool:
    """Return whether the lock is had now; it goes with the file's closing."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
