"""The producer: one sends and others stand by; what it is told, by the source that it has."""

from typing import Any

import pytest

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, NAMESPACE, Case, Object, render

LEASE = "volwatch-producer"
STANDING_BY = {"VOLWATCH_LEASE_KIND", "VOLWATCH_LEASE_NAME", "VOLWATCH_LEASE_IDENTITY"}
SIMULATED = {
    f"VOLWATCH_PRODUCER_{name}" for name in ("SYMBOLS", "RATE", "SCENARIO", "SEED", "HISTORY_MINUTES", "HISTORY_RATE")
}
FINNHUB = {"VOLWATCH_FINNHUB_TOKEN", "VOLWATCH_FINNHUB_URL", "VOLWATCH_FINNHUB_REST_URL", "VOLWATCH_FINNHUB_SYMBOLS"}


def only(case: Case, kind: str) -> Object:
    (body,) = [body for body in render(case) if (body["kind"], body["metadata"]["name"]) == (kind, LEASE)]
    return body


def producer(case: Case) -> Pod:
    (found,) = pods([only(case, "Deployment")])
    return found


def variables(container: Object) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


def test_a_second_producer_stands_by_on_another_node_where_there_is_one() -> None:
    assert only(Case(), "Deployment")["spec"]["replicas"] == 2
    assert only(Case(sets=("producer.replicas=1",)), "Deployment")["spec"]["replicas"] == 1
    (spread,) = producer(Case()).spec["topologySpreadConstraints"]
    assert spread["labelSelector"] == only(Case(), "Deployment")["spec"]["selector"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")


def test_a_node_can_be_drained_and_one_producer_stays() -> None:
    assert only(Case(), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_producers_may_keep_one_lease_and_nothing_else() -> None:
    account, role, binding = (only(Case(), kind) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"]}
    assert role["rules"] == [
        leases | {"resourceNames": [LEASE], "verbs": ["get", "patch"]},
        leases | {"verbs": ["create"]},
    ]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": LEASE}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": LEASE, "namespace": NAMESPACE}]
    assert account["automountServiceAccountToken"] is False
    assert producer(Case()).spec["serviceAccountName"] == LEASE


def test_nobody_else_has_an_account_of_ours() -> None:
    others = [pod.name for pod in pods(render(Case())) if "serviceAccountName" in pod.spec and pod.owner != LEASE]
    assert others == []


def test_a_producer_finds_its_token_where_clients_look_for_it() -> None:
    (container,) = producer(Case()).spec["containers"]
    (mount,) = [one for one in container["volumeMounts"] if one["mountPath"].startswith("/var/run/secrets")]
    assert mount == {"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    (volume,) = [one for one in producer(Case()).spec["volumes"] if one["name"] == "account"]
    token, authority, namespace = volume["projected"]["sources"]
    paths = [token["serviceAccountToken"]["path"]]
    paths += [item["path"] for source in (authority["configMap"], namespace["downwardAPI"]) for item in source["items"]]
    assert paths == ["token", "ca.crt", "namespace"]


@pytest.mark.parametrize("name", ["default", "finnhub"])
def test_a_producer_holds_the_lease_in_the_name_of_its_pod(name: str) -> None:
    told = variables(producer(CASES[name]).spec["containers"][0])
    assert {key: told[key] for key in STANDING_BY} == {
        "VOLWATCH_LEASE_KIND": "kubernetes",
        "VOLWATCH_LEASE_NAME": LEASE,
        "VOLWATCH_LEASE_IDENTITY": {"fieldRef": {"fieldPath": "metadata.name"}},
    }


@pytest.mark.parametrize(
    ("name", "source", "given", "kept"),
    [("default", "simulator", SIMULATED, FINNHUB), ("finnhub", "finnhub", FINNHUB, SIMULATED)],
)
def test_a_source_is_told_what_is_its_own(name: str, source: str, given: set[str], kept: set[str]) -> None:
    told = variables(producer(CASES[name]).spec["containers"][0])
    assert told["VOLWATCH_PRODUCER_SOURCE"] == source
    assert (given - told.keys(), kept & told.keys()) == (set(), set())


def test_finnhubs_key_comes_from_its_secret_and_only_to_whom_it_speaks() -> None:
    (waiting,), (sending,) = (producer(CASES["finnhub"]).spec[kind] for kind in ("initContainers", "containers"))
    key = {"secretKeyRef": {"name": "volwatch-finnhub", "key": "token"}}
    assert variables(sending)["VOLWATCH_FINNHUB_TOKEN"] == key
    assert FINNHUB & variables(waiting).keys() == set()


def test_symbols_are_told_as_the_program_reads_them() -> None:
    told = variables(producer(CASES["finnhub"]).spec["containers"][0])
    assert told["VOLWATCH_FINNHUB_SYMBOLS"] == "AAPL,MSFT,NVDA,BINANCE:BTCUSDT"
