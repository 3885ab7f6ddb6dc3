"""Each raw row counts once, however the objects come and whatever happens to the runs."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from tests.integration.worlds import START_MS, MakeWorld, World, end_mark, own_world, print_of, simulated
from volwatch.local.stack import Stack
from volwatch.pipeline.minute import Report
from volwatch.rawzone.keys import ObjectKey
from volwatch.rawzone.store import ObjectInfo, Rawzone
from volwatch.trade import Trade

Outcome = dict[str, list[str]]


def market() -> dict[int, list[Trade]]:
    """Return by partition a market with a spike, and trades that are late, rejected or nearly too late."""
    partitions: dict[int, list[Trade]] = {0: [], 1: []}
    for number, trade in enumerate(simulated(minutes=110, symbols=4, rate=0.8, spike_minute=85)):
        rows = partitions[trade.symbol in ("SIM03", "SIM04")]
        rows.append(trade)
        if number % 97 == 0:
            rows.append(print_of(trade, price=-1.0))
        if number % 61 == 0:
            rows.append(print_of(trade, event_time=trade.received_at - number % 7 * 30_000))
    return {partition: [*rows, end_mark(rows[-1])] for partition, rows in partitions.items()}


@pytest.fixture(scope="module")
def trades() -> Mapping[int, Sequence[Trade]]:
    return market()


@pytest.fixture(scope="module")
def undisturbed(stack: Stack, trades: Mapping[int, Sequence[Trade]]) -> Iterator[Outcome]:
    """What comes of all objects in one run."""
    with own_world(stack) as world:
        for partition, rows in trades.items():
            world.put_all(rows, partition)
        world.run()
        outcome = world.outcome()
        assert [len(outcome[table]) > 0 for table in outcome] == [True] * len(outcome)
        yield outcome


def put_pieces(world: World, trades: Mapping[int, Sequence[Trade]], choice: random.Random) -> Iterator[ObjectKey]:
    """Store the rows in objects of random sizes, now this partition's, now that one's; yield after each."""
    pieces = [
        (partition, first, held[first:end])
        for partition, held in trades.items()
        for first, end in pairwise([0, *sorted(choice.sample(range(1, len(held)), 5)), len(held)])
    ]
    for partition, first, rows in sorted(pieces, key=lambda piece: piece[2][0].received_at):
        yield world.put(partition, first, rows)


def test_objects_that_arrive_between_runs_give_what_one_run_gives(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world = make_world()
    for _ in put_pieces(world, trades, random.Random(1)):
        world.run()
    assert world.outcome() == undisturbed


def test_many_small_transactions_give_what_one_gives(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world = make_world()
    for partition, rows in trades.items():
        world.put_all(rows, partition, rows=130)
    assert world.run(rows_per_transaction=500).left == 0
    assert transactions(world) >= 10
    assert world.outcome() == undisturbed


def test_overlapping_objects_and_objects_that_come_twice_count_once(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world, choice = make_world(), random.Random(2)
    for key in put_pieces(world, trades, choice):
        rows = trades[key.partition]
        overlap = choice.randrange(key.first_offset + 1)
        world.put(key.partition, overlap, rows[overlap : choice.randint(overlap + 1, key.last_offset + 1)])
        if choice.random() < 0.5:
            world.run()
            world.put(key.partition, key.first_offset, rows[key.first_offset : key.last_offset + 1])
    world.run()
    assert world.outcome() == undisturbed
    [(loaded,)] = world.select("SELECT sum(rows_loaded)::int FROM raw_objects")
    assert loaded == sum(map(len, trades.values()))


class TardyListing(Rawzone):
    """A store whose first listing misses an object that was being stored meanwhile."""

    def __init__(self, rawzone: Rawzone, missed: ObjectKey) -> None:
        self._rawzone = rawzone
        self._missed = [missed]

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        missed = self._missed.pop() if self._missed else None
        return (info for info in self._rawzone.list_all(start_after) if info.key != missed)

    def read(self, key: ObjectKey) -> bytes:
        return self._rawzone.read(key)


def test_an_object_that_the_first_listing_missed_is_loaded_in_its_place(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world = make_world()
    keys = list(put_pieces(world, trades, random.Random(3)))
    world.run(TardyListing(world.rawzone, missed=keys[6]))
    assert world.outcome() == undisturbed


def test_offsets_that_no_object_has_are_counted_once(make_world: MakeWorld) -> None:
    world = make_world()
    rows = simulated(minutes=20)
    world.put(0, 0, rows[:100])
    world.put(0, 150, rows[150:200])
    world.run()
    world.put(0, 210, rows[210:])
    world.run()
    assert world.select("SELECT next_offset, gaps FROM load_positions") == [(len(rows), 60)]


def test_an_object_stored_again_from_an_earlier_hour_on_gives_what_is_new_in_it(make_world: MakeWorld) -> None:
    """A consumer that restarts goes on where it last committed: its object lies in the hour of that record."""
    world, rows = make_world(), simulated(minutes=20)
    hour_ms = 3_600_000
    world.put(0, 0, rows[:100], START_MS)
    world.put(0, 100, rows[100:200], START_MS + hour_ms)
    world.run()
    world.put(0, 50, rows[50:300], START_MS)
    world.put(0, 300, rows[300:], START_MS + hour_ms)
    world.run()
    assert world.select("SELECT next_offset, gaps FROM load_positions") == [(len(rows), 0)]
    assert world.select("SELECT sum(rows_loaded)::int FROM raw_objects") == [(len(rows),)]


def test_a_partition_that_comes_late_is_loaded_from_its_beginning(make_world: MakeWorld) -> None:
    """A consumer with a backlog may be hours ahead on one partition before it stores the first object of another."""
    world, rows = make_world(), simulated(minutes=20)
    hour_ms = 3_600_000
    world.put(0, 0, rows, START_MS + 5 * hour_ms)
    world.run()
    for place, first in enumerate(range(0, 600, 200)):
        world.put(1, first, rows[first : first + 200], START_MS + (3 + place) * hour_ms)
    world.run()
    assert world.select("SELECT next_offset, gaps FROM load_positions WHERE kafka_partition = 1") == [(600, 0)]
    loaded = world.select("SELECT sum(rows_loaded)::int FROM raw_objects WHERE kafka_partition = 1")
    assert loaded == [(600,)]


def test_runs_killed_at_any_moment_leave_nothing_behind(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world, choice = make_world(), random.Random(4)
    for partition, rows in trades.items():
        world.put_all(rows, partition, rows=50)
    for _ in range(5):
        enough = transactions(world) + choice.randrange(1, 4)
        with world.process(rows_per_transaction="100") as process:
            wait_until(lambda enough=enough: transactions(world) >= enough)  # type: ignore[misc]
            time.sleep(choice.uniform(0.0, 0.2))
            assert process.poll() is None, "the run was over before it could be killed"
        wait_until(lambda: not is_at_work(world))
    assert world.run().rows_loaded > 0
    assert world.outcome() == undisturbed


def transactions(world: World) -> int:
    [(count,)] = world.select("SELECT count(*)::int FROM pipeline_runs")
    return int(count)


def is_at_work(world: World) -> bool:
    """Return whether the server holds a session of a pipeline process, dead or alive."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    return world.select(sessions, "volwatch-pipeline") != [(0,)]


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.1)


class HeldRead(Rawzone):
    """A store that gives its objects only when told to."""

    def __init__(self, rawzone: Rawzone) -> None:
        self._rawzone = rawzone
        self.reached, self.go_on = threading.Event(), threading.Event()

    def list_all(self, start_after: ObjectKey | None = None) -> Iterator[ObjectInfo]:
        return self._rawzone.list_all(start_after)

    def read(self, key: ObjectKey) -> bytes:
        self.reached.set()
        assert self.go_on.wait(60)
        return self._rawzone.read(key)


def test_of_two_runs_at_once_one_leaves_and_the_rows_count_once(
    make_world: MakeWorld, trades: Mapping[int, Sequence[Trade]], undisturbed: Outcome
) -> None:
    world = make_world()
    for partition, rows in trades.items():
        world.put_all(rows, partition)
    held = HeldRead(world.rawzone)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(world.run, held)
        assert held.reached.wait(60)
        second = world.run()
        held.go_on.set()
        assert (second, first.result().busy) == (Report(busy=True), False)
    assert world.outcome() == undisturbed
