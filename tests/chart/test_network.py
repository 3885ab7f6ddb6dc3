"""Who finds whom, and who may speak to whom."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.chart.pods import LONG_RUNNING, Pod, pods, selects
from tests.chart.rendering import CASES, NAMESPACE, RELEASE, Case, Object, chart_file, render, render_worker

AIRFLOW = {"tier": "airflow", "release": RELEASE}
WORKER = AIRFLOW | {"component": "worker"}
# Servers that operators run: the labels of their pods, by the address that a client is told.
OPERATED = {
    "volwatch-warehouse-rw": {"cnpg.io/cluster": "volwatch-warehouse"},
    "volwatch-kafka-bootstrap": {"strimzi.io/cluster": "volwatch"},
}
# What tells a client the address of a server, and the name of the port there.
ADDRESSES = {"VOLWATCH_KAFKA_BOOTSTRAP": "", "VOLWATCH_RAWZONE_ENDPOINT": "s3", "VOLWATCH_WAREHOUSE_HOST": "postgres"}


def named(objects: Sequence[Object], kind: str) -> dict[str, Object]:
    return {body["metadata"]["name"]: body for body in objects if body["kind"] == kind}


def ports(pod: Pod) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for one in pod.containers for port in one.get("ports", [])}


def test_a_service_finds_the_pods_of_one_stage_and_a_port_of_theirs(objects: Sequence[Object]) -> None:
    for name, service in named(objects, "Service").items():
        found = [pod for pod in pods(objects) if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)]
        assert [(pod.kind in LONG_RUNNING, pod.owner) for pod in found] == [(True, name)]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports(found[0]))


def test_a_stateful_set_has_its_service(objects: Sequence[Object]) -> None:
    sets = named(objects, "StatefulSet")
    assert {body["spec"]["serviceName"] for body in sets.values()} <= set(named(objects, "Service"))


def test_the_way_in_leads_to_a_port_of_a_service(objects: Sequence[Object]) -> None:
    services = {name: service["spec"]["ports"] for name, service in named(objects, "Service").items()}
    there = {
        (name, key) for name, listed in services.items() for port in listed for key in (port["name"], port["port"])
    }
    assert set(_backends(objects)) - there == set()


def _backends(objects: Sequence[Object]) -> Iterator[tuple[str, Any]]:
    for ingress in named(objects, "Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                yield path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"]
    for route in named(objects, "HTTPRoute").values():
        for rule in route["spec"]["rules"]:
            yield from ((backend["name"], backend["port"]) for backend in rule["backendRefs"])


def test_a_workload_selects_its_own_pods_alone(objects: Sequence[Object]) -> None:
    for body in objects:
        if body["kind"] in LONG_RUNNING:
            selected = [pod.name for pod in pods(objects) if selects(body["spec"]["selector"], pod.labels)]
            assert selected == [f"{body['kind']}/{body['metadata']['name']}"]


def test_a_budget_protects_the_pods_of_its_name(objects: Sequence[Object]) -> None:
    for name, budget in named(objects, "PodDisruptionBudget").items():
        assert [pod.owner for pod in pods(objects) if selects(budget["spec"]["selector"], pod.labels)] == [name]
    servers = {body["metadata"]["name"] for body in objects if body["kind"] in LONG_RUNNING}
    assert set(named(objects, "PodDisruptionBudget")) == servers


def test_a_scaler_has_something_to_scale_and_nobody_else_does(objects: Sequence[Object]) -> None:
    scalers = [*named(objects, "HorizontalPodAutoscaler").values(), *named(objects, "ScaledObject").values()]
    deployments = named(objects, "Deployment")
    for scaler in scalers:
        assert "replicas" not in deployments[scaler["spec"]["scaleTargetRef"]["name"]]["spec"]
    assert len(scalers) <= 1


def test_a_scaler_logs_in_with_what_is_there(objects: Sequence[Object]) -> None:
    login = named(objects, "TriggerAuthentication")
    for scaled in named(objects, "ScaledObject").values():
        assert {trigger["authenticationRef"]["name"] for trigger in scaled["spec"]["triggers"]} == set(login)


@pytest.mark.parametrize(
    ("protocol", "mechanism", "expected"),
    [
        ("SASL_SSL", "SCRAM-SHA-256", {"sasl": "scram_sha256", "tls": "enable"}),
        ("SASL_PLAINTEXT", "PLAIN", {"sasl": "plaintext", "tls": "disable"}),
        ("SSL", "SCRAM-SHA-512", {"sasl": "none", "tls": "enable"}),
    ],
)
def test_a_scaler_speaks_as_kafka_does(protocol: str, mechanism: str, expected: dict[str, str]) -> None:
    external = (f"kafka.external.securityProtocol={protocol}", f"kafka.external.saslMechanism={mechanism}")
    told = named(render(Case(CASES["lag"].overlays, (*CASES["lag"].sets, *external))), "Secret")[
        "volwatch-consumer-keda"
    ]
    assert told["stringData"] == expected | {"username": "volwatch"}


def test_a_monitor_finds_a_port_of_our_pods(objects: Sequence[Object]) -> None:
    for name, monitor in named(objects, "PodMonitor").items():
        found = [pod for pod in pods(objects) if selects(monitor["spec"]["selector"], pod.labels)]
        asked = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
        if name != "volwatch-kafka":
            assert [(pod.owner, asked <= set(ports(pod))) for pod in found] == [(name, True)]


# --- Network policies -------------------------------------------------------------------------------------------------


def policies(objects: Sequence[Object], labels: dict[str, str], direction: str) -> list[Object]:
    """Return the specs of the policies that close a direction of a pod."""
    specs = [body["spec"] for body in named(objects, "NetworkPolicy").values()]
    return [spec for spec in specs if selects(spec["podSelector"], labels) and direction in spec["policyTypes"]]


def peers(rule: Object, side: str) -> list[Object]:
    listed: list[Object] = rule.get(side, [{"podSelector": {}}])
    return listed


def allows(spec: Object, direction: str, other: dict[str, str], opened: set[Any]) -> bool:
    """Return whether a policy lets a pod with these labels, of our namespace, by one of the ports."""
    side = "from" if direction == "Ingress" else "to"
    return any(
        opened & {port["port"] for port in rule.get("ports", [])}
        and any("namespaceSelector" not in peer and selects(peer["podSelector"], other) for peer in peers(rule, side))
        for rule in spec.get(direction.lower(), [])
    )


def servers(objects: Sequence[Object]) -> dict[str, dict[str, str]]:
    """Return the labels of the pods behind each address in the cluster."""
    selectors = {name: {"matchLabels": body["spec"]["selector"]} for name, body in named(objects, "Service").items()}
    ours = {name: pod.labels for name, one in selectors.items() for pod in pods(objects) if selects(one, pod.labels)}
    return OPERATED | ours


def spoken_to(pod: Pod, known: dict[str, dict[str, str]]) -> Iterator[tuple[dict[str, str], set[Any]]]:
    """Yield the labels of each server in the cluster that a pod is told of, and what its port is called."""
    for variable, name in ADDRESSES.items():
        for address in pod.told(variable):
            host, _, port = address.partition(":")
            if host in known:
                yield known[host], {int(port or 5432), name}


def workers(case: Case, objects: Sequence[Object]) -> list[Pod]:
    """Return the pod of a task, its environment read from the ConfigMap that it gets."""
    configured = named(objects, "ConfigMap").get("volwatch-airflow-worker", {"data": {}})["data"]
    variables = [{"name": name, "value": value} for name, value in configured.items()]
    return [
        Pod("Pod", "worker", pod.labels, {"containers": [{"name": "base", "env": variables}]})
        for pod in pods(render_worker(case))
    ]


def test_no_pod_of_ours_is_open_to_everybody(objects: Sequence[Object], case: Case) -> None:
    closed = "networkPolicy.enabled=false" not in case.sets
    everybody = [*pods(objects), *workers(case, objects)]
    assert [pod.name for pod in everybody if bool(policies(objects, pod.labels, "Ingress")) != closed] == []


def test_every_client_may_leave_for_its_servers_and_is_let_in(objects: Sequence[Object], case: Case) -> None:
    clients = [*pods(objects), *workers(case, objects)]
    stopped = [
        (pod.name, direction, server)
        for pod in clients
        for server, opened in spoken_to(pod, servers(objects))
        for direction, inside, outside in (("Egress", pod.labels, server), ("Ingress", server, pod.labels))
        if (closing := policies(objects, inside, direction))
        and not any(allows(spec, direction, outside, opened) for spec in closing)
    ]
    assert stopped == []


def test_every_closed_client_may_ask_for_names(objects: Sequence[Object]) -> None:
    for name, policy in named(objects, "NetworkPolicy").items():
        if policy["spec"].get("egress"):
            ways = [(way["protocol"], way["port"]) for way in policy["spec"]["egress"][0]["ports"]]
            assert (name, ways) == (name, [("UDP", 53), ("TCP", 53)])


def let_in(objects: Sequence[Object], name: str) -> set[str]:
    """Return the components that a policy lets in from our namespace."""
    peer_labels = [peer["podSelector"] for peer in policy_peers(named(objects, "NetworkPolicy")[name]["spec"])]
    listed = [expression["values"] for one in peer_labels for expression in one.get("matchExpressions", [])]
    return {value for values in listed for value in values}


def policy_peers(spec: Object) -> list[Object]:
    found = [peer for rule in spec["ingress"] for peer in rule.get("from", [])]
    return [peer for peer in found if "podSelector" in peer]


def others_let_in(objects: Sequence[Object], name: str) -> list[dict[str, str]]:
    selectors = [peer["podSelector"] for peer in policy_peers(named(objects, "NetworkPolicy")[name]["spec"])]
    return [selector["matchLabels"] for selector in selectors if "matchLabels" in selector]


def test_the_warehouse_lets_in_its_clients_alone() -> None:
    objects = render(CASES["default"])
    assert let_in(objects, "volwatch-warehouse") == {
        "pipeline",
        "detector",
        "notifier",
        "dashboard",
        "warehouse-migrate",
        "airflow-init",
        "test",
    }
    assert others_let_in(objects, "volwatch-warehouse") == [AIRFLOW]


def test_the_raw_zone_lets_in_its_clients_and_prometheus_alone() -> None:
    objects = render(CASES["default"])
    assert let_in(objects, "volwatch-rawzone") == {"consumer", "pipeline", "rawzone-provision", "airflow-init", "test"}
    assert others_let_in(objects, "volwatch-rawzone") == [AIRFLOW, {"app.kubernetes.io/name": "prometheus"}]


def test_a_policy_opens_a_port_that_is_there(objects: Sequence[Object]) -> None:
    for name, policy in named(objects, "NetworkPolicy").items():
        opened = {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule.get("ports", [])}
        for pod in pods(objects):
            if selects(policy["spec"]["podSelector"], pod.labels):
                assert (name, opened - {*ports(pod), *ports(pod).values()}) == (name, set())


@pytest.mark.parametrize(
    ("endpoint", "secure", "port"),
    [("s3.example.com", "true", 443), ("10.0.0.5", "false", 80), ("node1:9000", "true", 9000)],
)
def test_a_store_elsewhere_is_reached_by_its_port(endpoint: str, secure: str, port: int) -> None:
    external = (f"rawzone.external.endpoint={endpoint}", f"rawzone.external.secure={secure}")
    objects = render(Case(CASES["production"].overlays, external))
    opened = named(objects, "NetworkPolicy")["volwatch-consumer"]["spec"]["egress"]
    assert {"ports": [{"port": port}]} in opened


def outside(objects: Sequence[Object], name: str) -> list[int]:
    """Return the ports by which a policy lets its pods go anywhere, names apart."""
    rules = named(objects, "NetworkPolicy")[name]["spec"]["egress"][1:]
    return [port["port"] for rule in rules if "to" not in rule for port in rule["ports"]]


@pytest.mark.parametrize(
    ("name", "policy", "ports"),
    [
        # The cluster's API, that no policy can name, and Finnhub.
        ("default", "volwatch-producer", [443, 6443]),
        ("finnhub", "volwatch-producer", [443, 6443, 443]),
        ("default", "volwatch-pipeline", []),
        ("default", "volwatch-detector", []),
        # Whoever has channels leaves by their ports: mail, web-hooks, an Alertmanager.
        ("default", "volwatch-notifier", []),
        ("production", "volwatch-notifier", [443, 465, 587, 9093]),
        # People sign in elsewhere.
        ("default", "volwatch-dashboard", []),
        ("production", "volwatch-dashboard", [443]),
        ("default", "volwatch-airflow-worker", []),
        ("finnhub", "volwatch-pipeline", [443]),
        ("finnhub", "volwatch-airflow-worker", [443]),
        # Kafka is elsewhere, too.
        ("minimal", "volwatch-producer", [9092, 443, 6443]),
        ("quotes", "volwatch-producer", [9092, 443, 6443]),
        ("quotes", "volwatch-pipeline", [9092, 443]),
    ],
)
def test_who_leaves_the_cluster_does_so_by_few_ports(name: str, policy: str, ports: list[int]) -> None:
    assert outside(render(CASES[name]), policy) == ports


@pytest.mark.parametrize(
    ("url", "rest", "ports"),
    [
        ("wss://ws.example.com", "https://example.com/api/v1", [443]),
        ("ws://finnhub:8080", "http://finnhub:8080/api/v1", [8080]),
        ("ws://stream", "https://quotes:8443/v1", [80, 8443]),
    ],
)
def test_finnhub_is_reached_by_the_ports_of_its_addresses(url: str, rest: str, ports: list[int]) -> None:
    sets = (f"producer.finnhub.url={url}", f"producer.finnhub.restUrl={rest}", "networkPolicy.apiPorts={16443}")
    objects = render(Case(CASES["finnhub"].overlays, sets))
    assert outside(objects, "volwatch-producer") == [16443, *ports]
    assert outside(objects, "volwatch-pipeline") == ports


@pytest.mark.parametrize("name", ["default", "production"])
def test_kafka_lets_in_its_clients_alone(name: str) -> None:
    objects = render(CASES[name])
    peers = listener(objects)["networkPolicyPeers"]
    listed = [peer["podSelector"] for peer in peers if "podSelector" in peer]
    everybody = [*pods(objects), *workers(CASES[name], objects)]
    # By component, as a pod of `helm test` has the labels of the others.
    clients = {frozenset(pod.labels.items()) for pod in everybody if pod.told("VOLWATCH_KAFKA_BOOTSTRAP")}
    let_in = {frozenset(pod.labels.items()) for pod in everybody if lets(listed, pod)}
    assert let_in == clients


@pytest.mark.parametrize(("name", "expected"), [("default", []), ("production", ["keda"])])
def test_kafka_lets_keda_in_where_it_scales_by_lag(name: str, expected: list[str]) -> None:
    peers = listener(render(CASES[name]))["networkPolicyPeers"]
    labels = [peer["namespaceSelector"]["matchLabels"] for peer in peers if "namespaceSelector" in peer]
    assert labels == [{"kubernetes.io/metadata.name": namespace} for namespace in expected]


def lets(selectors: list[Object], pod: Pod) -> bool:
    return any(selects(selector, pod.labels) for selector in selectors)


@pytest.mark.parametrize("name", ["default", "production"])
def test_clients_reach_kafka_where_strimzi_listens(name: str) -> None:
    objects = render(CASES[name])
    told = {address for pod in pods(objects) for address in pod.told("VOLWATCH_KAFKA_BOOTSTRAP")}
    assert told == {f"volwatch-kafka-bootstrap:{listener(objects)['port']}"}
    assert listener(objects)["tls"] == (name == "production")


def listener(objects: Sequence[Object]) -> Object:
    (only,) = named(objects, "Kafka")["volwatch"]["spec"]["kafka"]["listeners"]
    assert isinstance(only, dict)
    return only


def test_a_task_has_the_labels_that_the_policies_mean() -> None:
    (worker,) = pods(render_worker(CASES["default"]))
    assert worker.labels == WORKER
    assert NAMESPACE != RELEASE, "so that one is not taken for the other"
    assert chart_file("values.yaml")["airflow"].get("networkPolicies", {}).get("enabled", False) is False
