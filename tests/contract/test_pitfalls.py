"""Each of the specification's pitfalls has a test of its number."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAME = re.compile(r"test_pitfall_(\d\d)_\w+")
PITFALLS = 34


def pitfall_tests() -> list[tuple[int, str]]:
    """Return number and docstring of each test that is named for a pitfall; those marked to fail or to be left out are
    none."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match = NAME.fullmatch(node.name) if isinstance(node, ast.FunctionDef) else None
            marks = " ".join(map(ast.unparse, node.decorator_list)) if isinstance(node, ast.FunctionDef) else ""
            if match and isinstance(node, ast.FunctionDef) and not re.search("skip|xfail", marks):
                found.append((int(match[1]), ast.get_docstring(node) or ""))
    return found


def test_every_pitfall_has_a_test_and_no_other_has() -> None:
    assert sorted({number for number, _ in pitfall_tests()}) == list(range(1, PITFALLS + 1))


def test_every_test_of_a_pitfall_says_the_mistake_and_what_is_right() -> None:
    silent = [told for _, told in pitfall_tests() if not (told.startswith("Mistake: ") and "Right: " in told)]
    assert silent == []
