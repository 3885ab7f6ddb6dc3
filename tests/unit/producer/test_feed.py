"""The feed connects, subscribes, queues and comes back, told of by a clock that only the test moves."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from volwatch.errors import Misconfigured
from volwatch.producer.feed import Arrived, Failed, Feed, Item, Opened
from volwatch.producer.websocket import Connection, Lost

START_SECONDS = 1_790_000_000.0
PING = b'{"type":"ping"}'
Event = bytes | float | Exception
"""What a connection gives next: a message, silence for so many seconds, or its end."""


class World:
    """Clock, stop and server in one. The connections of ``plan`` come one after the other; after the last it stops."""

    def __init__(self, *plan: list[Event] | Exception) -> None:
        self.seconds = 0.0
        self.requested = False
        self.set_back_seconds = 0.0
        self.subscriptions: list[list[str]] = []
        self.pauses: list[float] = []
        self.closed = 0
        self._plan = list(plan)

    def clock(self) -> float:
        return START_SECONDS + self.seconds - self.set_back_seconds

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> bool:
        self.seconds += seconds
        self.pauses.append(seconds)
        return self.requested

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        planned = self._plan.pop(0)
        if not self._plan:
            self.requested = True  # seen once the last connection is over
        if isinstance(planned, Exception):
            raise planned
        self.subscriptions.append([])
        try:
            yield Scripted(self, planned)
        finally:
            self.closed += 1


class Scripted:
    """A connection that gives its events in turn, and then is lost."""

    def __init__(self, world: World, events: list[Event]) -> None:
        self._world = world
        self._events = list(events)

    def send(self, message: str) -> None:
        told = json.loads(message)
        assert told["type"] == "subscribe"
        self._world.subscriptions[-1].append(told["symbol"])

    def receive(self, timeout_seconds: float) -> bytes | None:
        event = self._events[0] if self._events else Lost("closed")
        if isinstance(event, float) and event > timeout_seconds:
            self._events[0] = event - timeout_seconds
            self._world.seconds += timeout_seconds
            return None
        self._events[:1] = []
        if isinstance(event, Exception):
            raise event
        if isinstance(event, float):
            self._world.seconds += event
            return self.receive(timeout_seconds - event)
        return event


def feed_in(world: World, *symbols: str, room: int = 1_000) -> Feed:
    return Feed(world.connect, symbols or ("AAPL",), world, world.clock, world.monotonic, lambda: 0.5, room)


def run(world: World, *symbols: str) -> list[Item]:
    """Run a feed to its end; return what it queued, without what comes once a stop is wanted."""
    feed = feed_in(world, *symbols)
    feed.run()
    return items(feed)


def items(feed: Feed) -> list[Item]:
    return list(iter(feed.take, None))


def ms(seconds: float) -> int:
    return int((START_SECONDS + seconds) * 1_000)


END = Lost("end of the test")


def test_every_symbol_is_subscribed_by_a_message_of_its_own_on_every_connection() -> None:
    world = World([], [], END)
    run(world, "AAPL", "BINANCE:BTCUSDT")
    assert world.subscriptions == [["AAPL", "BINANCE:BTCUSDT"]] * 2


def test_messages_are_queued_in_order_with_the_time_at_which_they_came() -> None:
    found = run(World([b"a", 2.5, b"b"], END))
    assert found == [Opened(ms(0)), Arrived(b"a", ms(0)), Arrived(b"b", ms(2.5))]


def test_times_do_not_run_back_with_the_clock() -> None:
    world = World([2.5, b"a"], [b"b"], END)

    def wait(_seconds: float) -> bool:
        world.set_back_seconds = 50.0
        return world.requested

    world.wait = wait  # type: ignore[assignment,method-assign]
    assert run(world) == [
        Opened(ms(0)), Arrived(b"a", ms(2.5)), Opened(ms(2.5)), Arrived(b"b", ms(2.5)),
    ]  # fmt: skip


def test_after_a_loss_it_waits_longer_each_time_and_opens_again() -> None:
    world = World([], Lost("refused"), Lost("refused"), [b"a"], END)
    found = run(world)
    assert world.pauses == pytest.approx([1, 2, 4, 8, 16])
    assert found == [Opened(ms(0)), Opened(ms(7)), Arrived(b"a", ms(7))]
    assert world.closed == 2


def test_a_connection_that_held_begins_the_waits_anew() -> None:
    world = World(Lost("refused"), Lost("refused"), [PING, 50.0, PING, 20.0], END)
    run(world)
    assert world.pauses == pytest.approx([1, 2, 1, 2])


def test_what_the_server_tells_to_wait_is_waited() -> None:
    world = World(Lost("too many requests", 300.0), END)
    run(world)
    assert world.pauses == pytest.approx([300, 2])


def test_silence_for_two_minutes_is_a_loss() -> None:
    world = World([b"a", 500.0], END)
    with capture_logs() as logs:
        run(world)
    assert [(line["reason"], line["held_seconds"]) for line in logs if line["event"] == "feed_lost"] == [
        ("no message for 120 s", 120.0),
        ("end of the test", 0.0),
    ]


def test_a_ping_breaks_the_silence() -> None:
    world = World([119.0, PING, 119.0, PING, 119.0, b"a"], END)
    assert run(world)[-1] == Arrived(b"a", ms(357))


def test_a_full_queue_makes_it_wait_and_loses_nothing() -> None:
    world = World([b"a", b"b", b"c"], END)
    feed = feed_in(world, room=2)
    taken: list[Item] = []

    def wait(seconds: float) -> bool:
        if seconds < 0.1 and (item := feed.take()):
            taken.append(item)
        return world.requested

    world.wait = wait  # type: ignore[method-assign]
    feed.run()
    assert [*taken, *items(feed)] == [Opened(ms(0)), *(Arrived(each, ms(0)) for each in (b"a", b"b", b"c"))]


def test_a_stop_ends_the_wait_for_room() -> None:
    world = World([b"a", b"b"], END)
    feed = feed_in(world, room=1)

    def wait(_seconds: float) -> bool:
        world.requested = True
        return True

    world.wait = wait  # type: ignore[assignment,method-assign]
    feed.run()
    assert items(feed) == [Opened(ms(0))]


@pytest.mark.parametrize("error", [Misconfigured(["VOLWATCH_FINNHUB_TOKEN: refused"]), ZeroDivisionError()])
def test_an_error_that_no_try_mends_is_handed_to_the_reader_and_ends_it(error: Exception) -> None:
    world = World([b"a"], error, [b"never"], END)
    assert run(world) == [Opened(ms(0)), Arrived(b"a", ms(0)), Failed(error)]
    assert world.pauses == pytest.approx([1])
