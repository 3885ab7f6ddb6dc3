"""One release of the chart on the cluster of the current kube context, and what can be asked of it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, utils
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from tests.chart.programs import program
from tests.e2e.report import is_ready, report

HERE = Path(__file__).parent
KAFKA = HERE / "kafka.yaml"
VALUES = HERE / "values.yaml"
RELEASE = "volwatch"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class Images:
    """The images under test: a tag, and another tag to upgrade to."""

    registry: str
    tag: str
    next_tag: str


@dataclass(frozen=True)
class Counts:
    """Rows of all partitions, hop by hop."""

    kafka: int
    raw: int
    loaded: int
    difference: int


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 300) -> float:
    """Return after how many seconds the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)  # a cluster has no event for what is asked here
    return time.monotonic() - began


class Platform:
    """A namespace, in which Pod Security `restricted` is enforced, with a Kafka and a release of the chart."""

    def __init__(self, namespace: str, chart: Path, images: Images, host: str) -> None:
        self.namespace = namespace
        self.host = host
        self._chart = chart
        self._images = images
        self.image = f"{images.registry}/volwatch-service:{images.tag}".lstrip("/")
        # The client says of each field that it may be missing: what the cluster has given back is whole.
        self.core: Any = client.CoreV1Api()
        self._apps: Any = client.AppsV1Api()
        self._batch: Any = client.BatchV1Api()

    # --- life ---

    def prepare(self) -> None:
        """Make the namespace and its Kafka."""
        metadata = client.V1ObjectMeta(name=self.namespace, labels=RESTRICTED)
        self.core.create_namespace(client.V1Namespace(metadata=metadata))
        for manifest in yaml.safe_load_all(KAFKA.read_text("utf-8")):
            utils.create_from_dict(client.ApiClient(), manifest, namespace=self.namespace)  # type: ignore[no-untyped-call]

    def helm(self, *command: str) -> str:
        """Run helm on the release; return what it printed."""
        done = subprocess.run(
            [program("helm"), *command, "--namespace", self.namespace], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"helm {' '.join(command)}\n{done.stdout}\n{done.stderr}\n{self.report()}"
        return done.stdout

    def install(self, *settings: str) -> float:
        """Run ``helm install --wait``; return how many seconds it took."""
        began = time.monotonic()
        self.helm("install", RELEASE, str(self._chart), *self._values(self._images.tag, settings))
        return time.monotonic() - began

    def upgrade(self, *settings: str, tag: str | None = None) -> None:
        """Run ``helm upgrade --wait``."""
        self.helm("upgrade", RELEASE, str(self._chart), *self._values(tag or self._images.tag, settings))

    def _values(self, tag: str, settings: tuple[str, ...]) -> list[str]:
        own = [f"image.registry={self._images.registry}", f"image.tag={tag}", f"ingress.host={self.host}", *settings]
        sets = [word for setting in own for word in ("--set-string" if "tag=" in setting else "--set", setting)]
        return ["--values", str(VALUES), *sets, "--wait", "--timeout", "10m"]

    def remove(self) -> None:
        """Delete the namespace with everything in it."""
        try:
            self.core.delete_namespace(self.namespace)
        except ApiException as error:
            if error.status != 404:
                raise

    def wait_until_gone(self) -> None:
        """Return when there is no such namespace."""

        def gone() -> bool:
            try:
                self.core.read_namespace(self.namespace)
            except ApiException as error:
                return bool(error.status == 404)
            return False

        wait_until(gone, f"the namespace {self.namespace} is gone")

    # --- questions ---

    def query(self, statement: str) -> list[list[str]]:
        """Return the rows of a statement, asked on the warehouse's own pod."""
        where = ["-h", "/var/run/postgresql", "-U", "postgres", "-d", "volwatch"]
        how = ["-v", "ON_ERROR_STOP=1", "-At", "-F", "\t", "-c"]
        told = self.execute("volwatch-warehouse-0", ["psql", *where, *how, statement])
        return [line.split("\t") for line in told.splitlines() if line]

    def number(self, statement: str) -> int:
        """Return the one number of a statement; 0 where it has none."""
        rows = self.query(statement)
        return int(rows[0][0] or 0) if rows else 0

    def execute(self, pod: str, command: list[str], container: str | None = None) -> str:
        """Run a command in a pod; return what it printed, both streams."""
        more = {} if container is None else {"container": container}
        return str(
            stream(
                self.core.connect_get_namespaced_pod_exec,
                pod,
                self.namespace,
                command=command,
                stderr=True,
                stdin=False,
                stdout=True,
                tty=False,
                **more,
            )
        )

    def pods(self, selector: str = "app.kubernetes.io/part-of=volwatch") -> list[Any]:
        """Return the pods that a label selector finds."""
        return list(self.core.list_namespaced_pod(self.namespace, label_selector=selector).items)

    def component(self, name: str) -> list[Any]:
        """Return the pods of one component that are not on their way out."""
        found = self.pods(f"app.kubernetes.io/component={name}" if name != "kafka" else "app=kafka")
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def secret(self, name: str) -> dict[str, str]:
        """Return a Secret's data, as it is stored."""
        return dict(self.core.read_namespaced_secret(name, self.namespace).data)

    def secrets(self) -> list[str]:
        """Return the names of the Secrets that hold passwords."""
        found = self.core.list_namespaced_secret(self.namespace, label_selector="app.kubernetes.io/part-of=volwatch")
        return sorted(secret.metadata.name for secret in found.items)

    def claims(self) -> dict[str, str]:
        """Return the volume of each claim."""
        found = self.core.list_namespaced_persistent_volume_claim(self.namespace).items
        return {claim.metadata.name: claim.spec.volume_name for claim in found}

    def log(self, pod: Any) -> str:
        """Return all that a pod's own container has written."""
        return str(self.core.read_namespaced_pod_log(pod.metadata.name, self.namespace))

    def refused(self) -> list[str]:
        """Return what the cluster said of pods that it did not admit."""
        events = self.core.list_namespaced_event(self.namespace, field_selector="reason=FailedCreate").items
        return [str(event.message) for event in events]

    # --- acts ---

    def delete_pod(self, component: str) -> None:
        """Delete one pod of a component; return when there are as many again, and ready."""
        before = self.component(component)
        self.core.delete_namespaced_pod(before[0].metadata.name, self.namespace)

        def replaced() -> bool:
            ready = [pod.metadata.uid for pod in self.component(component) if is_ready(pod)]
            return len(ready) == len(before) and before[0].metadata.uid not in ready

        wait_until(replaced, f"another pod of {component} is ready")

    def scale(self, deployment: str, replicas: int) -> None:
        """Give a Deployment so many pods; return when it has them, and no other."""
        body = {"spec": {"replicas": replicas}}
        self._apps.patch_namespaced_deployment_scale(f"{RELEASE}-{deployment}", self.namespace, body)
        selector = f"app.kubernetes.io/component={deployment}"
        wait_until(
            lambda: [is_ready(pod) for pod in self.pods(selector)] == [True] * replicas,
            f"{deployment} has {replicas} pods",
        )

    def run_now(self, cronjob: str, *command: str) -> None:
        """Run a CronJob's job once, at once, or another command in its place; return when it has succeeded."""
        template = self._batch.read_namespaced_cron_job(f"{RELEASE}-{cronjob}", self.namespace).spec.job_template
        if command:
            template.spec.template.spec.containers[0].args = list(command)
        metadata = client.V1ObjectMeta(generate_name=f"{cronjob}-now-", labels=template.metadata.labels)
        job = self._batch.create_namespaced_job(self.namespace, client.V1Job(metadata=metadata, spec=template.spec))
        name = job.metadata.name

        def succeeded() -> bool:
            status = self._batch.read_namespaced_job(name, self.namespace).status
            assert not status.failed, f"{name} failed\n{self.report()}"
            return bool(status.succeeded)

        wait_until(succeeded, f"{name} succeeds")
        self._batch.delete_namespaced_job(name, self.namespace, propagation_policy="Background")

    @contextmanager
    def minute_path_stopped(self) -> Iterator[None]:
        """Let no scheduled run of the minute path begin, and none be under way."""
        name = f"{RELEASE}-pipeline"
        self._batch.patch_namespaced_cron_job(name, self.namespace, {"spec": {"suspend": True}})
        wait_until(
            lambda: not self._batch.read_namespaced_cron_job(name, self.namespace).status.active, "no run is under way"
        )
        try:
            yield
        finally:
            self._batch.patch_namespaced_cron_job(name, self.namespace, {"spec": {"suspend": False}})

    @contextmanager
    def scaled_down(self, *deployments: str) -> Iterator[None]:
        """Let these Deployments have no pod for a while, then one."""
        for deployment in deployments:
            self.scale(deployment, 0)
        try:
            yield
        finally:
            for deployment in deployments:
                self.scale(deployment, 1)

    def position(self) -> int:
        """Return how many records the minute path has passed, all partitions together."""
        return self.number("SELECT sum(next_offset) FROM load_positions")

    def catch_up(self) -> None:
        """Return when the minute path has passed records that were not there when this was called."""
        before = self.position()

        def passed() -> bool:
            self.run_now("pipeline")
            return self.position() > before

        wait_until(passed, "the minute path goes on")

    def settled_counts(self) -> Counts:
        """Stop the producers, let every hop come to its end, count, and start them again."""
        producers = len(self.component("producer"))
        self.scale("producer", 0)
        counts = self._counts()
        limit = time.monotonic() + 300
        while counts.kafka != counts.loaded and time.monotonic() < limit:
            self.run_now("pipeline")
            counts = self._counts()
        self.scale("producer", producers)
        return counts

    def _counts(self) -> Counts:
        self.run_now("maintenance")
        (row,) = self.query(
            "SELECT sum(kafka_end - kafka_first), sum(raw_rows), sum(loaded_rows), sum(missing_raw + unloaded) "
            "FROM reconciliations WHERE checked_at = (SELECT max(checked_at) FROM reconciliations)"
        )
        return Counts(*(int(number) for number in row))

    def report(self) -> str:
        """Return what somebody who looks into a failure wants to see."""
        return report(self.core, self.namespace)
