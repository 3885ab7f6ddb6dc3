"""What the chart makes of values, by `helm template`. Nothing is fetched: the charts it depends on are stubs.

A stub has the name and the version that Chart.yaml asks for. Airflow's has the real schema of its values, so that a
typo in them is refused as the real chart would, and makes the one pod that our values describe.
"""

import gzip
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.chart.programs import program

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "volwatch"
STUBS = Path(__file__).parent / "stubs"
AIRFLOW_SCHEMA = next((ROOT / "tests" / "data" / "schemas").glob("airflow-chart-*/values.schema.json.gz"))
RELEASE = "volwatch"
NAMESPACE = "vol"
# What the operators add to a cluster that the chart asks about.
APIS = ("keda.sh/v1alpha1", "monitoring.coreos.com/v1")

Object = dict[str, Any]
"""An object of Kubernetes. Tests share it: they read it only."""


class Refused(Exception):
    """helm did not take the values; its words say why."""


@dataclass(frozen=True)
class Case:
    """Values that somebody may install with: overlays, and single ones on top of them."""

    overlays: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()


OVERLAYS = {path.stem: path for path in sorted((CHART / "ci").glob("*.yaml"))}
_AUTOSCALING = "consumer.autoscaling.enabled=true"
CASES: Mapping[str, Case] = {
    "default": Case(),
    **{name: Case((path,)) for name, path in OVERLAYS.items()},
    # What none of the overlays has.
    "cpu": Case(sets=(_AUTOSCALING, "consumer.autoscaling.by=cpu")),
    "lag": Case((OVERLAYS["external"],), (_AUTOSCALING, "kafka.external.createTopics=true")),
    "open": Case(sets=("networkPolicy.enabled=false", "monitors.enabled=false")),
    "rules": Case(sets=("pipeline.rules.rules[0].name=big-move",)),
    "quiet": Case((OVERLAYS["minimal"],), ("detector.enabled=false", "notifier.enabled=false")),
    "quotes": Case((OVERLAYS["minimal"], OVERLAYS["finnhub"]), ("producer.source=simulator",)),
    "cnpg": Case((OVERLAYS["minimal"],), ("warehouse.mode=cnpg", "rawzone.image=example.com/minio:1")),
}


def load_yaml(text: str) -> Any:
    """Return the one document of a YAML text; the loader in C is ten times as fast."""
    return yaml.load(text, yaml.CSafeLoader)


def render(case: Case, apis: tuple[str, ...] = APIS) -> list[Object]:
    """Return the objects of our own templates, hooks among them, on a cluster that has the APIs.

    Raises
    ------
    Refused
        helm does not take the values.
    """
    return [body for source, body in _documents(case, apis) if "/charts/" not in source]


def render_worker(case: Case) -> list[Object]:
    """Return the pod that Airflow makes for a task, or none where there is no Airflow."""
    return [body for source, body in _documents(case, APIS) if "/charts/airflow/" in source]


def chart_file(name: str) -> Any:
    """Return what a YAML file of the chart says."""
    return load_yaml((CHART / name).read_text("utf-8"))


def helm(*arguments: str) -> str:
    """Return what helm says of the chart with its stubs: `helm("lint")`."""
    command, *options = arguments
    done = subprocess.run(
        [program("helm"), command, *options, _chart().name], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def chart_folder() -> Path:
    """Return a copy of the chart that helm can install where its dependencies are switched off."""
    return Path(_chart().name)


@cache
def _documents(case: Case, apis: tuple[str, ...]) -> list[tuple[str, Object]]:
    """Return pairs of a template and an object that it made."""
    options = [f"--values={path}" for path in case.overlays]
    options += [f"--set={one}" for one in case.sets]
    options += [f"--api-versions={api}" for api in apis]
    text = helm("template", f"--namespace={NAMESPACE}", f"--name-template={RELEASE}", *options)
    _, *parts = re.split(r"^---\n# Source: (.+)\n", text, flags=re.MULTILINE)
    pairs = zip(parts[::2], map(load_yaml, parts[1::2]), strict=True)
    return [(source, body) for source, body in pairs if body]


@cache
def _chart() -> "TemporaryDirectory[str]":
    """Return a copy of the chart with its stubs. It goes when Python does."""
    copy = TemporaryDirectory(prefix="volwatch-chart-")
    shutil.copytree(CHART, copy.name, dirs_exist_ok=True)
    for dependency in chart_file("Chart.yaml")["dependencies"]:
        name = dependency["name"]
        stub = Path(copy.name, "charts", name)
        stub.mkdir(parents=True)
        if (STUBS / name).is_dir():
            shutil.copytree(STUBS / name, stub, dirs_exist_ok=True)
        about = {"apiVersion": "v2", "name": name, "version": dependency["version"]}
        (stub / "Chart.yaml").write_text(yaml.safe_dump(about), "utf-8")
    Path(copy.name, "charts", "airflow", "values.schema.json").write_bytes(gzip.decompress(AIRFLOW_SCHEMA.read_bytes()))
    return copy
