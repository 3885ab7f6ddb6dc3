"""What must hold of the files themselves."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from volwatch import metrics
from volwatch.cli import COMMANDS

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "services").rglob("*.py"), *(ROOT / "dashboard").rglob("*.py")])
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
STAGES = {"producer", "consumer", "pipeline", "rawzone", "warehouse", "dashboard", "detector", "notifier"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "services" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(map(module_of, SOURCES))


@pytest.mark.parametrize("room", ["airflow", "charts", "sql", "tests"])
def test_rooms_of_data_are_no_packages(room: str) -> None:
    assert list((ROOT / room).rglob("__init__.py")) == []


def _environment_readers(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    handed_on = set(_handed_on(tree)) if "local" in path.parts else set()
    for node in ast.walk(tree):
        named = isinstance(node, ast.Attribute) and ast.unparse(node) in {f"os.{name}" for name in ENVIRONMENT}
        if named and node not in handed_on:
            yield module_of(path)
        if isinstance(node, ast.ImportFrom) and node.module == "os" and ENVIRONMENT & {one.name for one in node.names}:
            yield module_of(path)


def _handed_on(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what is merged whole with other variables, as for a program that is started."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield node.left
        if isinstance(node, ast.Dict):
            yield from (value for key, value in zip(node.keys, node.values, strict=True) if key is None)


def test_only_settings_reads_the_environment_and_only_the_stack_hands_it_on() -> None:
    readers = {found for path in SOURCES for found in _environment_readers(path)}
    assert readers == {"volwatch.settings"}


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("dashboard.app")])
def test_every_module_imports(module: str) -> None:
    importlib.import_module(module)


def test_every_command_has_its_module() -> None:
    assert {module for module, _ in COMMANDS.values()} <= set(MODULES)


def _declared() -> dict[str, MetricWrapperBase]:
    return {name: value for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)}


@pytest.mark.parametrize("name", _declared())
def test_a_metric_is_named_for_its_stage_and_used_there(name: str) -> None:
    (family,) = _declared()[name].describe()
    counted = "_total" if family.type == "counter" else ""
    assert f"{family.name}{counted}" == f"volwatch_{name}"
    assert name.partition("_")[0] in STAGES
    users = [path for path in SOURCES if re.search(rf"\bmetrics\.{name}\b", path.read_text("utf-8"))]
    assert users != [], f"nothing sets {name}"


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert re.findall(r"https?:|--index-url|--extra-index-url|--find-links", lock) == []
    assert "--hash=sha256:" in lock
