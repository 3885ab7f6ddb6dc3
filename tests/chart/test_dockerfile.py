"""The Dockerfile makes the four images that the chart runs, from pinned parts, for users that are not root."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from volwatch import __version__
from volwatch.local.fetch import MINIO_MODULE, MINIO_VERSION

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
USERS = {"service": "10001:10001", "dashboard": "10001:10001", "airflow": "50000:0", "minio": "1000:1000"}
LABEL = re.compile(r'org\.opencontainers\.image\.(\w+)=("[^"]*"|\S+)')
TOLD = {"title", "description", "source", "version", "revision", "licenses"}


@dataclass(frozen=True)
class Stage:
    """A stage: what it starts from, and its instructions, each a keyword and the rest in one line."""

    base: str
    instructions: list[tuple[str, str]]


def lines() -> Iterator[str]:
    """Yield the instructions, each in one line."""
    kept = "\n".join(line for line in TEXT.splitlines() if line.strip() and not line.strip().startswith("#"))
    yield from (re.sub(r"\s+", " ", line) for line in re.sub(r"\\\n", " ", kept).splitlines())


def stages() -> dict[str, Stage]:
    found: dict[str, Stage] = {}
    for line in lines():
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            base, name = rest.split(" AS ")
            found[name] = Stage(base, [])
        elif found:
            list(found.values())[-1].instructions.append((keyword, rest))
    return found


STAGES = stages()
BASES = {stage.base for stage in STAGES.values()} - set(STAGES) - {"scratch"}
USED = {stage.base for stage in STAGES.values()} | set(re.findall(r"\bfrom=([\w-]+)", TEXT))
TARGETS = [name for name in STAGES if name not in USED]


def inherited(name: str, keyword: str) -> list[str]:
    """Return what a stage and those that it starts from say with a keyword, the oldest first."""
    stage = STAGES[name]
    before = inherited(stage.base, keyword) if stage.base in STAGES else []
    return before + [rest for word, rest in stage.instructions if word == keyword]


def defaults(name: str) -> dict[str, str]:
    """Return the build arguments that a stage sees."""
    whole = dict(re.findall(r"^ARG (\w+)=(\S+)$", TEXT.partition("\nFROM ")[0], re.MULTILINE))
    return whole | dict(word.split("=", 1) for rest in inherited(name, "ARG") for word in rest.split() if "=" in word)


def labels(name: str) -> dict[str, str]:
    values = defaults(name)
    told = {key: value.strip('"') for rest in inherited(name, "LABEL") for key, value in LABEL.findall(rest)}
    return {key: values[value[1:]] if value.startswith("$") else value for key, value in told.items()}


def test_the_targets_are_the_four_images() -> None:
    assert set(TARGETS) == set(USERS)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_its_numbered_user(target: str) -> None:
    assert inherited(target, "USER")[-1] == USERS[target]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_tells_what_it_is(target: str) -> None:
    told = labels(target)
    assert set(told) == TOLD
    assert told["title"] == f"volwatch-{target}"


@pytest.mark.parametrize("target", ["service", "dashboard", "airflow"])
def test_an_image_of_ours_has_our_version_license_and_home(target: str) -> None:
    home = re.search(r"^home: (\S+)$", (ROOT / "charts/volwatch/Chart.yaml").read_text("utf-8"), re.MULTILINE)
    assert home is not None
    told = labels(target)
    assert (told["version"], told["licenses"], told["source"]) == (__version__, PROJECT["license"], home[1])
    assert PROJECT["version"] == __version__


def test_minio_is_the_version_of_the_local_stack_and_says_whose_it_is() -> None:
    assert defaults("minio-build")["MINIO_VERSION"] == MINIO_VERSION
    assert MINIO_MODULE.replace(MINIO_VERSION, "$MINIO_VERSION") in " ".join(inherited("minio-build", "RUN"))
    told = labels("minio")
    assert (told["version"], told["licenses"]) == (MINIO_VERSION, "AGPL-3.0-only")
    assert told["source"].removeprefix("https://") == MINIO_MODULE.partition("@")[0]
    assert told["revision"] == MINIO_VERSION.rpartition("-")[2]


def test_airflow_is_the_version_that_is_tested_here() -> None:
    (version,) = (need for need in PROJECT["optional-dependencies"]["airflow"] if need.startswith("apache-airflow=="))
    python = re.search(r"^python:([\d.]+)-", STAGES["runtime"].base)
    assert python is not None
    assert STAGES["airflow"].base == f"apache/airflow:{version.partition('==')[2]}-python{python[1]}"


def test_a_base_is_named_literally_with_a_tag_that_stays() -> None:
    assert {base for base in BASES if not re.fullmatch(r"[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", base)} == set()
    assert {base for base in BASES if ":latest" in base} == set()


def test_nothing_is_fetched_but_by_a_tool_that_checks_it() -> None:
    runs = [rest for stage in STAGES.values() for keyword, rest in stage.instructions if keyword == "RUN"]
    commands = [command for run in runs for command in run.split("&&")]
    fetching = [command for command in commands if re.search(r"\b(pip install|uv build)\b", command)]
    unchecked = [command for command in fetching if "--require-hashes" not in command]
    assert len(fetching) == len(unchecked) + 5
    assert {command.partition("--no-deps ")[2].strip() for command in unchecked} == {"/wheel/*.whl"}
    assert re.search(r"^ADD |\b(curl|wget|apt-get|git clone)\b", TEXT, re.MULTILINE) is None
    assert set(re.findall(r"https?://[^/\s]+", TEXT)) == {"https://github.com"}


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        source
        for stage in STAGES.values()
        for keyword, rest in stage.instructions
        if keyword == "COPY" and "--from=" not in rest
        for source in re.sub(r"--\S+ ", "", rest).split()[:-1]
    }
    mounted = set(re.findall(r"--mount=type=bind,source=([^,]+)", TEXT))
    assert {"docker" if source.startswith("docker/") else source for source in copied | mounted} == allowed
    assert {source for source in copied | mounted if not (ROOT / source).exists()} == set()
