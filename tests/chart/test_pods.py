"""What holds of every pod of ours, whoever makes it: a Deployment, a Job, `helm test` or Airflow."""

import re
from collections.abc import Sequence

import pytest

from tests.chart import restricted
from tests.chart.pods import LONG_RUNNING, Pod, pods
from tests.chart.rendering import Case, Object, chart_file, render

DIGEST = "sha256:" + "0123456789abcdef" * 4
# Airflow writes into its home, and makes its configuration there.
WRITES_ITS_ROOT = {"init"}


def test_a_restricted_namespace_takes_every_pod(objects: Sequence[Object]) -> None:
    assert [fault for pod in pods(objects) for fault in restricted.faults(pod)] == []


def test_users_are_named_by_number(objects: Sequence[Object]) -> None:
    # A user that an image names cannot be checked before it runs.
    contexts = [(pod.name, pod.spec["securityContext"]) for pod in pods(objects)]
    assert [name for name, context in contexts if not {"runAsUser", "runAsGroup"} <= set(context)] == []


def test_no_root_can_be_written(objects: Sequence[Object]) -> None:
    writable = {
        container["name"]
        for pod in pods(objects)
        for container in pod.containers
        if container["securityContext"].get("readOnlyRootFilesystem") is not True
    }
    assert writable <= WRITES_ITS_ROOT


def test_no_pod_gets_a_token_or_the_addresses_of_its_neighbours(objects: Sequence[Object]) -> None:
    settings = [
        (pod.name, pod.spec.get("automountServiceAccountToken"), pod.spec.get("enableServiceLinks"))
        for pod in pods(objects)
    ]
    assert [setting for setting in settings if setting[1:] != (False, False)] == []


def test_the_producer_alone_mounts_a_token_and_what_runs_before_it_does_not(objects: Sequence[Object]) -> None:
    holders = [
        (pod.owner, container["name"])
        for pod in pods(objects)
        for container in pod.containers
        for mount in container.get("volumeMounts", [])
        if mount["name"] in tokens(pod)
    ]
    assert holders == [("volwatch-producer", "producer")]


def tokens(pod: Pod) -> set[str]:
    """Return the volumes that hold a token of the pod's account."""
    sources = {volume["name"]: volume.get("projected", {}).get("sources", []) for volume in pod.spec.get("volumes", [])}
    return {name for name, listed in sources.items() if any("serviceAccountToken" in source for source in listed)}


def test_every_container_says_what_it_needs_and_what_memory_it_may_take(objects: Sequence[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            resources = container["resources"]
            named = (pod.name, container["name"], set(resources["requests"]), "memory" in resources["limits"])
            assert named == (pod.name, container["name"], {"cpu", "memory"}, True)


def test_every_long_running_container_is_probed(objects: Sequence[Object]) -> None:
    probed = [
        (pod.name, container["name"], {probe for probe in restricted.PROBES if probe in container})
        for pod in pods(objects)
        if pod.kind in LONG_RUNNING
        for container in pod.spec["containers"]
    ]
    assert len(probed) > 0
    assert [one for one in probed if one[2] != set(restricted.PROBES)] == []


def test_a_probe_asks_a_port_that_its_container_has(objects: Sequence[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            ports = {port["name"] for port in container.get("ports", [])}
            asked = {container.get(probe, {}).get("httpGet", {}).get("port") for probe in restricted.PROBES}
            assert asked - ports <= {None}, pod.name


def test_every_volume_is_mounted_and_every_mount_has_its_volume(objects: Sequence[Object]) -> None:
    claims = {
        f"StatefulSet/{body['metadata']['name']}": {
            one["metadata"]["name"] for one in body["spec"]["volumeClaimTemplates"]
        }
        for body in objects
        if body["kind"] == "StatefulSet"
    }
    for pod in pods(objects):
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        assert (pod.name, mounted) == (pod.name, volumes | claims.get(pod.name, set()))


def test_no_variable_is_given_twice(objects: Sequence[Object]) -> None:
    for pod in pods(objects):
        for container in pod.containers:
            names = [variable["name"] for variable in container.get("env", [])]
            assert (pod.name, sorted(names)) == (pod.name, sorted(set(names)))


def images(made: Sequence[Object]) -> set[str]:
    return {container["image"] for pod in pods(made) for container in pod.containers}


def test_every_image_is_a_fixed_one(objects: Sequence[Object]) -> None:
    loose = [image for image in images(objects) if not re.search(r"(@sha256:[0-9a-f]{64}|/?[^/]+:[^/:@]+)$", image)]
    assert loose == []
    assert [image for image in images(objects) if image.endswith(":latest")] == []


def test_images_are_of_the_version_of_the_chart() -> None:
    version = chart_file("Chart.yaml")["appVersion"]
    names = ("service", "dashboard", "minio", "airflow")
    ours = {f"ghcr.io/volwatch/volwatch-{name}:{version}" for name in names}
    assert images(render(Case())) == {*ours, "postgres:17"}


@pytest.mark.parametrize("target", ["service", "dashboard", "minio"])
def test_a_digest_pins_an_image_whatever_its_tag(target: str) -> None:
    pinned = images(render(Case(sets=(f"image.digests.{target}={DIGEST}", "image.tag=1.2.3"))))
    name = f"ghcr.io/volwatch/volwatch-{target}"
    assert {image for image in pinned if image.startswith(name)} == {f"{name}@{DIGEST}"}


def test_images_that_are_in_the_nodes_need_no_registry() -> None:
    names = ("service", "dashboard", "minio")
    local = images(render(Case(sets=("image.registry=", "image.tag=dev"))))
    assert {f"volwatch-{name}:dev" for name in names} <= local


def test_registry_secrets_reach_every_pod() -> None:
    made = pods(render(Case(sets=("image.pullSecrets[0].name=registry",))))
    assert [pod.name for pod in made if pod.spec.get("imagePullSecrets") != [{"name": "registry"}]] == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hostNetwork": True}, "hostNetwork is on"),
        ({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}, "a volume of the type hostPath"),
        ({"securityContext": {"runAsUser": 0}}, "runs as root"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "a: no seccomp profile"),
        (
            {"containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]},
            "a: adds NET_ADMIN",
        ),
        ({"initContainers": [{"name": "b"}]}, "b: runAsNonRoot is not true"),
    ],
)
def test_what_the_profile_forbids_is_found(spec: Object, expected: str) -> None:
    pod = Pod("Pod", "bad", {}, {"containers": [{"name": "a"}]} | spec)
    assert f"Pod/bad: {expected}" in restricted.faults(pod)
