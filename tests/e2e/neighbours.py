"""Pods beside a release that are no part of it: one that does nothing, and a double of Finnhub."""

from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes import client

from tests.e2e.platform import Platform, wait_until
from tests.e2e.report import is_ready

FINNHUB_PORT = 8080
# What a namespace asks for where Pod Security is restricted.
POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@contextmanager
def bystander(platform: Platform, name: str, labels: dict[str, str]) -> Iterator[str]:
    """Run a pod that does nothing; yield its name."""
    with _pod(platform, name, labels, command=["sleep", "600"]):
        yield name


@contextmanager
def finnhub(platform: Platform, symbols: list[str]) -> Iterator[str]:
    """Run a double of Finnhub, which takes any key; yield its address."""
    labels = {"app": "finnhub"}
    arguments = ["local", "finnhub", "--port", str(FINNHUB_PORT), "--symbols", ",".join(symbols)]
    service = client.V1Service(
        metadata=client.V1ObjectMeta(name="finnhub"),
        spec=client.V1ServiceSpec(selector=labels, ports=[client.V1ServicePort(port=FINNHUB_PORT)]),
    )
    platform.core.create_namespaced_service(platform.namespace, service)
    try:
        with _pod(platform, "finnhub", labels, args=arguments):
            yield f"finnhub:{FINNHUB_PORT}"
    finally:
        platform.core.delete_namespaced_service("finnhub", platform.namespace)


@contextmanager
def _pod(platform: Platform, name: str, labels: dict[str, str], **program: list[str]) -> Iterator[None]:
    """Run a restricted pod of the service image while the caller works."""
    container = {"name": name, "image": platform.image, "securityContext": CONTAINER, **program}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    platform.core.create_namespaced_pod(
        platform.namespace, {"metadata": {"name": name, "labels": labels}, "spec": spec}
    )
    try:
        wait_until(
            lambda: is_ready(platform.core.read_namespaced_pod(name, platform.namespace)), f"the pod {name} is ready"
        )
        yield
    finally:
        platform.core.delete_namespaced_pod(name, platform.namespace)
