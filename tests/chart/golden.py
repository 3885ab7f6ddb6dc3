"""The list of objects that a case makes. ``python -m tests.chart.golden`` writes it anew for every case."""

import re
from pathlib import Path

from tests.chart.rendering import CASES, Case, render

FOLDER = Path(__file__).parent / "golden"
HASHED = re.compile(r"^(Job .+)-[0-9a-f]{8}$")
UPDATE = "if that is meant: .venv/bin/python -m tests.chart.golden, and look at the difference"


def text(case: Case) -> str:
    """Return a line for each object, its kind and its name; what is hashed into the name of a Job is masked."""
    names = [f"{body['kind']} {body['metadata']['name']}" for body in render(case)]
    return "".join(HASHED.sub(r"\1-HASH", name) + "\n" for name in sorted(names))


def write() -> None:
    """Write the lists of all cases, and take away those of cases that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name, case in CASES.items():
        (FOLDER / f"{name}.txt").write_text(text(case), "utf-8")


if __name__ == "__main__":
    write()
