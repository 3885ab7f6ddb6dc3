"""The pods that objects describe, and what a pod refers to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.chart.rendering import Object

LONG_RUNNING = {"Deployment", "StatefulSet"}


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of some: whose it is, its labels, its spec."""

    kind: str
    owner: str
    labels: dict[str, str]
    spec: Object

    @property
    def name(self) -> str:
        """Return what a test tells of it."""
        return f"{self.kind}/{self.owner}"

    @property
    def containers(self) -> list[Object]:
        """Return the containers, those that run first among them."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def variables(self) -> list[dict[str, Any]]:
        """Return the variables of all containers; two containers may have one of the same name."""
        return [variable for container in self.containers for variable in container.get("env", [])]

    def told(self, variable: str) -> set[str]:
        """Return the values that a variable has in clear."""
        return {one["value"] for one in self.variables if one["name"] == variable and "value" in one}


def pods(objects: Iterable[Object]) -> list[Pod]:
    """Return every pod that the objects themselves describe; an operator's are not among them."""
    return [pod for body in objects for pod in _pods(body)]


def _pods(body: Object) -> Iterator[Pod]:
    kind, spec = body["kind"], body.get("spec", {})
    made = body if kind == "Pod" else None
    if kind in LONG_RUNNING | {"Job"}:
        made = spec["template"]
    if kind == "CronJob":
        made = spec["jobTemplate"]["spec"]["template"]
    if made is not None:
        yield Pod(kind, body["metadata"]["name"], made["metadata"].get("labels", {}), made["spec"])


@dataclass(frozen=True, order=True)
class Reference:
    """What a pod cannot start without: an object, and a key of it where one is named."""

    kind: str
    name: str
    key: str = ""


def references(pod: Pod) -> set[Reference]:
    """Return the Secrets and ConfigMaps that a pod needs; what is optional is not among them."""
    return set(_of_environment(pod)) | set(_of_volumes(pod)) | set(_of_registry(pod))


def _of_environment(pod: Pod) -> Iterator[Reference]:
    for variable in pod.variables:
        for source, wanted in variable.get("valueFrom", {}).items():
            if source in ("secretKeyRef", "configMapKeyRef") and not wanted.get("optional"):
                yield Reference("Secret" if source == "secretKeyRef" else "ConfigMap", wanted["name"], wanted["key"])
    for container in pod.containers:
        for block in container.get("envFrom", []):
            for source, wanted in block.items():
                if not wanted.get("optional"):
                    yield Reference("Secret" if source == "secretRef" else "ConfigMap", wanted["name"])


def _of_volumes(pod: Pod) -> Iterator[Reference]:
    for volume in pod.spec.get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            for kind in {"secret", "configMap"} & set(source):
                wanted = source[kind]
                yield from (
                    Reference(kind[0].upper() + kind[1:], wanted["name"], item["key"]) for item in wanted["items"]
                )
        secret, config = volume.get("secret"), volume.get("configMap")
        if secret and not secret.get("optional"):
            yield Reference("Secret", secret["secretName"])
        if config and not config.get("optional"):
            yield Reference("ConfigMap", config["name"])


def _of_registry(pod: Pod) -> Iterator[Reference]:
    yield from (Reference("Secret", one["name"]) for one in pod.spec.get("imagePullSecrets", []))


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector takes labels; an empty one takes all."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions", []))


def _meets(expression: Object, labels: dict[str, str]) -> bool:
    has, value = expression["key"] in labels, labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return has
        case _:
            return not has
