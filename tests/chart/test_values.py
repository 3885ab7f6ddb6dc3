"""The values: each of ours described once, no overlay repeats a default, and no typo passes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import CHART, OVERLAYS, Case, Refused, chart_file, load_yaml, render

TEXT = (CHART / "values.yaml").read_text("utf-8")
OURS, DIVIDER, _ = re.split(r"^(# --- .*other projects' charts.*)\n", TEXT, flags=re.MULTILINE | re.IGNORECASE)
SCHEMA: dict[str, Any] = chart_file("values.schema.json")
# Helm hands it to every chart; ours asks for nothing in it.
FOREIGN = {"global"}
OTHERS = {dependency.get("alias", dependency["name"]) for dependency in chart_file("Chart.yaml")["dependencies"]}
PLAIN = r"(?i)(password|secret|token|credential|accesskey|apikey)s?$"


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the schema of every key of ours, and of the items of its lists."""
    for name, inner in schema.get("properties", {}).items():
        if path or name not in OTHERS | FOREIGN:
            yield (f"{path}.{name}".lstrip("."), inner)
            yield from nodes(inner, f"{path}.{name}")
    if "items" in schema:
        yield (f"{path}[]".lstrip("."), schema["items"])
        yield from nodes(schema["items"], f"{path}[]")


def differing(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the keys that only one of values and schema has."""
    yield from (f"{path}.{name}".lstrip(".") for name in set(values) ^ set(schema["properties"]))
    for name, inner in schema["properties"].items():
        if "properties" in inner and set(inner["properties"]) != {"requests", "limits"}:
            yield from differing(values.get(name, {}), inner, f"{path}.{name}")


def leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def test_the_schema_has_exactly_the_keys_of_the_values() -> None:
    described = {name: inner for name, inner in SCHEMA["properties"].items() if name not in OTHERS | FOREIGN}
    assert list(differing(load_yaml(OURS), SCHEMA | {"properties": described})) == []
    assert set(load_yaml(TEXT)) - set(load_yaml(OURS)) == OTHERS


def test_every_key_is_described() -> None:
    assert [path for path, schema in nodes(SCHEMA) if not schema.get("description")] == []


def test_no_block_of_ours_takes_a_key_that_it_does_not_know() -> None:
    blocks = [("", SCHEMA), *((path, schema) for path, schema in nodes(SCHEMA) if "properties" in schema)]
    assert [path for path, schema in blocks if schema.get("additionalProperties") is not False] == []
    # Maps of names that only a cluster knows: their values have a type at least.
    maps = [(path, schema) for path, schema in nodes(SCHEMA) if schema.get("type") == "object"]
    assert [path for path, schema in maps if "additionalProperties" not in schema] == []


def test_our_own_values_fit_on_three_screens() -> None:
    assert len(OURS.splitlines()) <= 150


@pytest.mark.parametrize("path", OVERLAYS.values(), ids=OVERLAYS)
def test_an_overlay_holds_differences_only(path: Path) -> None:
    defaults = dict(leaves(load_yaml(TEXT)))
    repeated = [
        ".".join(key) for key, value in leaves(load_yaml(path.read_text("utf-8"))) if defaults.get(key) == value
    ]
    assert repeated == []


@pytest.mark.parametrize("path", [CHART / "values.yaml", *OVERLAYS.values()], ids=lambda path: path.stem)
def test_no_values_hold_a_secret(path: Path) -> None:
    found = [
        ".".join(key)
        for key, value in leaves(load_yaml(path.read_text("utf-8")))
        if re.search(PLAIN, key[-1])
        and value
        and not re.search(r"existingSecret$|tlsSecret$|caSecret$|channelsSecret$|[pP]ullSecrets$", key[-1])
    ]
    assert found == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        # A key of ours that is not there.
        ("kafka.mod=external", "at '/kafka': additional properties 'mod' not allowed"),
        ("dashbord.replicas=2", "at '': additional properties 'dashbord' not allowed"),
        ("kafka.external.bootstrapServer=a:1", "additional properties 'bootstrapServer' not allowed"),
        ("producer.resources.request.cpu=1", "additional properties 'request' not allowed"),
        # A value that is none.
        ("rawzone.mode=s3", "at '/rawzone/mode': value must be one of"),
        ("pipeline.scheduler=cron", "at '/pipeline/scheduler': value must be one of"),
        ("monitors.enabled=yes", "at '/monitors/enabled': value must be one of"),
        ("consumer.replicas=two", "at '/consumer/replicas': got string, want integer"),
        ("ingress.enabled=on", "at '/ingress/enabled': got string, want boolean"),
        ("kafka.partitions=0", "at '/kafka/partitions': minimum"),
        ("dashboard.rawzoneBrowser=https://minio.example/raw", "at '/dashboard/rawzoneBrowser': "),
        ("dashboard.nodePort=8501", "at '/dashboard/nodePort': "),
        ("image.tag=latest", "at '/image/tag': "),
        ("warehouse.image=postgres:latest", "at '/warehouse/image': "),
        ("image.digests.service=sha256:12", "at '/image/digests/service': "),
        ("kafka.storage.size=10GB", "at '/kafka/storage/size': "),
        ("ingress.path=markets", "at '/ingress/path': "),
        ("producer.source=replay", "at '/producer/source': value must be one of"),
        ("producer.replicas=0", "at '/producer/replicas': minimum"),
        ("producer.finnhub.token=abc", "at '/producer/finnhub': additional properties 'token' not allowed"),
        ("producer.finnhub.url=https://a", "at '/producer/finnhub/url': "),
        ("producer.finnhub.restUrl=https://a/?token=b", "at '/producer/finnhub/restUrl': "),
        ("producer.finnhub.symbols=AAPL", "at '/producer/finnhub/symbols': got string, want array"),
        ("producer.finnhub.symbols={A B}", "at '/producer/finnhub/symbols/0': "),
        ("producer.finnhub.symbols={A,A}", "at '/producer/finnhub/symbols': items at 0 and 1 are equal"),
        (f"producer.finnhub.symbols={{{','.join(map(str, range(51)))}}}", "at '/producer/finnhub/symbols': maxItems"),
        ("dashboard.readOnly=maybe", "at '/dashboard/readOnly': got string, want boolean"),
        ("dashboard.oidc.clientSecret=abc", "at '/dashboard/oidc': additional properties 'clientSecret' not allowed"),
        ("dashboard.oidc.metadataUrl=id.example.com", "at '/dashboard/oidc/metadataUrl': "),
        ("dashboard.oidc.redirectUri=https://example.com", "at '/dashboard/oidc/redirectUri': "),
        # What Airflow's own chart does not know.
        ("airflow.apiServer.replica=2", "at '/apiServer': additional properties 'replica' not allowed"),
        ("airflow.data.metadataSecret=a", "at '/data': additional properties 'metadataSecret' not allowed"),
        ("airflow.executor=Kubernetes", "at '/executor': "),
    ],
)
def test_a_typo_is_refused(wrong: str, told: str) -> None:
    with pytest.raises(Refused) as refusal:
        render(Case(sets=(wrong,)))
    assert told in str(refusal.value)
