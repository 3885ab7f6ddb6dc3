"""Jobs: part of the release, not hooks, and replaced exactly when their content changes."""

import re
from collections.abc import Sequence

import pytest

from tests.chart.rendering import CASES, Case, Object, chart_file, render

HOOK = "helm.sh/hook"
ALWAYS = {"rawzone-provision", "warehouse-migrate", "airflow-init"}


def jobs(case: Case) -> dict[str, Object]:
    """Return the Jobs by their names without the hash."""
    return {
        re.sub(r"^volwatch-(.+)-[0-9a-f]{8}$", r"\1", body["metadata"]["name"]): body
        for body in render(case)
        if body["kind"] == "Job"
    }


def names(*sets: str) -> dict[str, str]:
    return {short: body["metadata"]["name"] for short, body in jobs(Case(sets=sets)).items()}


def renamed(*sets: str) -> set[str]:
    before, after = names(), names(*sets)
    assert set(before) == set(after) == ALWAYS
    return {short for short in before if before[short] != after[short]}


def test_the_only_hooks_are_tests(objects: Sequence[Object]) -> None:
    hooked = [(body["kind"], body["metadata"]["annotations"][HOOK]) for body in objects if _has_hook(body)]
    assert hooked == [("Pod", "test")] * 2


def _has_hook(body: Object) -> bool:
    return HOOK in body["metadata"].get("annotations", {})


def test_the_second_render_has_the_same_names() -> None:
    # A value that changes nothing makes helm run anew, and generate other passwords.
    assert renamed(f"image.tag={chart_file('Chart.yaml')['appVersion']}") == set()


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ("image.tag=0.2.0", ALWAYS),
        ("image.pullPolicy=Always", ALWAYS),
        ("rawzone.bucket=other", {"rawzone-provision", "airflow-init"}),
        ("rawzone.retentionDays=7", {"rawzone-provision"}),
        ("airflow.defaultAirflowTag=0.2.0", {"airflow-init"}),
        ("dashboard.replicas=2", set()),
        ("producer.rate=7", set()),
        ("kafka.retentionHours=7", set()),
        ("networkPolicy.enabled=false", set()),
        ("warehouse.storage.size=1Gi", set()),
    ],
)
def test_a_job_is_replaced_when_what_it_runs_changes_and_only_then(change: str, replaced: set[str]) -> None:
    assert renamed(change) == replaced


def test_quotes_are_switched_on_and_off_in_airflow() -> None:
    # A DAG that is not paused starts a pod every minute.
    told = {name: jobs(CASES[name])["airflow-init"]["spec"]["template"] for name in ("default", "finnhub")}
    last = {name: pod["spec"]["containers"][0]["args"][-1].rpartition("airflow dags ")[2] for name, pod in told.items()}
    assert last == {"default": "pause --yes quote_fetch", "finnhub": "unpause --yes quote_fetch"}


def test_what_is_there_for_tools_never_runs_by_itself() -> None:
    specs = {body["metadata"]["name"]: body["spec"] for body in render(CASES["minimal"]) if body["kind"] == "CronJob"}
    assert {name for name, spec in specs.items() if spec.get("suspend")} == {"volwatch-tool"}
    assert specs["volwatch-tool"]["jobTemplate"]["spec"]["backoffLimit"] == 0, "a tool is not run twice unasked"


def test_a_name_stands_for_one_content() -> None:
    # Kubernetes refuses a change of the template of a Job that is there.
    every = [body for case in CASES.values() for body in jobs(case).values()]
    contents = {body["metadata"]["name"]: body["spec"]["template"] for body in every}
    changed = [name for body in every if contents[name := body["metadata"]["name"]] != body["spec"]["template"]]
    assert changed == []


def test_a_job_stays_until_the_next_one() -> None:
    # One that removed itself would be missing to `helm --wait`, and to whoever looks for the reason of a failure.
    assert [name for name, body in jobs(Case()).items() if "ttlSecondsAfterFinished" in body["spec"]] == []


def test_a_job_ends_and_is_tried_again(objects: Sequence[Object]) -> None:
    for body in objects:
        if body["kind"] == "Job":
            assert body["spec"]["template"]["spec"]["restartPolicy"] == "Never"
            assert body["spec"]["backoffLimit"] >= 10


TOOL = {"volwatch-tool": ("0 0 1 1 *", "Allow")}
SCHEDULED = TOOL | {
    "volwatch-pipeline": ("* * * * *", "Forbid"),
    "volwatch-maintenance": ("15 2 * * *", "Forbid"),
    "volwatch-nightly": ("30 2 * * *", "Forbid"),
}


@pytest.mark.parametrize(
    ("name", "more"), [("minimal", {}), ("quotes", {"volwatch-quotes": ("* * * * *", "Forbid")}), ("default", None)]
)
def test_what_is_scheduled_never_runs_twice_at_once(name: str, more: dict[str, tuple[str, str]] | None) -> None:
    scheduled = {body["metadata"]["name"]: body["spec"] for body in render(CASES[name]) if body["kind"] == "CronJob"}
    expected = TOOL if more is None else SCHEDULED | more
    assert {name: (spec["schedule"], spec["concurrencyPolicy"]) for name, spec in scheduled.items()} == expected
