"""What Airflow's chart is told, and the pod of a task: enough for the minute path, and no key of Airflow's own."""

from typing import Any

import pytest

from tests.chart import restricted, validation
from tests.chart.pods import Pod, Reference, pods, references
from tests.chart.rendering import CASES, Case, Object, chart_file, render, render_worker

AIRFLOW: dict[str, Any] = chart_file("values.yaml")["airflow"]
# Of the Secrets that Airflow's own programs share.
SHARED = {AIRFLOW["data"]["metadataSecretName"], AIRFLOW["fernetKeySecretName"], AIRFLOW["jwtSecretName"]}


@pytest.fixture(params=["default", "external", "production"])
def worker(request: pytest.FixtureRequest) -> Object:
    (only,) = render_worker(CASES[request.param])
    return only


def pod(worker: Object) -> Pod:
    (only,) = pods([worker])
    return only


def test_a_task_has_a_valid_pod(worker: Object) -> None:
    assert validation.faults(worker) == []


def test_a_restricted_namespace_takes_it(worker: Object) -> None:
    assert restricted.faults(pod(worker)) == []


def test_it_has_no_token_and_no_addresses_of_its_neighbours(worker: Object) -> None:
    spec = worker["spec"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["serviceAccountName"] == "volwatch-airflow-worker-kubernetes"
    account = AIRFLOW["workers"]["kubernetes"]["serviceAccount"]
    assert account == {"create": True, "automountServiceAccountToken": False}


def test_it_knows_neither_the_metadata_database_nor_a_key_of_airflow(worker: Object) -> None:
    assert {one.name for one in references(pod(worker))} & SHARED == set()
    variables = {variable["name"] for variable in pod(worker).variables}
    assert {name for name in variables if "DATABASE" in name or "FERNET" in name or "JWT" in name} == set()


def test_it_gets_what_the_minute_path_needs(worker: Object) -> None:
    pulled_with = {Reference("Secret", one["name"]) for one in worker["spec"].get("imagePullSecrets", [])}
    assert references(pod(worker)) - pulled_with == {
        Reference("ConfigMap", "volwatch-airflow-config"),
        Reference("ConfigMap", "volwatch-airflow-worker"),
        Reference("Secret", "volwatch-airflow-connections"),
        Reference("Secret", "volwatch-airflow-worker"),
    }


def test_it_says_what_it_needs_and_what_memory_it_may_take(worker: Object) -> None:
    (base,) = worker["spec"]["containers"]
    assert base["name"] == "base"
    assert base["resources"] == AIRFLOW["workers"]["kubernetes"]["resources"]
    assert base["image"] == f"ghcr.io/volwatch/volwatch-airflow:{AIRFLOW['defaultAirflowTag']}"


@pytest.mark.parametrize("name", ["production", "external"])
def test_it_has_the_certificate_that_its_settings_name(name: str) -> None:
    (worker,) = render_worker(CASES[name])
    (configured,) = [body["data"] for body in render(CASES[name]) if is_for_workers(body)]
    mounts = {mount["name"]: mount["mountPath"] for mount in worker["spec"]["containers"][0]["volumeMounts"]}
    assert configured["VOLWATCH_KAFKA_CA_FILE"] == f"{mounts['kafka-ca']}/ca.crt"
    (producer,) = [one for one in pods(render(CASES[name])) if one.owner == "volwatch-producer"]
    assert authority(worker["spec"]) == authority(producer.spec)


def is_for_workers(body: Object) -> bool:
    return (body["kind"], body["metadata"]["name"]) == ("ConfigMap", "volwatch-airflow-worker")


def authority(spec: Object) -> set[str]:
    return {volume["secret"]["secretName"] for volume in spec["volumes"] if volume["name"] == "kafka-ca"}


def test_logs_go_to_the_bucket_that_is_made_by_the_connection_that_is_given() -> None:
    objects = render(CASES["default"])
    logging = AIRFLOW["config"]["logging"]
    buckets = {name for one in pods(objects) for name in one.told("VOLWATCH_RAWZONE_PROVISION_LOG_BUCKET")}
    assert {f"s3://{name}" for name in buckets} == {logging["remote_base_log_folder"]}
    connections = {key for body in objects if body["kind"] == "Secret" for key in body["data"] if "AIRFLOW_CONN" in key}
    assert connections == {f"AIRFLOW_CONN_{logging['remote_log_conn_id'].upper()}"}


def test_nothing_of_airflow_is_made_without_it() -> None:
    assert render_worker(CASES["minimal"]) == []
    made = {body["metadata"]["name"] for body in render(CASES["minimal"])}
    assert {name for name in made if "airflow" in name} == set()


def test_airflows_chart_makes_no_hook_and_no_database() -> None:
    # Its hooks would wait for pods that wait for its hooks.
    switches = {
        name: AIRFLOW[name]["enabled"] for name in ("migrateDatabaseJob", "createUserJob", "postgresql", "redis")
    }
    assert switches == dict.fromkeys(switches, False)
    # Without these names its chart makes Secrets by hooks, or new ones with every upgrade.
    named = ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")
    assert [name for name in named if not AIRFLOW.get(name)] == []
    assert AIRFLOW["data"]["brokerUrlSecretName"] != ""


def test_the_init_job_writes_the_dags_down_as_airflow_is_configured() -> None:
    (init,) = [one for one in pods(render(Case())) if one.labels["app.kubernetes.io/component"] == "airflow-init"]
    core = "AIRFLOW__CORE__"
    told = {one["name"]: one["value"] for one in init.variables if one["name"].startswith(core) and "value" in one}
    paused = AIRFLOW["config"]["core"]["dags_are_paused_at_creation"]
    assert (told[f"{core}LOAD_EXAMPLES"], told[f"{core}DAGS_ARE_PAUSED_AT_CREATION"]) == ("False", paused)


def test_the_init_job_runs_the_version_of_airflow() -> None:
    case = Case(sets=("airflow.defaultAirflowTag=v9",))
    (init,) = [one for one in pods(render(case)) if one.labels["app.kubernetes.io/component"] == "airflow-init"]
    (worker,) = render_worker(case)
    assert init.spec["containers"][0]["image"] == worker["spec"]["containers"][0]["image"]
