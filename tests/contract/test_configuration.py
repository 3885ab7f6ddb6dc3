"""docs/configuration.md tells of every setting, of nothing else, and the truth."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from volwatch import settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
GROUPS = [group for group in BaseSettings.__subclasses__() if group.__module__.startswith(f"{settings.__name__}.")]
ROW = re.compile(r"^\| `([A-Z_]+)` \| (?:`(.*?)`|(\w+)) \| (.+) \|$", re.MULTILINE)
# "VOLWATCH_KAFKA_*" names a group, not a variable.
VARIABLE = re.compile(r"\bVOLWATCH_[A-Z][A-Z_]*[A-Z]\b(?!_?\*)")

Told = tuple[str, str, str]
"""Variable, default and meaning, as the page tells them."""


def told() -> list[Told]:
    return [(name, quoted or word, meaning) for name, quoted, word, meaning in ROW.findall(PAGE.read_text("utf-8"))]


def fields() -> Iterator[tuple[str, FieldInfo]]:
    for group in GROUPS:
        prefix = group.model_config.get("env_prefix", "")
        for name, field in group.model_fields.items():
            alias = field.validation_alias
            yield alias if isinstance(alias, str) else prefix + name.upper(), field


def default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return {None: "none", "": "empty"}.get(field.default, str(field.default))


def is_told(meaning: str, field: FieldInfo) -> bool:
    """Whether a meaning begins with the words of the settings, names every choice, and calls a secret one."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    secret = SecretStr in (field.annotation, *get_args(field.annotation))
    return (
        meaning.startswith(field.description or "")
        and all(f"`{choice}`" in meaning for choice in choices)
        and ("a secret" in meaning) == secret
    )


def test_every_setting_is_told_once_with_its_default() -> None:
    expected = sorted((name, default_text(field)) for name, field in fields())
    assert sorted((name, default) for name, default, _ in told()) == expected


def test_a_meaning_is_that_of_the_settings() -> None:
    meanings = {(name, default): meaning for name, default, meaning in told()}
    assert [name for name, field in fields() if not is_told(meanings.get((name, default_text(field)), ""), field)] == []


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_no_text_names_a_variable_that_is_not_there(text: Path) -> None:
    assert set(VARIABLE.findall(text.read_text("utf-8"))) - {name for name, _ in fields()} == set()
