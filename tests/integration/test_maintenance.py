"""The daily maintenance on real servers: partitions come and go, and what a hop has lost is named."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer
from minio import Minio

from tests.integration.worlds import APPLICATION_NAME, START_MS, World, end_mark, own_world, simulated
from volwatch.local.stack import Stack
from volwatch.pipeline import maintenance
from volwatch.pipeline.command import run_maintenance, run_minute
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.reconcile import Range, Reconciliation
from volwatch.settings import KafkaSettings, PipelineSettings, RawzoneSettings, WarehouseSettings, load
from volwatch.trade import Trade, encode
from volwatch.warehouse import reconciliation
from volwatch.warehouse.connection import connect

NOW = datetime(2026, 1, 5, 17, tzinfo=UTC)
HOUR_MS = 3_600_000
SOME_PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1
"""


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    with own_world(stack) as made:
        yield made


SETTINGS = PipelineSettings(price_retention_days=365, volatility_retention_days=60)


def maintain(world: World, kafka: dict[int, Range] | None = None, now: datetime = NOW) -> maintenance.Report:
    with closing(connect(world.warehouse, application_name=APPLICATION_NAME)) as connection:
        return maintenance.run(connection, world.rawzone, SETTINGS, kafka or {}, now)


def months(world: World, table: str) -> list[str]:
    return [name.removeprefix(f"{table}_") for (name,) in world.select(SOME_PARTITIONS, table)]


def test_partitions_are_made_ahead_once(world: World) -> None:
    assert maintain(world).partitions_made == 3 * 3
    assert months(world, "stock_prices") == ["2026_01", "2026_02", "2026_03"]
    assert maintain(world).partitions_made == 0


def test_partitions_past_retention_go_and_the_rows_of_others_stay(world: World) -> None:
    trades = simulated(minutes=20)
    world.put_all([*trades, end_mark(trades[-1])])
    world.run()
    stored = world.rows("stock_prices")
    maintain(world)
    later = NOW + timedelta(days=120)
    assert (
        maintain(world, now=later).partitions_dropped == 2 * 2
    )  # January and February of two tables: all of March is not 60 days old
    assert world.rows("stock_prices") == stored
    assert months(world, "stock_volatility") == ["2026_03", "2026_05", "2026_06", "2026_07"]
    assert world.rows("stock_volatility") == []
    assert maintain(world, now=later).partitions_dropped == 0


def loaded(world: World) -> list[Trade]:
    """Load four objects of a hundred rows each and a rest."""
    trades = simulated(minutes=20)
    world.put_all(trades, rows=100)
    world.run()
    return trades


def test_nothing_differs_when_all_is_loaded(world: World) -> None:
    count = len(loaded(world))
    assert maintain(world, kafka={0: (0, count)}).reconciliations == (
        Reconciliation(NOW, 0, 0, count, count, count, 0, missing_raw=0, unloaded=0),
    )
    assert world.select("SELECT kafka_partition, kafka_end, missing_raw, unloaded FROM reconciliations") == [
        (0, count, 0, 0)
    ]


def test_what_is_stored_and_comes_with_the_next_run_is_no_difference(world: World) -> None:
    count = len(loaded(world))
    world.put(0, count, simulated(minutes=20)[:10])
    [found] = maintain(world, kafka={0: (0, count + 10)}).reconciliations
    assert (found.raw_rows, found.loaded_rows, found.difference) == (count + 10, count, 0)


def test_an_object_that_vanished_after_it_was_loaded_is_no_loss_of_rows(world: World) -> None:
    count = len(loaded(world))
    remove(world, key_at(world, 100))
    [found] = maintain(world, kafka={0: (0, count)}).reconciliations
    assert (found.raw_rows, found.loaded_rows, found.difference) == (count - 100, count, 0)


def test_an_object_that_vanished_before_it_was_loaded_is_named(world: World) -> None:
    trades = simulated(minutes=20)
    world.put_all(trades, rows=100)
    remove(world, key_at(world, 100))
    world.run()
    [found] = maintain(world, kafka={0: (0, len(trades))}).reconciliations
    assert (found.missing_raw, found.unloaded, found.difference) == (100, 0, 100)


def test_an_object_stored_behind_the_loaders_back_is_named(world: World) -> None:
    trades = simulated(minutes=20)
    world.put_all(trades, rows=100)
    lost = key_at(world, 100)
    held = world.rawzone.read(lost)
    remove(world, lost)
    world.run()
    world.rawzone.put(lost, held)
    assert world.run().rows_loaded == 0
    [found] = maintain(world, kafka={0: (0, len(trades))}).reconciliations
    assert (found.missing_raw, found.unloaded, found.difference) == (0, 100, 100)


def count(world: World, kafka_end: int, since: datetime) -> Reconciliation:
    with closing(connect(world.warehouse, application_name=APPLICATION_NAME)) as connection:
        [found] = reconciliation.count(connection, world.rawzone, {0: (0, kafka_end)}, NOW, since)
    return found


@pytest.fixture
def of_two_hours(world: World) -> World:
    """Three objects of a hundred rows under the hour of 15:00, and three under that of 16:00."""
    trades = simulated(minutes=20)[:600]
    for number in range(6):
        later = START_MS + (HOUR_MS if number >= 3 else 0)
        world.put(0, number * 100, trades[number * 100 : number * 100 + 100], kafka_time_ms=later)
    return world


SINCE = datetime(2026, 1, 5, 16, 20, tzinfo=UTC)
FOUR_PM = SINCE.replace(minute=0)


def test_a_count_from_an_hour_on_counts_that_hours_objects(of_two_hours: World) -> None:
    of_two_hours.run()
    assert count(of_two_hours, 600, SINCE) == Reconciliation(NOW, 0, 0, 600, 300, 300, 0, 0, 0, FOUR_PM)
    assert count(of_two_hours, 600, FOUR_PM - timedelta(hours=1)).raw_rows == 600
    assert count(of_two_hours, 600, FOUR_PM + timedelta(hours=1)).raw_rows == 0


def test_a_count_from_an_hour_on_lists_no_object_of_before(of_two_hours: World) -> None:
    world = of_two_hours
    world.run()
    listed: list[ObjectKey] = []

    class Listed(Rawzone):
        def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
            for info in world.rawzone.list_all(start_after):
                listed.append(info.key)
                yield info

    with closing(connect(world.warehouse, application_name=APPLICATION_NAME)) as connection:
        reconciliation.count(connection, Listed.connect(world.rawzone_settings), {}, NOW, SINCE)
    assert [(key.hour, key.first_offset) for key in listed] == [(FOUR_PM, offset) for offset in (300, 400, 500)]


def test_what_is_amiss_within_the_hours_is_found_and_what_was_before_is_not(of_two_hours: World) -> None:
    world = of_two_hours
    for lost in (100, 300):  # one of the hour before, and the first of the hour
        remove(world, key_at(world, lost))
    world.rawzone.put(key_at(world, 400), b"no gzip")
    world.run()
    found = count(world, 600, SINCE)
    assert (found.missing_raw, found.unloaded, found.difference) == (100, 100, 200)
    assert (found.raw_rows, found.loaded_rows) == (200, 100)
    [whole] = maintain(world, kafka={0: (0, 600)}).reconciliations
    assert (whole.missing_raw, whole.unloaded) == (200, 100)


def test_an_object_of_the_hour_before_that_reaches_into_it_is_no_loss(world: World) -> None:
    """A consumer stores what it held when the hour ended; another begins again where the first last committed."""
    trades = simulated(minutes=20)[:300]
    world.put(0, 0, trades[:200], kafka_time_ms=START_MS)
    world.put(0, 150, trades[150:180], kafka_time_ms=START_MS + HOUR_MS)
    world.put(0, 200, trades[200:], kafka_time_ms=START_MS + HOUR_MS)
    world.run()
    assert count(world, 300, SINCE) == Reconciliation(NOW, 0, 0, 300, 100, 100, 0, 0, 0, FOUR_PM)


def key_at(world: World, offset: int) -> ObjectKey:
    return next(info.key for info in world.rawzone.list_all() if info.key.first_offset == offset)


def remove(world: World, key: ObjectKey) -> None:
    """Delete an object, as nothing of the platform ever does."""
    settings = world.rawzone_settings
    client = Minio(
        settings.endpoint,
        access_key=settings.access_key.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.secure,
    )
    client.remove_object(settings.bucket, str(key))


def test_the_command_counts_what_kafka_has(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    kafka, rawzone, warehouse = load(KafkaSettings, RawzoneSettings, WarehouseSettings)
    trades = simulated(minutes=1)
    producer = Producer({**kafka.client_config()})
    for trade in trades:
        producer.produce(kafka.topic, encode(trade), partition=3)
    assert producer.flush(30) == 0
    World(rawzone, warehouse).put_all(trades, partition=3)
    run_minute()
    found = {row.partition: row for row in run_maintenance().reconciliations}
    assert sorted(found) == list(range(kafka.partitions))
    told = found[3]
    count = len(trades)
    assert (told.kafka_first, told.kafka_end, told.raw_rows, told.loaded_rows) == (0, count, count, count)
    assert {row.difference for row in found.values()} == {0}


def test_an_object_that_cannot_be_read_is_named(world: World) -> None:
    trades = simulated(minutes=20)
    world.put_all(trades, rows=100)
    broken = key_at(world, 100)
    world.rawzone.put(broken, b"no gzip")
    world.run()
    [found] = maintain(world, kafka={0: (0, len(trades))}).reconciliations
    assert (found.missing_raw, found.unloaded, found.difference) == (0, 100, 100)
