"""Any one pod may go while trades flow: the platform comes back by itself, and no row is lost or doubled."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.platform import Platform, wait_until

pytestmark = pytest.mark.timeout(1200)


COMPONENTS = ["producer", "consumer", "detector", "notifier", "kafka", "rawzone", "warehouse", "dashboard"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_deleted_pod_is_replaced_and_the_flow_goes_on(platform: Platform, component: str) -> None:
    platform.delete_pod(component)
    platform.catch_up()


def test_after_all_of_that_every_hop_has_the_same_rows(platform: Platform) -> None:
    counts = platform.settled_counts()
    assert counts.kafka > 0
    assert (counts.raw, counts.loaded, counts.difference) == (counts.kafka, counts.kafka, 0)


def test_more_consumers_share_the_partitions_and_no_row_is_doubled(platform: Platform) -> None:
    platform.scale("consumer", 3)
    platform.catch_up()
    platform.scale("consumer", 1)
    platform.catch_up()
    counts = platform.settled_counts()
    assert (counts.raw, counts.loaded, counts.difference) == (counts.kafka, counts.kafka, 0)


def test_a_run_by_hand_beside_the_scheduled_ones_does_no_harm(platform: Platform) -> None:
    before = platform.number("SELECT count(*) FROM raw_objects")
    wait_until(lambda: platform.number("SELECT count(*) FROM raw_objects") > before, "a scheduled run loads", 150)
    platform.run_now("pipeline")
    assert platform.number("SELECT count(*) - count(DISTINCT object_key) FROM raw_objects") == 0


def test_a_replay_by_hand_becomes_a_source_of_its_own(platform: Platform) -> None:
    now = datetime.now(UTC)
    first, end = ((now - timedelta(minutes=ago)).isoformat(timespec="seconds") for ago in (5, 1))
    platform.run_now("tool", "replay", "--from", first, "--to", end, "--name", "e2e")

    def loaded() -> bool:
        platform.run_now("pipeline")
        return platform.number("SELECT count(*) FROM series_standing WHERE source = 'replay-e2e'") > 0

    wait_until(loaded, "the minute path has passed the replayed trades")
    platform.run_now("tool", "quarantine", "list")
