"""Secrets: whoever needs one finds it, and what is in it stands nowhere else."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.chart.pods import Reference, pods, references
from tests.chart.rendering import CASES, ROOT, Case, Object, chart_file, load_yaml, render, render_worker

OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
# The tail of a variable's name, or of a key, that tells of a secret.
SECRET = re.compile(r"(PASSWORD|SECRET|SECRET_KEY|ACCESS_KEY|TOKEN|CONN)$", re.IGNORECASE)


def kinds(objects: Sequence[Object], *names: str) -> list[Object]:
    return [body for body in objects if body["kind"] in names]


def rendered(objects: Sequence[Object]) -> dict[tuple[str, str], set[str]]:
    """Return the keys of each Secret and ConfigMap: of ours, of Strimzi's, of what every namespace has."""
    found = {
        (body["kind"], body["metadata"]["name"]): {*body.get("data", {}), *body.get("stringData", {})}
        for body in kinds(objects, "Secret", "ConfigMap")
    }
    found["ConfigMap", "kube-root-ca.crt"] = {"ca.crt"}
    for user in kinds(objects, "KafkaUser"):
        found["Secret", user["metadata"]["name"]] = {"password", "sasl.jaas.config"}
    for cluster in kinds(objects, "Kafka"):
        found["Secret", f"{cluster['metadata']['name']}-cluster-ca-cert"] = {"ca.crt", "ca.p12", "ca.password"}
    return found


def brought(case: Case) -> dict[str, set[str]]:
    """Return the Secrets that the values of a case name, with the keys that the schema tells of them."""
    found: dict[str, set[str]] = {}
    for path in case.overlays:
        _collect(load_yaml(path.read_text("utf-8")), chart_file("values.schema.json"), found)
    return found


def _collect(values: dict[str, Any], schema: dict[str, Any], found: dict[str, set[str]]) -> None:
    for name, value in values.items():
        inner = schema.get("properties", {}).get(name, {})
        if isinstance(value, dict):
            _collect(value, inner, found)
        elif name == "pullSecrets":
            found.update({one["name"]: set() for one in value})
        elif re.search(r"Secret$", name):
            found[value] = keys_in(inner.get("description", ""))


def keys_in(description: str) -> set[str]:
    """Return the keys that "Secret with the key(s) {a,b}-{c,d}-e" means."""
    told = re.search(r"with the keys? (\S+?)(?=[.,]? |[.,]?$)", description)
    if told is None:
        return set()
    keys = [""]
    for part in re.findall(r"\{[^}]+\}|[^{]+", told[1]):
        choices = part.strip("{}").split(",") if part.startswith("{") else [part]
        keys = [key + choice for key in keys for choice in choices]
    return set(keys)


def missing(wanted: set[Reference], there: dict[tuple[str, str], set[str]]) -> list[Reference]:
    return sorted(
        one
        for one in wanted
        if (one.kind, one.name) not in there or (one.key and one.key not in there[one.kind, one.name])
    )


def needed(objects: Sequence[Object], case: Case) -> set[Reference]:
    """Return what our pods and those of Airflow's tasks need, and what Airflow's own chart is told to use."""
    found = {one for pod in pods([*objects, *render_worker(case)]) for one in references(pod)}
    # Airflow's chart makes it.
    found -= {Reference("ConfigMap", "volwatch-airflow-config")}
    return found | set(of_operators(objects)) | (set(told_to_airflow()) if render_worker(case) else set())


def of_operators(objects: Sequence[Object]) -> Iterator[Reference]:
    """Yield what is needed by those who act on our custom resources, and by the ingress."""
    for login in kinds(objects, "TriggerAuthentication"):
        yield from (Reference("Secret", one["name"], one["key"]) for one in login["spec"]["secretTargetRef"])
    for cluster in kinds(objects, "Cluster"):
        yield from (
            Reference("Secret", cluster["spec"]["superuserSecret"]["name"], key) for key in ("username", "password")
        )
    for ingress in kinds(objects, "Ingress"):
        yield from (Reference("Secret", one["secretName"]) for one in ingress["spec"].get("tls", []))


def told_to_airflow() -> Iterator[Reference]:
    airflow = chart_file("values.yaml")["airflow"]
    yield Reference("Secret", airflow["data"]["metadataSecretName"], "connection")
    yield Reference("Secret", airflow["fernetKeySecretName"], "fernet-key")
    yield Reference("Secret", airflow["apiSecretKeySecretName"], "api-secret-key")
    yield Reference("Secret", airflow["jwtSecretName"], "jwt-secret")
    for block in load_yaml(airflow["extraEnvFrom"]):
        yield Reference("Secret", block["secretRef"]["name"])


def test_what_a_pod_needs_is_made_or_named_by_the_values(objects: Sequence[Object], case: Case) -> None:
    there = rendered(objects) | {("Secret", name): keys for name, keys in brought(case).items()}
    lacking = missing(needed(objects, case), there)
    # The names of Airflow's Secrets are fixed: that they have to be brought is told in the text.
    untold = [one for one in lacking if not (one.name.startswith("volwatch-airflow") and is_told(one))]
    assert untold == [], "neither made nor named by a value, nor told of in docs/operations.md as `name` and `key`"


def is_told(wanted: Reference) -> bool:
    return f"`{wanted.name}`" in OPERATIONS and (not wanted.key or f"`{wanted.key}`" in OPERATIONS)


@pytest.mark.parametrize("name", ["default", "kind", "minimal", "cnpg"])
def test_with_generated_secrets_nothing_has_to_be_brought(name: str) -> None:
    objects = render(CASES[name])
    assert missing(needed(objects, CASES[name]), rendered(objects)) == []


def test_with_a_grafana_there_is_its_password() -> None:
    secrets = rendered(render(CASES["kind"]))
    grafana = chart_file("values.yaml")["monitoring"]["grafana"]["admin"]
    assert secrets["Secret", grafana["existingSecret"]] == {grafana["userKey"], grafana["passwordKey"]}


def test_without_generated_secrets_there_are_none() -> None:
    assert kinds(render(CASES["external"]), "Secret") == []


def test_every_secret_that_is_made_is_kept_when_the_release_goes(objects: Sequence[Object]) -> None:
    made = [secret for secret in kinds(objects, "Secret") if "data" in secret]
    assert [secret for secret in made if secret["metadata"]["annotations"] != {"helm.sh/resource-policy": "keep"}] == []


def values_of(secret: Object) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}


def test_no_secret_stands_anywhere_else(objects: Sequence[Object]) -> None:
    secret = [
        value
        for body in kinds(objects, "Secret")
        for key, value in values_of(body).items()
        if SECRET.search(key.replace("-", "_")) and not key.lower().replace("_", "-").endswith("access-key")
    ]
    elsewhere = json.dumps([body for body in objects if body["kind"] != "Secret"])
    assert [value for value in secret if value in elsewhere] == []


def test_every_password_is_long_and_no_two_are_the_same() -> None:
    keys = {
        (body["metadata"]["name"], key): value
        for body in kinds(render(Case()), "Secret")
        for key, value in values_of(body).items()
        if re.search(r"(password|secret-key|secret|fernet-key)$", key)
    }
    assert [key for key, value in keys.items() if len(value) < 32] == []
    assert len(set(keys.values())) == len(keys)


def test_the_fernet_key_is_one() -> None:
    (airflow,) = [body for body in render(Case()) if body["kind"] == "Secret" and "fernet-key" in body.get("data", {})]
    assert len(base64.urlsafe_b64decode(values_of(airflow)["fernet-key"])) == 32


def test_no_secret_variable_is_given_in_clear(objects: Sequence[Object], case: Case) -> None:
    everybody = pods([*objects, *render_worker(case)])
    clear = [(pod.name, one) for pod in everybody for one in pod.variables if SECRET.search(one["name"])]
    assert [(name, variable) for name, variable in clear if "value" in variable] == []
    assert clear != []


def test_no_config_map_holds_a_secret(objects: Sequence[Object]) -> None:
    keys = [key for body in kinds(objects, "ConfigMap") for key in body["data"]]
    assert [key for key in keys if SECRET.search(key)] == []


def test_the_keys_of_a_description_are_read_as_people_read_them() -> None:
    assert keys_in("Secret with the key password.") == {"password"}
    assert keys_in("Secret with the key ca.crt, of somebody.") == {"ca.crt"}
    assert keys_in("Secret with the keys {a,b}-{c,d}-key.") == {"a-c-key", "a-d-key", "b-c-key", "b-d-key"}
    assert keys_in("Secret of the certificate.") == set()
