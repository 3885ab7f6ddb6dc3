"""The only reader of the environment. A variable is ``VOLWATCH_<GROUP>_<FIELD>``; a stage loads the groups it needs.

Secrets have no default and print as ``***``. All faults of all groups are reported at once (``Misconfigured``).
"""

import os
from typing import Any, TypeVar, overload

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from volwatch.errors import Misconfigured
from volwatch.settings.provision import RawzoneProvisionSettings, WarehouseProvisionSettings
from volwatch.settings.servers import KafkaSettings, RawzoneSettings, WarehouseSettings
from volwatch.settings.stages import (
    ConsumerSettings,
    DashboardSettings,
    DetectorSettings,
    FinnhubSettings,
    LeaseSettings,
    LocalSettings,
    NotifierSettings,
    PipelineSettings,
    ProducerSettings,
    ServiceSettings,
)

__all__ = [
    "ConsumerSettings",
    "DashboardSettings",
    "DetectorSettings",
    "FinnhubSettings",
    "KafkaSettings",
    "LeaseSettings",
    "LocalSettings",
    "NotifierSettings",
    "PipelineSettings",
    "ProducerSettings",
    "RawzoneProvisionSettings",
    "RawzoneSettings",
    "ServiceSettings",
    "WarehouseProvisionSettings",
    "WarehouseSettings",
    "as_environment",
    "describe",
    "inherited_environment",
    "is_given",
    "load",
    "load_one",
]

_S = TypeVar("_S", bound=BaseSettings)
_A = TypeVar("_A", bound=BaseSettings)
_B = TypeVar("_B", bound=BaseSettings)
_C = TypeVar("_C", bound=BaseSettings)
_D = TypeVar("_D", bound=BaseSettings)
_E = TypeVar("_E", bound=BaseSettings)


@overload
def load(first: type[_A], second: type[_B], /) -> tuple[_A, _B]: ...
@overload
def load(first: type[_A], second: type[_B], third: type[_C], /) -> tuple[_A, _B, _C]: ...
@overload
def load(first: type[_A], second: type[_B], third: type[_C], fourth: type[_D], /) -> tuple[_A, _B, _C, _D]: ...
@overload
def load(
    first: type[_A], second: type[_B], third: type[_C], fourth: type[_D], fifth: type[_E], /
) -> tuple[_A, _B, _C, _D, _E]: ...
@overload
def load(*groups: type[BaseSettings], **options: Any) -> tuple[BaseSettings, ...]: ...


def load(*groups: type[BaseSettings], **options: Any) -> tuple[BaseSettings, ...]:
    """Return one instance of each group, read from the environment; a field given as an option goes before it.

    Raises
    ------
    Misconfigured
        Lists every fault of every group, each with the variable to set.
    """
    faults: list[str] = []
    loaded: list[BaseSettings] = []
    for group in groups:
        try:
            loaded.append(group(**options))
        except ValidationError as error:
            prefix = group.model_config.get("env_prefix", "")
            faults += [_fault(prefix, detail["loc"], detail["msg"], detail["type"]) for detail in error.errors()]
    if faults:
        raise Misconfigured(faults)
    return tuple(loaded)


def load_one(group: type[_S], **options: Any) -> _S:
    """Return one group, read from the environment; see ``load``."""
    loaded = load(group, **options)[0]
    assert isinstance(loaded, group)  # noqa: S101 - narrows the type for the checker; load() returns what it was given
    return loaded


def as_environment(*groups: BaseSettings) -> dict[str, str]:
    """Return the variables from which another process loads the same groups. Secrets stand in it as they are."""
    variables: dict[str, str] = {}
    for group in groups:
        prefix = group.model_config.get("env_prefix", "")
        for name, value in group:
            if value is not None:
                text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                variables[prefix + name.upper()] = text
    return variables


def inherited_environment() -> dict[str, str]:
    """Return our own environment, for programs that we start."""
    return dict(os.environ)


def is_given(group: type[BaseSettings], field: str) -> bool:
    """Return whether the environment says something, not nothing, of a field."""
    return bool(os.environ.get(f"{group.model_config.get('env_prefix', '')}{field.upper()}"))


def describe(*groups: type[BaseSettings]) -> str:
    """Return what a person needs to set the groups' variables: a line for each, with its default."""
    lines = []
    for group in groups:
        for name, field in group.model_fields.items():
            default = "required" if field.is_required() else f"default {field.default}"
            told = default if field.description is None else f"{field.description}; {default}"
            lines.append(f"  {group.model_config.get('env_prefix', '')}{name.upper()}\n      {told}")
    return "\n".join(lines)


def _fault(prefix: str, location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = prefix + "_".join(str(part) for part in location).upper()
    return f"{name} is not set" if kind == "missing" else f"{name}: {message.removeprefix('Value error, ')}"
