"""Quotes: who fetches them may do so, and nobody may where they are off."""

from collections.abc import Sequence

import pytest

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, Object, render, render_worker

TOKEN = "VOLWATCH_FINNHUB_TOKEN"
WORKER = "volwatch-airflow-worker"


def rights(objects: Sequence[Object], name: str) -> list[tuple[str, str]]:
    """Return what a user of Kafka may do, and on which topic."""
    (user,) = [body for body in objects if (body["kind"], body["metadata"]["name"]) == ("KafkaUser", name)]
    acls = user["spec"]["authorization"]["acls"]
    return [(operation, acl["resource"]["name"]) for acl in acls for operation in acl["operations"]]


KNOW = [("Describe", "trades"), ("Describe", "trades.quarantine")]


@pytest.mark.parametrize(("name", "expected"), [("default", KNOW), ("finnhub", [*KNOW, ("Write", "trades")])])
def test_the_minute_path_may_write_trades_where_it_fetches_them(name: str, expected: list[tuple[str, str]]) -> None:
    assert rights(render(CASES[name]), "volwatch-pipeline") == expected


def test_tools_may_send_again_and_look_into_the_quarantine() -> None:
    granted = rights(render(CASES["default"]), "volwatch-tool")
    assert granted == [*KNOW, ("Write", "trades"), ("Read", "trades.quarantine")]


@pytest.mark.parametrize(("name", "told"), [("default", False), ("finnhub", True)])
def test_a_task_is_told_what_to_fetch(name: str, told: bool) -> None:
    (configured,) = [
        body["data"]
        for body in render(CASES[name])
        if (body["kind"], body["metadata"]["name"]) == ("ConfigMap", WORKER)
    ]
    assert any(variable.startswith("VOLWATCH_FINNHUB_") for variable in configured) == told


def test_a_task_has_the_key_where_there_is_one() -> None:
    (worker,) = pods(render_worker(CASES["finnhub"]))
    (token,) = [one for one in worker.variables if one["name"] == TOKEN]
    assert token["valueFrom"] == {"secretKeyRef": {"name": "volwatch-finnhub", "key": "token", "optional": True}}


def test_a_job_fetches_them_where_there_is_no_airflow() -> None:
    job = scheduled("quotes")
    assert job.spec["containers"][0]["args"] == ["pipeline", "quotes"]
    groups = {one["name"].split("_")[1] for one in job.spec["containers"][0]["env"]}
    assert groups == {"KAFKA", "WAREHOUSE", "FINNHUB"}
    (waiting,) = job.spec["initContainers"]
    assert (waiting["args"], TOKEN in {one["name"] for one in waiting["env"]}) == (
        ["wait", "kafka", "warehouse"],
        False,
    )


def scheduled(name: str) -> Pod:
    (found,) = [pod for pod in pods(render(CASES[name])) if pod.owner == "volwatch-quotes"]
    return found


def test_the_key_goes_to_nobody_else() -> None:
    holders = {pod.name for pod in pods(render(CASES["quotes"])) for one in pod.variables if one["name"] == TOKEN}
    assert holders == {"CronJob/volwatch-quotes"}
