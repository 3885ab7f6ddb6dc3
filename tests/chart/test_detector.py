"""The detector: the settings of the minute path, the user's rules among them, and no right that it does not need."""

import pytest

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, Case, Object, load_yaml, render, render_worker
from tests.chart.test_quotes import KNOW, rights

DETECTOR = "volwatch-detector"
RULES = "volwatch-pipeline-rules"
RULES_FILE = "/etc/volwatch/rules/rules.yaml"


def made(case: Case, kind: str, name: str) -> list[Object]:
    return [body for body in render(case) if (body["kind"], body["metadata"]["name"]) == (kind, name)]


def detector(case: Case) -> Pod:
    (found,) = pods(made(case, "Deployment", DETECTOR))
    return found


def test_it_reads_trades_in_a_group_of_its_own_and_writes_none() -> None:
    granted = rights(render(CASES["default"]), DETECTOR)
    assert granted == [*KNOW, ("Read", "trades"), ("Read", DETECTOR)]


def test_it_works_under_a_role_of_its_own() -> None:
    assert detector(Case()).told("VOLWATCH_WAREHOUSE_USER") == {"volwatch_detector"}
    assert detector(Case()).told("VOLWATCH_KAFKA_USERNAME") == {DETECTOR}


@pytest.mark.parametrize("owner", ["volwatch-pipeline", "volwatch-nightly", "volwatch-tool", DETECTOR])
def test_rules_reach_everybody_who_computes(owner: str) -> None:
    case = Case(CASES["minimal"].overlays, CASES["rules"].sets)
    (pod,) = [pod for pod in pods(render(case)) if pod.owner == owner]
    (container,) = pod.spec["containers"]
    assert {"name": "rules", "mountPath": "/etc/volwatch/rules", "readOnly": True} in container["volumeMounts"]
    assert {"name": "rules", "configMap": {"name": RULES}} in pod.spec["volumes"]
    assert pod.told("VOLWATCH_PIPELINE_RULES_FILE") == {RULES_FILE}


def test_rules_reach_a_task_of_airflow() -> None:
    (configured,) = made(CASES["rules"], "ConfigMap", "volwatch-airflow-worker")
    assert configured["data"]["VOLWATCH_PIPELINE_RULES_FILE"] == RULES_FILE
    (worker,) = pods(render_worker(CASES["rules"]))
    (rules,) = [volume for volume in worker.spec["volumes"] if volume["name"] == "rules"]
    assert rules["configMap"] == {"name": RULES, "optional": True}
    (mount,) = [one for one in worker.spec["containers"][0]["volumeMounts"] if one["name"] == "rules"]
    assert RULES_FILE.startswith(f"{mount['mountPath']}/")


def test_the_file_holds_the_rules_as_they_were_given() -> None:
    (file,) = made(CASES["rules"], "ConfigMap", RULES)
    assert load_yaml(file["data"]["rules.yaml"]) == {"rules": [{"name": "big-move"}]}


def test_without_rules_there_is_no_file_and_nobody_looks_for_one() -> None:
    assert made(Case(), "ConfigMap", RULES) == []
    assert [pod.name for pod in pods(render(Case())) if pod.told("VOLWATCH_PIPELINE_RULES_FILE")] == []


def test_other_rules_start_it_anew() -> None:
    first, second = (
        made(Case(sets=(f"pipeline.rules.rules[0].name={name}",)), "Deployment", DETECTOR)[0] for name in ("a", "b")
    )
    assert first["spec"]["template"] != second["spec"]["template"]


def test_switched_off_it_leaves_nothing_behind() -> None:
    left = [body["metadata"]["name"] for body in render(CASES["quiet"]) if DETECTOR in body["metadata"]["name"]]
    assert left == []
    provisioned = {one["name"] for pod in pods(render(CASES["quiet"])) for one in pod.variables}
    assert "VOLWATCH_WAREHOUSE_PROVISION_DETECTOR_PASSWORD" not in provisioned
