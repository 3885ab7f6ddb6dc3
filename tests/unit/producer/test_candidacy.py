import re
from pathlib import Path

import pytest

from volwatch.errors import Misconfigured
from volwatch.metrics import REGISTRY
from volwatch.producer.candidacy import default_file, turn
from volwatch.producer.leadership import Leadership, Unopposed
from volwatch.runtime import Health, Stop
from volwatch.settings import KafkaSettings, LeaseSettings

KAFKA = KafkaSettings(bootstrap="localhost:9092")


def lease_settings(**fields: object) -> LeaseSettings:
    return LeaseSettings(**fields)  # type: ignore[arg-type]


def test_a_replay_stands_in_nobodys_way(tmp_path: Path) -> None:
    assert isinstance(turn("replay", lease_settings(kind="kubernetes"), KAFKA, tmp_path), Unopposed)


def test_who_is_told_that_it_is_the_only_one_leads() -> None:
    assert isinstance(turn("simulator", lease_settings(kind="none"), KAFKA), Unopposed)
    assert REGISTRY.get_sample_value("volwatch_producer_leader") == 1


@pytest.mark.parametrize("source", ["simulator", "finnhub"])
def test_outside_a_cluster_a_file_is_locked_under_the_name_of_the_process(tmp_path: Path, source: str) -> None:
    file = tmp_path / "lock"
    ours = turn(source, lease_settings(file=file), KAFKA, account=tmp_path)
    assert isinstance(ours, Leadership)
    assert ours.wait(Stop(), Health())
    assert re.fullmatch(r"[^_]+-\d+_[0-9a-f]{8}", file.read_text())
    ours.give_back()


class Impatient(Stop):
    """A wish to stop that comes true at the first wait."""

    def wait(self, seconds: float) -> bool:
        self.request()
        return True


def test_two_processes_of_one_name_are_two(tmp_path: Path) -> None:
    settings = lease_settings(file=tmp_path / "lock", identity="twin")
    waits = [turn("simulator", settings, KAFKA, tmp_path).wait(Impatient(), Health()) for _ in range(2)]
    assert waits == [True, False]


def test_each_topic_of_each_kafka_has_a_file_of_its_own_always_the_same() -> None:
    others = [KafkaSettings(bootstrap="localhost:9093"), KafkaSettings(bootstrap="localhost:9092", topic="other")]
    files = {default_file(lease_settings(), kafka) for kafka in [KAFKA, *others]}
    assert len(files) == 3
    assert default_file(lease_settings(), KAFKA) in files
    assert {re.sub(r"[0-9a-f]{16}", "", file.name) for file in files} == {"volwatch-producer-.lock"}


def test_in_a_pod_with_a_token_it_is_the_clusters_lease_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("t")
    with pytest.raises(Misconfigured, match="VOLWATCH_LEASE_NAMESPACE is not set"):
        turn("simulator", lease_settings(), KAFKA, account=tmp_path)
    (tmp_path / "namespace").write_text("here\n")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Misconfigured, match="VOLWATCH_LEASE_KIND: kubernetes, but"):
        turn("simulator", lease_settings(), KAFKA, account=tmp_path)
