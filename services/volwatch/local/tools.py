"""The programs that the embedded stack needs from the machine, and which Debian package brings each."""

import shutil
from collections.abc import Callable, Iterable

from volwatch.errors import Misconfigured

PACKAGES = {"java": "default-jre-headless", "mvn": "maven", "go": "golang-go (1.21 or later)"}


def require(names: Iterable[str], which: Callable[[str], str | None] = shutil.which) -> None:
    """Return when every program is on the PATH.

    Raises
    ------
    Misconfigured
        Names all that are missing, each with its package.
    """
    missing = [name for name in names if which(name) is None]
    if missing:
        raise Misconfigured(
            [f"{name} is not on the PATH: install the Debian package {PACKAGES[name]}" for name in missing]
        )
