"""Imports point one way; the contracts stand in pyproject.toml."""

import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "pyproject.toml"


def test_imports_keep_to_the_layers(capsys: pytest.CaptureFixture[str]) -> None:
    kept = lint_imports(config_filename=str(CONFIGURATION), cache_dir=None, no_cache=True, no_logo=True)
    assert kept == 0, capsys.readouterr().out


def test_every_part_of_the_package_has_its_layer() -> None:
    contracts = tomllib.loads(CONFIGURATION.read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = " ".join(next(one["layers"] for one in contracts if one["type"] == "layers"))
    parts = {path.stem for path in (ROOT / "services/volwatch").glob("[a-z]*") if path.suffix in ("", ".py")}
    unplaced = {part for part in parts if f"volwatch.{part}" not in layers}
    assert unplaced == {"cli"}  # it names its commands' modules in strings and imports the one that is asked for
