"""What is made is what Kubernetes and the operators take, and just that."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chart import golden, validation
from tests.chart.rendering import CASES, OVERLAYS, Case, Object, Refused, chart_file, helm, render

LABELS = {
    "app.kubernetes.io/name": "volwatch",
    "app.kubernetes.io/instance": "volwatch",
    "app.kubernetes.io/part-of": "volwatch",
    "app.kubernetes.io/managed-by": "Helm",
}


def test_servers_would_take_every_object(objects: Sequence[Object]) -> None:
    assert [fault for body in objects for fault in validation.faults(body)] == []


@pytest.mark.parametrize("name", CASES)
def test_the_objects_are_those_that_are_listed(name: str) -> None:
    path = golden.FOLDER / f"{name}.txt"
    listed = path.read_text("utf-8") if path.exists() else ""
    assert golden.text(CASES[name]) == listed, golden.UPDATE


def test_no_list_is_left_of_a_case_that_is_gone() -> None:
    assert sorted(path.stem for path in golden.FOLDER.glob("*.txt")) == sorted(CASES), golden.UPDATE


def test_no_two_objects_share_a_name(objects: Sequence[Object]) -> None:
    names = [(body["apiVersion"], body["kind"], body["metadata"]["name"]) for body in objects]
    assert sorted(names) == sorted(set(names))


def test_objects_live_in_the_namespace_of_the_release(objects: Sequence[Object]) -> None:
    assert [body["metadata"] for body in objects if "namespace" in body["metadata"]] == []


def test_every_object_says_what_it_belongs_to(objects: Sequence[Object]) -> None:
    expected = LABELS | {"app.kubernetes.io/version": chart_file("Chart.yaml")["appVersion"]}
    for body in objects:
        labels = body["metadata"]["labels"]
        assert {key: labels.get(key) for key in expected} == expected
        assert labels["app.kubernetes.io/component"] != ""


@pytest.mark.parametrize("enabled", ["auto", "false"])
def test_without_their_api_there_are_no_monitors(enabled: str) -> None:
    made = render(Case(sets=(f"monitors.enabled={enabled}",)), apis=())
    assert [body for body in made if body["apiVersion"].startswith("monitoring.coreos.com/")] == []


def test_monitors_can_be_asked_for_where_the_api_cannot_be_seen() -> None:
    asked, seen = render(Case(sets=("monitors.enabled=true",)), apis=()), render(Case())
    assert [body for body in asked if body["kind"] != "Secret"] == [body for body in seen if body["kind"] != "Secret"]


@pytest.mark.parametrize("overlays", [(), *((path,) for path in OVERLAYS.values())], ids=["default", *OVERLAYS])
def test_lint_finds_nothing(overlays: tuple[Path, ...]) -> None:
    told = helm("lint", "--strict", *(f"--values={path}" for path in overlays))
    assert "1 chart(s) linted, 0 chart(s) failed" in told


def test_a_field_that_a_server_does_not_know_is_a_fault() -> None:
    topic, deployment = (
        {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "spec": {"replica": 1}}
        for version, kind in [("kafka.strimzi.io/v1", "KafkaTopic"), ("apps/v1", "Deployment")]
    )
    assert [fault for fault in validation.faults(topic) if "'replica' was unexpected" in fault] != []
    assert [fault for fault in validation.faults(deployment) if "'replica' was unexpected" in fault] != []


def test_a_failure_tells_what_helm_said() -> None:
    with pytest.raises(Refused, match="kafka"):
        render(Case(sets=("kafka=1",)))
