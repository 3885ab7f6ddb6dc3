"""The life of a release: upgraded and rolled back under load, removed and installed again, restored from a dump."""

import pytest

from tests.e2e.platform import RELEASE, Images, Platform, wait_until

pytestmark = pytest.mark.timeout(1800)

STAGES = ("producer", "consumer", "detector", "notifier", "dashboard", "rawzone", "warehouse")
DUMP = "/var/run/postgresql/volwatch.dump"
KEPT = ["volwatch-dashboard", "volwatch-rawzone", "volwatch-warehouse"]


def _tags(platform: Platform) -> set[str]:
    stages = [stage for stage in STAGES if stage != "warehouse"]
    pods = [pod for stage in stages for pod in platform.component(stage)]
    return {container.image.rpartition(":")[2] for pod in pods for container in pod.spec.containers}


def test_an_upgrade_and_a_rollback_under_load_lose_and_double_no_row(platform: Platform, images: Images) -> None:
    platform.upgrade(tag=images.next_tag)
    wait_until(lambda: _tags(platform) == {images.next_tag}, "every pod has the new image")
    platform.catch_up()
    counts = platform.settled_counts()
    assert (counts.raw, counts.loaded, counts.difference) == (counts.kafka, counts.kafka, 0)
    platform.helm("rollback", RELEASE, "--wait", "--timeout", "10m")
    wait_until(lambda: _tags(platform) == {images.tag}, "every pod has the old image again")
    platform.catch_up()
    counts = platform.settled_counts()
    assert (counts.raw, counts.loaded, counts.difference) == (counts.kafka, counts.kafka, 0)


def test_an_upgrade_that_changes_nothing_starts_nothing(platform: Platform) -> None:
    before = _pods(platform)
    platform.upgrade()
    assert _pods(platform) == before


def _pods(platform: Platform) -> dict[str, list[str]]:
    return {stage: [pod.metadata.name for pod in platform.component(stage)] for stage in STAGES}


def test_what_was_removed_finds_its_data_and_passwords_again(platform: Platform) -> None:
    platform.run_now("pipeline")
    passwords = {name: platform.secret(name) for name in KEPT}
    rows, volumes, position = (
        platform.query("SELECT alert_id FROM stock_alerts"),
        platform.claims(),
        platform.position(),
    )
    platform.helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    assert platform.secrets() == KEPT
    platform.install()
    assert {name: platform.secret(name) for name in KEPT} == passwords
    assert platform.claims() == volumes
    assert {tuple(row) for row in rows} <= {tuple(row) for row in platform.query("SELECT alert_id FROM stock_alerts")}
    platform.catch_up()
    assert platform.position() > position


def test_a_restored_dump_is_caught_up_from_the_raw_zone(platform: Platform) -> None:
    server = ["-h", "/var/run/postgresql", "-U", "postgres"]
    drop = ["psql", *server, "-q", "-c", "DROP DATABASE volwatch WITH (FORCE)"]
    restore = ["pg_restore", *server, "--create", "-d", "postgres", DUMP]
    platform.execute("volwatch-warehouse-0", ["pg_dump", *server, "-Fc", "-f", DUMP, "volwatch"])
    platform.catch_up()
    before = platform.position()
    with platform.minute_path_stopped(), platform.scaled_down("detector", "notifier"):
        assert [platform.execute("volwatch-warehouse-0", command) for command in (drop, restore)] == ["", ""]
    assert platform.position() < before
    counts = platform.settled_counts()
    assert (counts.raw, counts.loaded, counts.difference) == (counts.kafka, counts.kafka, 0)
