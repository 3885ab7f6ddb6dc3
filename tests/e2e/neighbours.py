"""Pods beside a release that are no part of it: one that does nothing, a double of Finnhub, a web-hook's receiver."""

from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes import client

from tests.e2e.platform import Platform, wait_until
from tests.e2e.report import is_ready

FINNHUB_PORT = 8080
RECEIVER_PORT = 8080
# It writes down what it is told, a line of JSON each.
RECEIVER = f"""
import http.server, json

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key, signature = self.headers["Idempotency-Key"], self.headers["X-Volwatch-Signature"]
        print(json.dumps({{"key": key, "signature": signature, "body": body}}), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", {RECEIVER_PORT}), Receiver).serve_forever()
"""
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
    arguments = ["local", "finnhub", "--port", str(FINNHUB_PORT), "--symbols", ",".join(symbols)]
    with _served(platform, "finnhub", FINNHUB_PORT, args=arguments) as address:
        yield address


@contextmanager
def receiver(platform: Platform) -> Iterator[str]:
    """Run a receiver of web-hooks, whose pod is called "receiver" and logs what it is told; yield its address."""
    with _served(platform, "receiver", RECEIVER_PORT, command=["python", "-c", RECEIVER]) as address:
        yield address


@contextmanager
def _served(platform: Platform, name: str, port: int, **program: list[str]) -> Iterator[str]:
    """Run a pod with a service of its name; yield their address."""
    labels = {"app": name}
    service = client.V1Service(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1ServiceSpec(selector=labels, ports=[client.V1ServicePort(port=port)]),
    )
    platform.core.create_namespaced_service(platform.namespace, service)
    try:
        with _pod(platform, name, labels, **program):
            yield f"{name}:{port}"
    finally:
        platform.core.delete_namespaced_service(name, platform.namespace)


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
