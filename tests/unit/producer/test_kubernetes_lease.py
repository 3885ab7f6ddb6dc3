import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import Configuration, V1Lease, V1LeaseSpec, V1ObjectMeta
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ReadTimeoutError

from volwatch.errors import Misconfigured, Transient
from volwatch.producer.kubernetes_lease import KubernetesLease, in_cluster_api
from volwatch.producer.lease import Record

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC).timestamp()  # without a fraction of a second
WRITTEN_NOW = "2026-01-05T15:00:00.000000Z"


def refusal(status: int, message: str | None = None) -> ApiException:
    error = ApiException(status, "Reason")
    error.body = None if message is None else json.dumps({"message": message})
    return error


class Server:
    """The part of the API that is used: it notes what it is asked, and answers with a Lease or an error."""

    def __init__(self, answer: V1Lease | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., V1Lease]:
        def request(*words: str, **more: Any) -> V1Lease:
            self.asked.append((name, words, more))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return request


def stored(holder: str | None, version: str, transitions: int | None = 3) -> V1Lease:
    spec = V1LeaseSpec(holder_identity=holder, lease_transitions=transitions)
    return V1Lease(metadata=V1ObjectMeta(resource_version=version), spec=spec)


def lease(server: Server) -> KubernetesLease:
    return KubernetesLease(server, "here", "producer", 2.5, lambda: NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (stored("a", "7"), Record("a", "7")),
        (stored(None, "8"), Record("", "8")),
        (V1Lease(metadata=V1ObjectMeta(resource_version="9")), Record("", "9")),
        (refusal(404), Record("", "")),
    ],
)
def test_a_lease_is_read_whether_it_is_held_free_or_not_there(answer: V1Lease | Exception, record: Record) -> None:
    server = Server(answer)
    assert lease(server).read(1.5) == record
    assert server.asked == [
        ("read_namespaced_lease", ("producer",), {"namespace": "here", "_request_timeout": 1.5}),
    ]


def test_one_that_is_not_there_is_made() -> None:
    server = Server(stored("b", "1", 0))
    assert lease(server).try_take(Record("", ""), "b", 1.5) == Record("b", "1")
    spec = {
        "holderIdentity": "b",
        "leaseDurationSeconds": 3,
        "acquireTime": WRITTEN_NOW,
        "renewTime": WRITTEN_NOW,
        "leaseTransitions": 0,
    }
    body = {"metadata": {"name": "producer"}, "spec": spec}
    assert server.asked == [
        ("create_namespaced_lease", (), {"namespace": "here", "_request_timeout": 1.5, "body": body}),
    ]


def test_one_that_is_there_is_taken_as_it_was_seen_and_its_takings_are_counted() -> None:
    server = Server(stored("a", "7", 3))
    candidate = lease(server)
    seen = candidate.read(1.5)
    server.answer = stored("b", "8", 4)
    assert candidate.try_take(seen, "b", 1.5) == Record("b", "8")
    spec = {
        "holderIdentity": "b",
        "leaseDurationSeconds": 3,
        "acquireTime": WRITTEN_NOW,
        "renewTime": WRITTEN_NOW,
        "leaseTransitions": 4,
    }
    body = {"metadata": {"resourceVersion": "7"}, "spec": spec}
    assert server.asked[1] == (
        "patch_namespaced_lease", ("producer",), {"namespace": "here", "_request_timeout": 1.5, "body": body},
    )  # fmt: skip


def test_a_renewal_writes_the_time_and_a_release_takes_the_holder_out() -> None:
    server = Server(stored("a", "8"))
    holder = lease(server)
    assert holder.renew(Record("a", "7"), 0.5) == Record("a", "8")
    holder.release(Record("a", "8"), 0.5)
    assert [more["body"] for _name, _words, more in server.asked] == [
        {"metadata": {"resourceVersion": "7"}, "spec": {"renewTime": WRITTEN_NOW}},
        {"metadata": {"resourceVersion": "8"}, "spec": {"holderIdentity": None}},
    ]


@pytest.mark.parametrize("status", [409, 404])
def test_another_that_was_faster_is_no_error(status: int) -> None:
    holder = lease(Server(refusal(status)))
    assert holder.renew(Record("a", "7"), 0.5) is None
    assert holder.try_take(Record("a", "7"), "b", 0.5) is None
    holder.release(Record("a", "7"), 0.5)


def test_another_that_made_it_first_is_no_error() -> None:
    assert lease(Server(refusal(409))).try_take(Record("", ""), "b", 0.5) is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal(500, "etcd is away"), "the cluster's API: etcd is away"),
        (refusal(429), "the cluster's API: HTTP 429 Reason"),
        (refusal(401, "Unauthorized"), "the cluster's API: Unauthorized"),
        (ReadTimeoutError(None, "url", "Read timed out."), "the cluster's API: .*Read timed out."),  # type: ignore[arg-type]
    ],
)
def test_a_server_that_does_not_do_its_part_may_do_it_later(answer: Exception, told: str) -> None:
    with pytest.raises(Transient, match=told):
        lease(Server(answer)).read(0.5)


def test_what_the_pod_may_not_do_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(Misconfigured, match="VOLWATCH_LEASE_NAME: here/producer: leases is forbidden"):
        lease(Server(refusal(403, "leases is forbidden"))).read(0.5)
    with pytest.raises(Misconfigured, match="VOLWATCH_LEASE_NAME: here/producer: no such namespace"):
        lease(Server(refusal(404, "no such namespace"))).try_take(Record("", ""), "b", 0.5)


def test_a_request_is_tried_once_for_the_client_would_take_its_timeout_for_each_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(configuration: Configuration) -> None:
        configuration.host = "https://cluster"

    monkeypatch.setattr("volwatch.producer.kubernetes_lease.load_incluster_config", load)
    configuration = in_cluster_api().api_client.configuration
    assert (configuration.host, configuration.retries) == ("https://cluster", False)


def test_outside_a_pod_there_is_no_such_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Misconfigured, match="VOLWATCH_LEASE_KIND: kubernetes, but"):
        in_cluster_api()
