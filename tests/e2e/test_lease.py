"""The producers' lease: what a real API server makes of it, and of two installed producers the one that is killed."""

import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client

from tests.e2e.platform import Platform, wait_until
from tests.e2e.report import is_ready
from volwatch.errors import Misconfigured, Transient
from volwatch.producer.kubernetes_lease import KubernetesLease
from volwatch.producer.lease import Election, Record

SECONDS = 5.0
DURATION = 4.0
TAKEOVER_SECONDS = 15.0
NOBODY = Record("", "")


@pytest.fixture(scope="module")
def namespace(chart: object) -> Iterator[str]:
    """A namespace of the module's own, on the cluster that the chart would be installed to."""
    core, name = client.CoreV1Api(), f"volwatch-lease-{uuid.uuid4().hex[:8]}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield name
    core.delete_namespace(name)


@dataclass(frozen=True)
class Place:
    """A Lease of a test's own, which is not there yet."""

    namespace: str
    name: str

    def lease(self, api: client.CoordinationV1Api | None = None) -> KubernetesLease:
        return KubernetesLease(api or client.CoordinationV1Api(), self.namespace, self.name, DURATION, time.time)

    def stored(self) -> Any:
        """Return the Lease's spec, as the server has it."""
        return client.CoordinationV1Api().read_namespaced_lease(self.name, self.namespace).spec


@pytest.fixture
def place(namespace: str) -> Place:
    return Place(namespace, f"lease-{uuid.uuid4().hex[:8]}")


def as_account(place: Place, account: str) -> client.CoordinationV1Api:
    """Return the API as a service account sees it."""
    api = client.ApiClient()
    api.set_default_header("Impersonate-User", f"system:serviceaccount:{place.namespace}:{account}")  # type: ignore[no-untyped-call]
    return client.CoordinationV1Api(api)


def test_a_lease_is_made_renewed_given_back_and_taken_by_another(place: Place) -> None:
    first, second = place.lease(), place.lease()
    assert first.read(SECONDS) == NOBODY
    made = first.try_take(NOBODY, "a", SECONDS)
    assert made is not None
    assert second.read(SECONDS) == made == Record("a", made.version)
    before = place.stored()
    renewed = first.renew(made, SECONDS)
    assert renewed is not None
    after = place.stored()
    assert (after.holder_identity, after.lease_duration_seconds, after.lease_transitions) == ("a", 4, 0)
    assert after.acquire_time == before.acquire_time < after.renew_time
    first.release(renewed, SECONDS)
    free = second.read(SECONDS)
    assert (free.holder, place.stored().holder_identity) == ("", None)
    assert second.try_take(free, "b", SECONDS) == first.read(SECONDS)
    assert (place.stored().holder_identity, place.stored().lease_transitions) == ("b", 1)


def test_who_saw_an_older_version_writes_nothing(place: Place) -> None:
    first, second = place.lease(), place.lease()
    made = first.try_take(NOBODY, "a", SECONDS)
    assert made is not None
    assert second.try_take(NOBODY, "b", SECONDS) is None
    labelled = {"metadata": {"labels": {"looked": "at"}}}
    client.CoordinationV1Api().patch_namespaced_lease(place.name, place.namespace, labelled)
    assert second.try_take(made, "b", SECONDS) is None
    assert first.renew(made, SECONDS) is None
    first.release(made, SECONDS)
    assert place.stored().holder_identity == "a"


def test_one_that_was_deleted_is_made_anew(place: Place) -> None:
    holder = place.lease()
    made = holder.try_take(NOBODY, "a", SECONDS)
    assert made is not None
    client.CoordinationV1Api().delete_namespaced_lease(place.name, place.namespace)
    assert holder.renew(made, SECONDS) is None
    assert holder.read(SECONDS) == NOBODY
    assert holder.try_take(NOBODY, "a", SECONDS) is not None


def test_the_rights_that_the_chart_gives_are_enough_and_without_them_it_says_what_is_missing(place: Place) -> None:
    rules = [
        client.V1PolicyRule(
            api_groups=["coordination.k8s.io"],
            resources=["leases"],
            resource_names=[place.name],
            verbs=["get", "patch"],
        ),
        client.V1PolicyRule(api_groups=["coordination.k8s.io"], resources=["leases"], verbs=["create"]),
    ]
    metadata = client.V1ObjectMeta(name=place.name)
    rbac = client.RbacAuthorizationV1Api()
    rbac.create_namespaced_role(place.namespace, client.V1Role(metadata=metadata, rules=rules))
    binding = client.V1RoleBinding(
        metadata=metadata,
        role_ref=client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name=place.name),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name="allowed", namespace=place.namespace)],
    )
    rbac.create_namespaced_role_binding(place.namespace, binding)

    allowed = place.lease(as_account(place, "allowed"))
    made = allowed.try_take(allowed.read(SECONDS), "a", SECONDS)
    assert made is not None
    renewed = allowed.renew(made, SECONDS)
    assert renewed is not None
    allowed.release(renewed, SECONDS)
    refused = rf"VOLWATCH_LEASE_NAME: {place.namespace}/{place.name}: .*{place.namespace}:other.* cannot get"
    with pytest.raises(Misconfigured, match=refused):
        place.lease(as_account(place, "other")).read(SECONDS)


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_told(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        configuration = client.Configuration(host=f"https://127.0.0.1:{silent.getsockname()[1]}", retries=False)
        api = client.CoordinationV1Api(client.ApiClient(configuration))
        began = time.monotonic()
        with pytest.raises(Transient, match="the cluster's API"):
            place.lease(api).read(0.5)
        assert time.monotonic() - began < 2.0


def test_of_two_candidates_the_second_follows_when_the_first_falls_silent(place: Place) -> None:
    first, second = (Election(place.lease(), name, DURATION, time.monotonic, lambda: 0.0) for name in "ab")
    first.step()
    began = time.monotonic()
    while not second.leading:
        assert time.monotonic() - began < 2 * DURATION
        wait_seconds = second.step()
        assert not (first.leading and second.leading)
        time.sleep(0 if second.leading else wait_seconds)  # as an election asks for: the lease runs out by time
    assert first.seconds_left <= 0
    assert place.stored().holder_identity == "b"


def test_a_killed_producer_is_followed_within_fifteen_seconds(platform: Platform) -> None:
    installed = Place(platform.namespace, "volwatch-producer")

    def holder() -> str:
        """Return the name of the pod that sends: a producer adds to it what makes it its own."""
        return str(installed.stored().holder_identity or "").rpartition("_")[0]

    def both_ready() -> bool:
        return [is_ready(pod) for pod in platform.component("producer")] == [True, True]

    wait_until(lambda: both_ready() and holder() != "", "two producers are ready and one of them holds the lease")
    killed = holder()
    assert killed in {pod.metadata.name for pod in platform.component("producer")}
    client.CoreV1Api().delete_namespaced_pod(killed, platform.namespace, grace_period_seconds=0)
    wait_until(lambda: holder() not in ("", killed), "another producer holds the lease", TAKEOVER_SECONDS)
    platform.catch_up()
    wait_until(both_ready, "there are two producers again")
