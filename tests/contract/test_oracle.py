"""No independent value lies idle: a test reads every oracle file, and those that are committed are as they were."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORACLE = ROOT / "../shared/oracle"
DATA = ROOT / "tests" / "data"
TESTS = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))

pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="the oracle files are not beside this checkout")


def files() -> list[str]:
    names = [path.relative_to(ORACLE).as_posix() for path in ORACLE.rglob("*") if path.is_file()]
    return sorted(name for name in names if not name.endswith(("README.md", ".pyc")))


@pytest.mark.parametrize("name", files() if ORACLE.is_dir() else [])
def test_every_oracle_file_is_read_by_a_test(name: str) -> None:
    folder, _, file = name.rpartition("/")
    assert file in TESTS or (folder and folder in TESTS)


def test_what_is_committed_is_what_the_oracle_has() -> None:
    committed = [path for path in DATA.glob("*") if (ORACLE / path.name).is_file() and path.name != "README.md"]
    assert len(committed) > 15
    assert [path.name for path in committed if path.read_bytes() != (ORACLE / path.name).read_bytes()] == []
