"""Where the programs are that the tests of the chart run."""

import shutil

from volwatch.settings import LocalSettings


def program(name: str) -> str:
    """Return the path of a program: of the PATH, or else the newest that `make tools` brought.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    brought = sorted(LocalSettings().cache.glob(f"{name}-*/{name}"))
    found = shutil.which(name) or next(map(str, reversed(brought)), None)
    if found is None:
        raise FileNotFoundError(f"{name} is not on the PATH: make tools brings it")
    return found
