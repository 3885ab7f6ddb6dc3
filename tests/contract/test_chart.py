"""The chart speaks the words of the code: its variables, its stages, its version; and no value without a reader."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic_settings import BaseSettings

from tests.chart.pods import Pod, pods
from tests.chart.rendering import CASES, CHART, ROOT, Case, Object, chart_file, render, render_worker
from tests.contract.test_configuration import GROUPS, PAGE, fields
from volwatch.market.scenarios import SCENARIOS
from volwatch.settings import ConsumerSettings, DetectorSettings, FinnhubSettings, KafkaSettings, load, load_one
from volwatch.warehouse.provision import ROLES

FIELDS = {name for name, _ in fields()}
PREFIXES = {str(group.model_config.get("env_prefix", "")): group for group in GROUPS}
# A row of "Which stage reads what": the stage, the groups it always reads, those that it reads at times.
ROW = re.compile(r"^\| ([a-z ]+) \| ([^|;]+)(?:;([^|]*))?\|$", re.MULTILINE)
PROGRAMS = {"service", "dashboard"}
# What a Secret holds, as far as a test may know it.
SECRET = "0123456789abcdef"
LONG_SECRETS = {"VOLWATCH_DASHBOARD_COOKIE_SECRET": 2 * SECRET}
WORKER = "volwatch-airflow-worker"

VALUES: dict[str, Any] = chart_file("values.yaml")
OTHERS = {dependency.get("alias", dependency["name"]) for dependency in chart_file("Chart.yaml")["dependencies"]}
TEMPLATES = sorted([*(CHART / "templates").rglob("*.yaml"), *(CHART / "templates").rglob("*.t*")])
# Folders that hold no stage: what `helm test` runs.
NO_STAGE = {"tests"}
# Components that are no stage: the policy of all Jobs, and the pods of `helm test`.
NO_STAGES_COMPONENT = {"jobs", "test"}
# Stages whose code is another project's.
FOREIGN = {"kafka", "airflow", "monitoring"}


# --- Variables --------------------------------------------------------------------------------------------------------


def read_always() -> dict[str, list[type[BaseSettings]]]:
    """Return the groups that docs/configuration.md tells of each command."""
    section = PAGE.read_text("utf-8").partition("## Which stage reads what")[2].partition("\n## ")[0]
    return {
        stage: [PREFIXES[f"VOLWATCH_{group}_"] for group in re.findall(r"`([A-Z_]+)`", always)]
        for stage, always, _ in ROW.findall(section)
    }


def groups_of(args: list[str]) -> list[type[BaseSettings]]:
    """Return the groups that a command reads, by its first words: `wait` names its servers."""
    if args[0] == "wait":
        return [PREFIXES[f"VOLWATCH_{server.upper()}_"] for server in args[1:]]
    told = read_always()
    found = told.get(" ".join(args[:2])) or told.get(args[0])
    assert found, f"docs/configuration.md does not tell what {args[0]} reads"
    return found


def variables(container: Object) -> dict[str, str]:
    listed = container.get("env", [])
    secrets = {one["name"]: LONG_SECRETS.get(one["name"], SECRET) for one in listed}
    return {name: one.get("value", secrets[name]) for one in listed if (name := one["name"]).startswith("VOLWATCH_")}


def of_worker(name: str) -> dict[str, str]:
    """Return the variables of a task: those of its pod, and of the ConfigMap and the Secret that it gets."""
    found: dict[str, str] = {}
    for body in render(CASES[name]):
        if body["metadata"]["name"] == WORKER and body["kind"] in ("ConfigMap", "Secret"):
            secret = body["kind"] == "Secret"
            found |= {key: SECRET if secret else value for key, value in body["data"].items()}
    for pod in pods(render_worker(CASES[name])):
        found |= variables(pod.spec["containers"][0])
    return found


def started(name: str) -> Iterator[tuple[Pod, list[str], dict[str, str]]]:
    """Yield each container of ours that runs a command: its pod, the command, its variables."""
    for pod in pods(render(CASES[name])):
        for container in pod.containers:
            if any(f"volwatch-{program}" in container["image"] for program in PROGRAMS) and "command" not in container:
                yield pod, container["args"], variables(container)


@pytest.mark.parametrize("name", CASES)
def test_every_variable_of_a_pod_is_a_setting(name: str) -> None:
    given = {variable for pod in pods(render(CASES[name])) for one in pod.containers for variable in variables(one)}
    assert (given | of_worker(name).keys()) - FIELDS == set()
    assert given != set()


@pytest.mark.parametrize("name", CASES)
def test_every_command_can_load_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for pod, args, environment in started(name):
        with monkeypatch.context() as patch:
            _set(patch, environment)
            assert load(*groups_of(args), *sometimes(environment)) != (), pod.name


def sometimes(environment: dict[str, str]) -> list[type[BaseSettings]]:
    """Return the groups that are read in some cases only, where this is one of them."""
    return [FinnhubSettings] if "VOLWATCH_FINNHUB_TOKEN" in environment else []


@pytest.mark.parametrize("name", ["default", "kind", "cpu", "open", "finnhub"])
def test_a_task_can_load_its_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = of_worker(name)
    _set(monkeypatch, environment)
    more = [FinnhubSettings] if name == "finnhub" else []
    assert load(*read_always()["pipeline"], PREFIXES["VOLWATCH_KAFKA_"], *more) != ()


def _set(patch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name in FIELDS - environment.keys():
        patch.delenv(name, raising=False)
    for name, value in environment.items():
        patch.setenv(name, value)


def test_a_number_arrives_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What helm reads from a file is a float: 20261124 would print as 2.0261124e+07.
    overlay = tmp_path / "numbers.yaml"
    overlay.write_text("{producer: {seed: 20261124, rate: 1000000}, consumer: {flushRows: 20261124}}", "utf-8")
    for pod in pods(render(Case((overlay,)))):
        if pod.owner in ("volwatch-producer", "volwatch-consumer"):
            _set(monkeypatch, variables(pod.spec["containers"][0]))
            group = PREFIXES[f"VOLWATCH_{pod.owner.removeprefix('volwatch-').upper()}_"]
            numbers = load_one(group).model_dump(include={"seed", "rate", "flush_rows"})
            assert numbers in ({"seed": 20261124, "rate": 1e6}, {"flush_rows": 20261124})


def test_topics_group_and_roles_are_those_of_the_code() -> None:
    objects = [body for name in ("default", "lag") for body in render(CASES[name])]
    topics = {body["metadata"]["name"] for body in objects if body["kind"] == "KafkaTopic"}
    kafka, group = KafkaSettings.model_fields, ConsumerSettings.model_fields["group"].default
    detectors = DetectorSettings.model_fields["group"].default
    assert topics == {kafka[name].default for name in ("topic", "quarantine_topic", "alerts_topic")}
    rights = [right["resource"] for body in objects if body["kind"] == "KafkaUser" for right in _acls(body)]
    assert {right["name"] for right in rights if right["type"] == "topic"} == topics
    assert {right["name"] for right in rights if right["type"] == "group"} == {group, detectors}
    (scaled,) = [body["spec"]["triggers"][0]["metadata"] for body in objects if body["kind"] == "ScaledObject"]
    assert (scaled["topic"], scaled["consumerGroup"]) == (kafka["topic"].default, group)
    users = {name for pod in pods(objects) for name in pod.told("VOLWATCH_WAREHOUSE_USER")}
    assert users - {VALUES["warehouse"]["external"]["adminUser"], "admin"} - set(ROLES) == set()


def _acls(user: Object) -> list[Object]:
    listed: list[Object] = user["spec"]["authorization"]["acls"]
    return listed


def test_a_choice_of_the_values_is_one_of_the_settings() -> None:
    schema = chart_file("values.schema.json")["properties"]
    assert set(schema["producer"]["properties"]["scenario"]["enum"]) == set(SCENARIOS)
    external = schema["kafka"]["properties"]["external"]["properties"]
    offered = {
        "PRODUCER_SOURCE": schema["producer"]["properties"]["source"],
        "KAFKA_SECURITY_PROTOCOL": external["securityProtocol"],
        "KAFKA_SASL_MECHANISM": external["saslMechanism"],
        "WAREHOUSE_SSLMODE": schema["warehouse"]["properties"]["external"]["properties"]["sslmode"],
    }
    taken = {name.removeprefix("VOLWATCH_"): set(get_args(field.annotation)) for name, field in fields()}
    assert [name for name, one in offered.items() if not set(one["enum"]) <= taken[name]] == []


def test_the_cronjob_and_a_task_work_alike() -> None:
    # Two ways to the same minute path: what one is told, the other is, where both use the servers of the chart.
    overlay = {"VOLWATCH_KAFKA_PASSWORD", "VOLWATCH_KAFKA_USERNAME", "VOLWATCH_KAFKA_REPLICATION"}
    overlay |= {"VOLWATCH_FINNHUB_TOKEN"}  # optional: a template of Airflow's cannot be told whether quotes are on
    (scheduled,) = [env for pod, args, env in started("minimal") if args == ["pipeline", "run"]]
    assert scheduled.keys() ^ of_worker("default").keys() <= overlay | {"VOLWATCH_KAFKA_SASL_MECHANISM"}


@pytest.mark.parametrize("name", ["default", "rules"])
def test_the_detector_computes_as_a_task_does(name: str) -> None:
    (detector,) = [environment for _, args, environment in started(name) if args == ["detector"]]
    engine = {variable for variable in FIELDS if variable.startswith("VOLWATCH_PIPELINE_")}
    told = [{key: given[key] for key in engine & given.keys()} for given in (detector, of_worker(name))]
    assert told[0] == told[1] != {}


# --- Stages and versions ----------------------------------------------------------------------------------------------


def test_a_stage_has_one_word() -> None:
    folders = {path.name for path in (CHART / "templates").iterdir() if path.is_dir()} - NO_STAGE
    packages = {path.name for path in (ROOT / "services" / "volwatch").iterdir() if (path / "__init__.py").exists()}
    packages |= {"dashboard"} if (ROOT / "dashboard" / "__init__.py").exists() else set()
    assert folders - FOREIGN - packages == set()
    assert folders - VALUES.keys() == set()
    labels = {
        body["metadata"]["labels"]["app.kubernetes.io/component"] for case in CASES.values() for body in render(case)
    }
    assert {label.partition("-")[0] for label in labels} - NO_STAGES_COMPONENT == folders


def test_an_object_lies_in_the_folder_of_its_component() -> None:
    misplaced = []
    for path in TEMPLATES:
        components = set(re.findall(r'"root" \S+ "component" "([a-z]+)', path.read_text("utf-8")))
        if path.parent.name != "templates" and not components <= {path.parent.name, path.parent.name.removesuffix("s")}:
            misplaced.append((path.relative_to(CHART).as_posix(), components))
    assert misplaced == []


def test_there_is_one_version() -> None:
    about = chart_file("Chart.yaml")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    stated = {about["version"], about["appVersion"], VALUES["airflow"]["defaultAirflowTag"]}
    assert stated == {version}


def test_charts_of_others_have_exact_versions_and_a_switch() -> None:
    for dependency in chart_file("Chart.yaml")["dependencies"]:
        name = dependency.get("alias", dependency["name"])
        assert re.fullmatch(r"\d+\.\d+\.\d+", dependency["version"])
        assert dependency["condition"] == f"{name}.enabled"
        assert isinstance(VALUES[name]["enabled"], bool)


def test_airflow_is_the_one_of_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert f"\napache-airflow=={VALUES['airflow']['airflowVersion']} " in lock


# --- Values -----------------------------------------------------------------------------------------------------------

READ = re.compile(r"(get )?\bValues\.(\w+(?:\.\w+)*)")


def expanded(text: str) -> str:
    """Return a template with its variables replaced by the values that they stand for."""
    text = re.sub(
        r"\{\{-? with \.Values \}\}(.*)",
        lambda rest: re.sub(r"(?<=[\s(])\.(?=[a-z])", "Values.", rest[1]),
        text,
        flags=re.S,
    )
    text = re.sub(r"\.?(?:\$root|\$|\.root)?\.Values\b", "Values", text)
    while (found := re.search(r"\$(\w+) := (Values(?:\.\w+)*) ?-?\}\}", text)) is not None:
        text = text[: found.start()] + "}}" + text[found.end() :]
        text = re.sub(rf"\${found[1]}\b(?! :=)", found[2], text)
    return text


def reads() -> Iterator[str]:
    """Yield every value that some template reads; for `get`, the keys that any template has in quotes."""
    # Each definition has variables of its own.
    texts = [part for path in TEMPLATES for part in re.split(r"(?=\{\{-? define )", path.read_text("utf-8"))]
    quoted = {word for text in texts for word in re.findall(r'"(\w+)"', text)}
    for text in texts:
        for got, path in READ.findall(expanded(text)):
            group = at(path)
            if got and isinstance(group, dict):
                yield from (f"{path}.{key}" for key in group if key in quoted)
            else:
                yield path


def at(path: str) -> Any:
    found: Any = VALUES
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def own_leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        if path or name not in OTHERS:
            full = f"{path}.{name}".lstrip(".")
            yield from own_leaves(value, full) if isinstance(value, dict) and value else [full]


def test_every_value_has_a_reader() -> None:
    read = set(reads())
    assert [leaf for leaf in own_leaves(VALUES) if not any(f"{leaf}.".startswith(f"{one}.") for one in read)] == []


def test_every_value_that_is_read_is_there() -> None:
    assert {path for path in reads() if at(path) is None} == set()


def test_no_template_takes_a_whole_stage() -> None:
    # Else the tests above would believe that every key of it is read.
    whole = {path for path in reads() if path in VALUES and isinstance(VALUES[path], dict)}
    assert whole - OTHERS == set()
