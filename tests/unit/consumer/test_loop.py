from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import pytest

from tests.fakes import HeldExecutor, InlineExecutor, MemoryBroker, MemoryQuarantine, MemoryStore
from volwatch.backoff import Backoff
from volwatch.consumer.batch import Limits
from volwatch.consumer.loop import Loop
from volwatch.consumer.storing import Storing
from volwatch.errors import Transient
from volwatch.rawzone.decode import decode_object
from volwatch.runtime import Health, Stop

LIMITS = Limits(rows=100, size_bytes=2**20, age_seconds=15.0)


class World:
    """One consumer in a world of its own, whose time passes when told to."""

    def __init__(self, putter: Executor | None = None, most_held_bytes: int = 2**20) -> None:
        self.broker = MemoryBroker()
        self.store = MemoryStore()
        self.quarantine = MemoryQuarantine()
        self.seconds = 0.0
        self.most_held_bytes = most_held_bytes
        self.start(putter)

    def start(self, putter: Executor | None = None) -> None:
        """Start a consumer, as after a crash of the one before."""
        backoff = Backoff(3, lambda: 1.0)
        storing = Storing(self.store, putter or InlineExecutor(), backoff, lambda _: None)
        self.health = Health(clock=lambda: self.seconds)
        self.loop = Loop(
            self.broker,
            storing,
            self.quarantine,
            LIMITS,
            self.most_held_bytes,
            backoff,
            self.health,
            clock=lambda: self.seconds,
            now=lambda: 1_767_625_300.0,
        )
        self.broker.subscribe(self.loop.revoke, self.loop.lose)

    @property
    def objects(self) -> list[tuple[int, int, int]]:
        return [(key.partition, key.first_offset, key.last_offset) for key in sorted(self.store.objects)]

    @property
    def stored_offsets(self) -> set[tuple[int, int]]:
        decoded = (decode_object(data, key) for key, data in self.store.objects.items())
        return {(rows.partition, offset) for rows in decoded for offset in rows.trades.offset.tolist()}


def test_enough_rows_are_stored_and_then_committed() -> None:
    world = World()
    world.broker.send_trades(0, 100)
    world.broker.send_trades(1, 99)
    world.loop.run_once()
    assert world.objects == [(0, 0, 99)]
    assert world.broker.committed == {0: 100}


def test_a_quiet_topic_is_stored_within_its_age() -> None:
    world = World()
    world.broker.send_trades(0, 3)
    world.loop.run_once()
    world.seconds = 14.9
    world.loop.run_once()
    assert world.objects == []
    world.seconds = 15.0
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 2)], {0: 3})


def test_a_failing_store_commits_nothing_and_ends_the_consumer() -> None:
    world = World()
    world.store.failures = 3
    world.broker.send_trades(0, 100)
    with pytest.raises(Transient, match="the store is away"):
        world.loop.run(Stop())
    assert (world.objects, world.broker.committed, world.broker.open) == ([], {}, False)


def test_a_crash_between_put_and_commit_stores_again_and_loses_nothing() -> None:
    world = World()
    world.broker.commit_failures = 1
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 99)], {})
    world.broker.send_trades(0, 20)
    world.start()
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 99), (0, 0, 119)], {0: 120})
    assert world.stored_offsets == {(0, offset) for offset in range(120)}


def test_a_crash_that_stores_the_same_records_again_stores_the_same_bytes() -> None:
    world = World()
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    before = dict(world.store.objects)
    world.broker.committed.clear()
    world.start()
    world.loop.run_once()
    assert (world.store.puts, world.store.objects) == (2, before)


def test_a_commit_that_fails_is_tried_again_after_a_wait_while_reading_goes_on() -> None:
    world = World()
    world.broker.commit_failures = 1
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 99), (0, 100, 199)], {})
    world.seconds = 0.5
    world.loop.run_once()
    assert world.broker.committed == {0: 200}


def test_a_commit_that_fails_too_often_ends_the_consumer() -> None:
    world = World()
    world.broker.commit_failures = 3
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    world.seconds = 0.5
    world.loop.run_once()
    world.seconds = 1.5
    with pytest.raises(Transient, match="coordinator"):
        world.loop.run_once()


def test_revoked_partitions_are_stored_and_committed_before_they_go() -> None:
    world = World()
    world.broker.send_trades(0, 5)
    world.broker.send_trades(1, 7)
    world.loop.run_once()
    world.broker.take_away(1)
    assert (world.objects, world.broker.committed) == ([(1, 0, 6)], {1: 7})


def test_what_is_on_its_way_is_awaited_when_partitions_are_revoked() -> None:
    held = HeldExecutor()
    world = World(held)
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    assert world.broker.committed == {}
    held.work()
    world.broker.take_away(0)
    assert world.broker.committed == {0: 100}


def test_revoking_survives_a_commit_that_the_broker_refuses() -> None:
    world = World()
    world.broker.commit_failures = 1
    world.broker.send_trades(0, 5)
    world.loop.run_once()
    world.broker.take_away(0)
    assert (world.objects, world.broker.committed) == ([(0, 0, 4)], {})
    world.seconds = 15.0
    world.loop.run_once()
    world.loop.finish()
    assert world.broker.committed == {0: 5}


def test_a_commit_that_is_refused_at_the_end_is_made_when_the_group_is_left() -> None:
    """While the group gives partitions out anew, as when another member goes at the same time, it takes none."""
    world = World()
    world.broker.commit_failures = 1
    world.broker.send_trades(0, 5)
    world.loop.run_once()
    world.loop.finish()
    assert (world.objects, world.broker.committed) == ([(0, 0, 4)], {})
    world.broker.take_away(0)
    assert world.broker.committed == {0: 5}


def test_lost_partitions_are_forgotten_and_not_committed() -> None:
    held = HeldExecutor()
    world = World(held)
    world.broker.send_trades(0, 100)
    world.broker.send_trades(1, 5)
    world.loop.run_once()
    world.broker.on_lost([0, 1])
    held.work()
    world.broker.log.clear()
    world.seconds = 20.0
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 99)], {})


def test_stopping_stores_and_commits_what_is_held_and_leaves_the_group() -> None:
    world = World()
    world.broker.send_trades(0, 5)
    stop = Stop()
    world.broker.read = _stop_after(world.broker.read, stop)  # type: ignore[method-assign]
    world.loop.run(stop)
    assert (world.objects, world.broker.committed, world.broker.open) == ([(0, 0, 4)], {0: 5}, False)


def _stop_after(read: Callable[..., Any], stop: Stop) -> Callable[..., Any]:
    def read_and_stop(most_records: int, timeout_seconds: float) -> Any:
        stop.request()
        return read(most_records, timeout_seconds)

    return read_and_stop


def test_rejects_are_set_aside_before_their_offsets_are_committed() -> None:
    world = World()
    world.quarantine.away = True
    world.broker.send(0, b"{", None)
    world.broker.send_trades(0, 98)
    with pytest.raises(Transient, match="quarantine"):
        world.loop.run_once()
    assert world.broker.committed == {}
    world.quarantine.away = False
    world.start()
    world.loop.run_once()
    assert [(reject.offset, reject.value) for reject in world.quarantine.rejects] == [(0, b"{"), (1, None)]
    assert (world.objects, world.broker.committed) == ([(0, 0, 99)], {0: 100})


def test_records_of_which_none_is_a_trade_are_passed_by_their_offsets() -> None:
    world = World()
    world.broker.send(0, b"{", b"[]")
    world.loop.run_once()
    world.seconds = 15.0
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([], {0: 2})
    assert [reject.offset for reject in world.quarantine.rejects] == [0, 1]


def test_a_slow_store_pauses_reading_at_the_bound_and_the_rounds_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volwatch.consumer.loop._ROOM_SECONDS", 0.0)
    held = HeldExecutor()
    world = World(held, most_held_bytes=6_000)
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    world.seconds = 100.0
    world.loop.run_once()
    assert (world.broker.paused, world.health.ready, world.health.alive) == (True, False, True)
    world.broker.send_trades(0, 100)
    world.loop.run_once()
    held.work()
    world.loop.run_once()
    assert (world.broker.paused, world.health.ready) == (False, True)
    held.work()
    world.loop.run_once()
    assert (world.objects, world.broker.committed) == ([(0, 0, 99), (0, 100, 199)], {0: 200})


def test_many_partitions_with_a_little_each_stay_within_the_bound() -> None:
    world = World(most_held_bytes=2_500)
    for partition in range(20):
        world.broker.send_trades(partition, 5)
    for _ in range(20):
        world.loop.run_once()
    assert not world.broker.paused
    assert len(world.objects) >= 12
    world.loop.finish()
    assert world.stored_offsets == {(partition, offset) for partition in range(20) for offset in range(5)}
    assert world.broker.committed == dict.fromkeys(range(20), 5)
