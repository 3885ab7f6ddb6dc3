"""What the loader makes of a raw zone that is not as it should be, or larger than one look."""

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO

import pytest
from structlog.testing import capture_logs

from tests.integration.worlds import START_MS, World, end_mark, own_world, print_of, simulated
from volwatch.local.stack import Stack
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone, s3_client
from volwatch.trade import Trade
from volwatch.warehouse import reconciliation
from volwatch.warehouse.connection import connect

HOUR_MS = 3_600_000


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    with own_world(stack) as made:
        yield made


@pytest.fixture(scope="module")
def rows() -> Sequence[Trade]:
    trades = simulated(minutes=60)
    return [*trades, end_mark(trades[-1])]


def positions(world: World) -> list[tuple[int, int, int]]:
    return world.select("SELECT kafka_partition, next_offset, gaps FROM load_positions ORDER BY 1")


def loaded(world: World) -> int:
    [(rows,)] = world.select("SELECT sum(rows_loaded)::int FROM raw_objects")
    return int(rows)


def bad_bytes(rows: Sequence[Trade], first: int) -> dict[str, bytes]:
    """Return by its reason what a store may give in place of an object."""
    numbered = list(enumerate(rows, first))
    good = encode_object(0, numbered)
    return {
        "BAD_GZIP": good[: len(good) // 2],
        "BAD_HEADER": gzip.compress(gzip.decompress(good).replace(b"offset", b"number", 1)),
        "BAD_ROWS": gzip.compress(gzip.decompress(good)[:-10] + b"\n"),
        "OFFSETS_NOT_ASCENDING": encode_object(0, [numbered[1], numbered[0], *numbered[2:]]),
        "NOT_ITS_KEY": encode_object(1, numbered),
    }


def test_objects_that_cannot_be_taken_are_named_with_their_reasons_and_the_rest_goes_on(
    world: World, rows: Sequence[Trade]
) -> None:
    broken: dict[str, str] = {}
    reasons = list(bad_bytes(rows[:3], 0))
    for place, first in enumerate(range(0, 11 * 20, 20)):
        key = world.put(0, first, rows[first : first + 20])
        if place % 2:
            reason = reasons[place // 2]
            broken[str(key)] = reason
            world.rawzone.put(key, bad_bytes(rows[first : first + 20], first)[reason])
    client, bucket = s3_client(world.rawzone_settings), world.rawzone_settings.bucket
    client.put_object(bucket, str(key).replace(".csv.gz", ".parquet"), BytesIO(b"not ours"), 8)
    with capture_logs() as logs:
        report = world.run()
    assert (report.objects, report.rows_loaded, report.left) == (11, 6 * 20, 0)
    assert dict(world.select("SELECT object_key, fault FROM raw_objects WHERE fault IS NOT NULL")) == broken
    assert positions(world) == [(0, 220, 0)]
    assert "foreign_object_skipped" in {line["event"] for line in logs}
    assert unloaded(world) == {0: 5 * 20}


def unloaded(world: World) -> dict[int, int]:
    """Return by partition the offsets that reconcile finds in objects and not in the warehouse."""
    connection = connect(world.warehouse, application_name="volwatch-test")
    try:
        counted = reconciliation.count(connection, world.rawzone, {}, datetime.now(UTC))
    finally:
        connection.close()
    return {one.partition: one.unloaded for one in counted}


def test_an_object_repaired_in_place_is_left_to_a_rebuild_and_reconcile_still_names_it(
    world: World, rows: Sequence[Trade]
) -> None:
    key = world.put(0, 0, rows[:50])
    world.rawzone.put(key, b"no gzip")
    world.put(0, 50, rows[50:100])
    world.run()
    world.put(0, 0, rows[:50])
    assert world.run().objects == 0
    assert (loaded(world), unloaded(world)) == (50, {0: 50})


def test_an_object_of_an_earlier_hour_is_found_though_nothing_comes_after_it(
    world: World, rows: Sequence[Trade]
) -> None:
    """A second consumer takes over where the first one had committed, long before the end of what that one stored."""
    world.put(0, 0, rows[:100], START_MS)
    world.put(1, 0, rows[:10], START_MS + HOUR_MS)
    world.put(0, 100, rows[100:200], START_MS + HOUR_MS)
    world.run()
    world.put(0, 60, rows[60:300], START_MS)
    assert world.run().rows_loaded == 100
    assert positions(world) == [(0, 300, 0), (1, 10, 0)]


def test_a_consumer_that_was_stuck_for_a_day_is_found_by_a_run_that_has_nothing_else_to_do(
    world: World, rows: Sequence[Trade]
) -> None:
    world.put(0, 0, rows[:100], START_MS)
    world.put(1, 0, rows[:100], START_MS + 24 * HOUR_MS)
    world.run()
    world.put(0, 100, rows[100:200], START_MS)
    assert world.run().rows_loaded == 100
    assert positions(world) == [(0, 200, 0), (1, 100, 0)]


@pytest.mark.parametrize("seed", range(3))
def test_ranges_that_overlap_contain_each_other_and_lie_under_any_hour_count_once(
    world: World, rows: Sequence[Trade], seed: int
) -> None:
    """Two consumers, each of which takes over now and then where the other one had committed some time ago."""
    choice = random.Random(seed)
    reached = 0
    while reached < len(rows):
        first = choice.choice([reached, reached, choice.randint(0, reached)])
        last = min(len(rows), first + choice.randint(1, 400))
        # The hour is that of the first record; a day has been cut into so many offsets.
        world.put(0, first, rows[first:last], START_MS + first * HOUR_MS // 200)
        reached = max(reached, last)
        if choice.random() < 0.4:
            world.run(rows_per_transaction=choice.randint(1, 600))
    world.run()
    assert positions(world) == [(0, len(rows), 0)]
    assert loaded(world) == len(rows)
    assert world.select("SELECT sum(trades)::int FROM stock_prices WHERE bar_seconds = 60 AND final") == [
        (len(rows) - 1,)
    ]


class CountingListing(Rawzone):
    """A store that counts what its listings show."""

    def __init__(self, rawzone: Rawzone) -> None:
        self._rawzone = rawzone
        self.shown = 0

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        for info in self._rawzone.list_all(start_after):
            self.shown += 1
            yield info

    def read(self, key: ObjectKey) -> bytes:
        return self._rawzone.read(key)


def test_more_objects_in_an_hour_than_a_page_are_all_loaded_and_not_listed_again_later(
    world: World, rows: Sequence[Trade]
) -> None:
    """A page of S3 holds a thousand names."""
    for first in range(1500):
        world.put(0, first, rows[first : first + 1], START_MS)
    report = world.run()
    assert (report.objects, report.rows_loaded, report.left) == (1500, 1500, 0)
    world.put(0, 1500, rows[1500:], START_MS + 2 * HOUR_MS)
    assert world.run().objects == 1
    after = CountingListing(world.rawzone)
    assert world.run(after).objects == 0
    assert (positions(world), after.shown) == ([(0, len(rows), 0)], 1)


def test_of_two_processes_at_once_each_row_counts_once(stack: Stack, world: World, rows: Sequence[Trade]) -> None:
    world.put_all(rows, rows=25)
    with (
        world.process(rows_per_transaction="50") as first,
        world.process(rows_per_transaction="50") as second,
    ):
        told = [run_told(process.communicate(timeout=120)[0]) for process in (first, second)]
        assert (first.returncode, second.returncode) == (0, 0)
    world.run()
    assert sum(run["rows_loaded"] for run in told) <= len(rows) == loaded(world)
    with own_world(stack) as alone:
        alone.put_all(rows, rows=25)
        alone.run()
        assert world.outcome() == alone.outcome()


def run_told(output: str) -> dict[str, int]:
    """Return what a process said of its run."""
    lines = [json.loads(line) for line in output.splitlines()]
    [told] = [line for line in lines if line["event"] == "pipeline_run"]
    return dict(told)


def test_a_series_that_moves_to_another_partition_keeps_the_bars_that_were_final_first(
    world: World, rows: Sequence[Trade]
) -> None:
    """Where a topic is given more partitions, two engines make the bar of the minute in which it was."""
    half = len(rows) // 2
    world.put(0, 0, [*rows[:half], end_mark(rows[half])])
    moved = [print_of(trade, price=trade.price + 1.0) for trade in rows[half:]]
    world.put(1, 0, [print_of(rows[half - 1]), *moved])
    report = world.run()
    keys = "source, symbol, bar_seconds, bar_start"
    [(bars, distinct)] = world.select(f"SELECT count(*)::int, count(DISTINCT ({keys}))::int FROM stock_prices")
    assert bars == distinct
    assert report.bars >= bars
    assert world.select(
        "SELECT kafka_partition, bool_and(final) FROM stock_prices WHERE bar_seconds = 60 GROUP BY 1 ORDER BY 1"
    ) == [(0, True), (1, True)]
    boundary = datetime.fromtimestamp(rows[half - 1].event_time // 60_000 * 60, UTC)
    assert world.select(
        "SELECT kafka_partition FROM stock_prices WHERE bar_seconds = 60 AND bar_start = %s", boundary
    ) == [(0,)]
