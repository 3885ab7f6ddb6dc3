import json
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.unit.producer.fakes import START_MS, ListSource, MemoryKafka, some_trade
from volwatch.errors import Transient
from volwatch.producer.loop import Loop, Patience, Progress
from volwatch.producer.publisher import Publisher
from volwatch.producer.source import Batch, Label, Rejected
from volwatch.runtime import Health, Stop
from volwatch.trade import encode


class Waits(Stop):
    """A wish to stop that never sleeps: waiting moves the clock; it comes true after ``until`` seconds."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self._now_ms = START_MS
        self._end_ms = START_MS + until * 1_000

    def wait(self, seconds: float) -> bool:
        self._now_ms += round(seconds * 1_000)
        if self._now_ms >= self._end_ms:
            self.request()
        return self.requested

    def clock(self) -> float:
        return self._now_ms / 1_000


def make(
    source: ListSource,
    kafka: MemoryKafka,
    clock: Callable[[], float],
    expected: float = 0.0,
    labels: Path | None = None,
) -> tuple[Loop, Health]:
    health = Health(clock=clock)
    publisher = Publisher(kafka.connect, "trades", "trades.quarantine", clock, on_wait=lambda: None)
    return Loop(source, publisher, health, clock, Progress(expected), labels), health


def test_everything_a_source_hands_over_is_sent_until_it_ends(tmp_path: Path) -> None:
    kafka, stop = MemoryKafka(), Waits(60)
    label = Label("SIM01", "burst", 1, 2, 8.0)
    source = ListSource(
        [
            Batch([some_trade(0)], more=True, labels=(label,)),
            Batch([some_trade(1)], more=True, rejected=(Rejected("X", "BAD_PRICE", b"row"),), garbage=(("Y", b"?"),)),
        ]
    )
    loop, health = make(source, kafka, stop.clock, labels=tmp_path / "labels.jsonl")
    loop.run(stop)
    assert [(sent.topic, sent.value) for sent in kafka.log] == [
        ("trades", encode(some_trade(0))),
        ("trades", encode(some_trade(1))),
        ("trades", b"?"),
        ("trades.quarantine", b"row"),
    ]
    assert (loop.trades, health.ready, stop.requested) == (2, True, False)
    assert json.loads((tmp_path / "labels.jsonl").read_text()) == {
        "symbol": "SIM01", "kind": "burst", "start_ms": 1, "end_ms": 2, "magnitude": 8.0,
    }  # fmt: skip


def test_labels_are_appended(tmp_path: Path) -> None:
    stop, path = Waits(60), tmp_path / "labels.jsonl"
    batches = [Batch([], more=True, labels=(Label("A", "jump", at, at + 1, 9.0),)) for at in (1, 2)]
    make(ListSource(batches), MemoryKafka(), stop.clock, labels=path)[0].run(stop)
    assert [json.loads(line)["start_ms"] for line in path.read_text().splitlines()] == [1, 2]


def test_it_reads_at_once_while_more_is_due_and_waits_a_tick_otherwise() -> None:
    stop = Waits(60)
    source = ListSource([Batch([], more=True), Batch([], more=True), Batch([], more=False), Batch([], more=False)])
    make(source, MemoryKafka(), stop.clock)[0].run(stop)
    assert [time - START_MS for time in source.read_at] == [0, 0, 0, 50, 100]


def test_a_stop_ends_it_between_two_readings() -> None:
    stop = Waits(0.1)
    source = ListSource([Batch([], more=False)] * 10)
    make(source, MemoryKafka(), stop.clock)[0].run(stop)
    assert len(source.read_at) == 2


def test_it_is_ready_once_something_was_delivered() -> None:
    stop, kafka = Waits(0.04), MemoryKafka()
    kafka.away = True
    loop, health = make(ListSource([Batch([some_trade(0)], more=False)]), kafka, stop.clock)
    loop.run(stop)
    assert not health.ready


def test_it_tells_every_ten_seconds_how_it_goes() -> None:
    stop = Waits(25)
    source = ListSource([Batch([some_trade(seq, START_MS + seq * 50)], more=False) for seq in range(500)])
    with capture_logs() as logs:
        make(source, MemoryKafka(), stop.clock)[0].run(stop)
    assert [{**line, "log_level": None} for line in logs] == [
        {
            "event": "trades_sent", "log_level": None, "trades": trades, "delivered_per_second": rate,
            "queued": 0, "lag_seconds": 0.003, "backpressure": 0,
        }
        for trades, rate in ((201, 20.1), (401, 20.0))
    ]  # fmt: skip


def test_the_history_is_told_of_by_tenths_and_ends_at_a_hundred() -> None:
    progress = Progress(1_000)
    with capture_logs() as logs:
        for sent in range(0, 950, 50):
            progress.advance(sent, caught_up=False)
        progress.advance(1_100, caught_up=False)
        progress.advance(980, caught_up=True)
        progress.advance(2_000, caught_up=True)
    assert [(line["percent"], line["trades"]) for line in logs] == [
        *((tenth * 10, tenth * 100) for tenth in range(1, 10)),
        (100, 980),
    ]


def test_without_history_nothing_is_told() -> None:
    with capture_logs() as logs:
        Progress(0).advance(10, caught_up=True)
    assert logs == []


def test_a_full_queue_is_waited_for_unless_a_stop_was_wanted_for_long() -> None:
    now = [0.0]
    stop = Stop()
    patience = Patience(Health(clock=lambda: now[0]), stop, lambda: now[0])
    now[0] = 1_000.0
    patience.wait()
    stop.request()
    patience.wait()
    now[0] += 15.0
    patience.wait()
    now[0] += 0.1
    with pytest.raises(Transient, match="queue stays full"):
        patience.wait()


def test_waiting_for_room_is_a_sign_of_life() -> None:
    now = [0.0]
    health = Health(stuck_seconds=120, clock=lambda: now[0])
    now[0] = 200.0
    Patience(health, Stop(), lambda: now[0]).wait()
    assert health.alive
