"""What Kubernetes and the operators would refuse of an object, by their own schemas; unknown fields among it."""

import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.chart.rendering import ROOT, Object, load_yaml

KUBERNETES = "kubernetes-json-schema/v1.34.0-local-strict"
DEFINITIONS = ROOT / "tests" / "data" / "schemas"

Schema = dict[str, Any]


def faults(body: Object) -> list[str]:
    """Return what is wrong with an object, each with its place."""
    name = f"{body['kind']}/{body['metadata']['name']}"
    errors = _validator(body["apiVersion"], body["kind"]).iter_errors(body)
    return [f"{name} {error.json_path}: {error.message}" for error in errors]


@cache
def _validator(version: str, kind: str) -> Draft202012Validator:
    custom = _custom().get((version, kind))
    if custom is not None:
        return Draft202012Validator(custom)
    group, _, number = version.rpartition("/")
    names = [kind.lower(), group.partition(".")[0], number]
    schema = _kubernetes_file(f"{'-'.join(filter(None, names))}.json")
    return Draft202012Validator(schema, registry=_definitions() @ Registry())


def _kubernetes_file(name: str) -> Schema:
    # A kind of a custom resource that is not in tests/data/schemas has no file here, either.
    text = resources.files("kubernetes_validate").joinpath(KUBERNETES, name).read_text("utf-8")
    return cast("Schema", json.loads(text))


@cache
def _definitions() -> Resource[Mapping[str, Any] | bool]:
    return Resource.from_contents(_kubernetes_file("_definitions.json"))


@cache
def _custom() -> dict[tuple[str, str], Schema]:
    """Return the schema of each custom resource by its API version and kind."""
    return {key: schema for path in sorted(DEFINITIONS.glob("*/*.yaml.gz")) for key, schema in _schemas(path)}


def _schemas(path: Path) -> Iterator[tuple[tuple[str, str], Schema]]:
    spec = load_yaml(gzip.decompress(path.read_bytes()).decode())["spec"]
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def strict(schema: Schema) -> Schema:
    """Return a schema of the Kubernetes kind that refuses what it does not name, unless it says it keeps that.

    Fields are named by `properties` alone: `oneOf` and its like only choose among them.
    """
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {name: strict(field) for name, field in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            made[inner] = strict(schema[inner])
    return made
