"""Of two producers one sends, on real Kafka: whoever follows begins when the first has had its last word."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count, islice
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Producer as Client

from tests.fakes import some_trade
from volwatch.errors import Transient
from volwatch.local.finnhub_double import FinnhubDouble
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.producer.leadership import Deposed, Leadership, boot_clock
from volwatch.producer.lease import Election, Record
from volwatch.producer.loop import Loop, Progress
from volwatch.producer.publisher import Publisher, connect
from volwatch.producer.source import Batch
from volwatch.runtime import Health, Stop
from volwatch.settings import KafkaSettings, load_one
from volwatch.trade import decode

TAKEOVER_SECONDS = 15.0
LEASE_SECONDS = 3.0
Sent = tuple[int, int]
"""When the broker took a record, and the record's number; both grow, as numbers begin with a producer's start."""


class Producer:
    """A producer as a process of its own."""

    def __init__(self, environment: dict[str, str], log: Path, words: tuple[str, ...]) -> None:
        self._port = free_port(random.Random())
        self._log = log
        place = {"VOLWATCH_SERVICE_HOST": LOOPBACK, "VOLWATCH_SERVICE_PORT": str(self._port)}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "volwatch.cli", "producer", *words],
                env={**os.environ, **environment, **place},
                stdout=output,
            )

    def page(self, path: str) -> str | None:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.page("/metrics") or "", re.MULTILINE)
        return float(found[1]) if found else 0.0

    @property
    def leads(self) -> bool:
        return self.metric("volwatch_producer_leader") == 1

    @property
    def delivered(self) -> float:
        return self.metric('volwatch_producer_trades_total{outcome="delivered"}')

    def events(self) -> dict[str, dict[str, Any]]:
        lines: list[dict[str, Any]] = [json.loads(line) for line in self._log.read_text().splitlines()]
        return {line["event"]: line for line in lines}


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> float:
    """Return after how many seconds the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def start(platform: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Producer]]:
    """Starts producers of the test's own topic; kills at the end what still runs."""
    with ExitStack() as ending:

        def started(*words: str, **finnhub: str) -> Producer:
            name = f"producer-{random.getrandbits(32):x}.log"
            own = {f"VOLWATCH_FINNHUB_{key.upper()}": value for key, value in finnhub.items()}
            lease = {"VOLWATCH_LEASE_FILE": str(tmp_path / "lease")}  # a kill leaves it behind
            producer = Producer({**platform, **lease, **own}, tmp_path / name, words)
            ending.callback(producer.process.wait, 10)
            ending.callback(producer.process.kill)
            return producer

        yield started


@pytest.fixture
def kafka(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    return load_one(KafkaSettings)


def sent(kafka: KafkaSettings) -> list[Sent]:
    """Return all records of the topic in the order in which the broker took them."""
    consumer = Consumer({**kafka.client_config(), "group.id": "test", "enable.auto.commit": False})
    places = [TopicPartition(kafka.topic, number, 0) for number in range(kafka.partitions)]
    ends = sum(consumer.get_watermark_offsets(place, 30)[1] for place in places)
    consumer.assign(places)
    held: list[Sent] = []
    deadline = time.monotonic() + 60
    while len(held) < ends:
        assert time.monotonic() < deadline
        for message in consumer.consume(10_000, 0.5):
            value = message.value()
            assert isinstance(value, bytes)
            held.append((message.timestamp()[1], decode(value).seq))
    consumer.close()
    return sorted(held)


def started_two(start: Callable[..., Producer], *words: str) -> tuple[Producer, Producer]:
    """Start two producers at once; return the one that leads, and the one that stands by."""
    both = [start(*words), start(*words)]
    wait_until(lambda: any(one.delivered for one in both), "one of them sends")
    first = next(one for one in both if one.delivered)
    second = next(one for one in both if one is not first)
    wait_until(lambda: "standing_by" in second.events(), "the other stands by")
    return first, second


def test_one_of_two_sends_and_the_other_follows_a_kill_within_fifteen_seconds(
    start: Callable[..., Producer], kafka: KafkaSettings
) -> None:
    first, second = started_two(start, "--rate", "2000", "--history-minutes", "1", "--history-rate", "10")
    time.sleep(3)  # in which a second market would show
    assert (first.leads, second.leads, second.delivered) == (True, False, 0)
    assert [second.page(path) for path in ("/healthz", "/readyz")] == ["ok\n", "ok\n"]

    killed_ms = time.time_ns() // 1_000_000
    first.process.kill()
    assert wait_until(lambda: second.delivered, "the other sends", 30) < TAKEOVER_SECONDS
    assert second.leads
    assert second.events()["history_skipped"]["reason"] == "the topic has had records"

    numbers = [number for _taken_at, number in sent(kafka)]
    of_second = [number >= killed_ms * 1_000 for number in numbers]
    assert of_second == sorted(of_second)
    assert (of_second[0], of_second[-1], len(numbers)) == (False, True, len(set(numbers)))


def test_a_producer_that_is_asked_to_stop_is_followed_at_once(
    start: Callable[..., Producer], kafka: KafkaSettings
) -> None:
    first, second = started_two(start, "--rate", "2000")
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(30) == 0
    assert wait_until(lambda: second.delivered, "the other sends") < 5
    told = first.events()
    assert (told["producer_stopped"]["failed"], "leadership_given_back" in told) == (0, True)
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(30) == 0
    numbers = [number for _taken_at, number in sent(kafka)]
    assert len(numbers) == told["producer_stopped"]["delivered"] + second.events()["producer_stopped"]["delivered"]
    assert len(set(numbers)) == len(numbers)


def test_a_producer_that_stands_by_stops_when_asked_and_leaves_the_lease_alone(start: Callable[..., Producer]) -> None:
    first, second = started_two(start)
    second.process.send_signal(signal.SIGUSR1)  # a burst of a market that it does not have
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(10) == 0
    assert second.events()["producer_stopped"]["trades"] == 0
    assert first.leads


def test_a_replay_does_not_wait_for_its_turn(start: Callable[..., Producer], tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("date,open,high,low,close,volume\n2003-03-03,24.02,24.12,23.4,23.54,50653500\n")
    first, _second = started_two(start)
    replay = start("--source", "replay", "--name", "msft", "--ohlc", str(file), "--symbol", "MSFT")
    assert replay.process.wait(30) == 0
    assert (replay.events()["producer_stopped"]["delivered"], first.leads) == (5, True)


def test_a_feed_has_one_listener_and_the_next_connects_when_the_first_is_gone(start: Callable[..., Producer]) -> None:
    """Finnhub, and the double, drop both connections when one key opens two: each would then connect again."""
    with FinnhubDouble("key") as double:
        feed = {"url": double.url, "token": "key", "symbols": "AAPL,MSFT"}
        both = [start("--source", "finnhub", **feed) for _ in range(2)]
        double.wait_for(lambda it: it.subscribed == [["AAPL", "MSFT"]])
        wait_until(lambda: any("standing_by" in one.events() for one in both), "one of them stands by")
        first, second = sorted(both, key=lambda one: one.leads, reverse=True)
        assert (first.leads, second.leads, len(double.handshakes)) == (True, False, 1)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(30) == 0
        wait_until(lambda: second.delivered, "the other sends the gap that there was")
        double.wait_for(lambda it: it.subscribed == [["AAPL", "MSFT"]])
        assert (second.leads, len(double.handshakes)) == (True, 2)


class Revocable:
    """A lease that is granted until it no longer answers."""

    lasts = False

    def __init__(self) -> None:
        self.answers = True
        self._writes = 0

    def read(self, timeout_seconds: float) -> Record:
        return Record("", "")

    def try_take(self, seen: Record, holder: str, timeout_seconds: float) -> Record | None:
        return self._written(holder)

    def renew(self, own: Record, timeout_seconds: float) -> Record | None:
        return self._written(own.holder)

    def release(self, own: Record, timeout_seconds: float) -> None:
        self._written("")

    def _written(self, holder: str) -> Record:
        if not self.answers:
            raise Transient("no answer")
        self._writes += 1
        return Record(holder, str(self._writes))


class Steady:
    """A source that never ends."""

    def __init__(self) -> None:
        self._numbers = count()

    def read(self, until_ms: int) -> Batch | None:
        return Batch([some_trade(number) for number in islice(self._numbers, 333)], more=False)


def test_what_a_deposed_producer_has_queued_is_not_sent_and_it_is_silent_before_the_lease_is_over(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Sends full batches only: the last ones stay in the queue.
    monkeypatch.setattr(
        "volwatch.producer.publisher.Producer",
        lambda options: Client({**options, "linger.ms": 60_000, "batch.num.messages": 1_000, "log_level": 0}),
    )
    lease, health, ended = Revocable(), Health(), Event()
    election = Election(lease, "a", LEASE_SECONDS, boot_clock, random.random)
    leadership = Leadership(election, LEASE_SECONDS, lambda _code: ended.set())
    assert leadership.wait(Stop(), health)
    publisher = Publisher(
        partial(connect, kafka), kafka.topic, kafka.quarantine_topic, time.time, lambda: None, leadership.check
    )
    leadership.keep(publisher.halt)
    timer = Timer(2.0, lambda: setattr(lease, "answers", False))
    timer.start()
    began = time.time()
    with pytest.raises(Deposed) as caught:
        Loop(Steady(), publisher, health, time.time, Progress(0)).run(Stop())
    publisher.withdraw(caught.value.answer_seconds)
    silent_at = time.time()
    assert silent_at < began + 2.0 + LEASE_SECONDS
    assert ended.wait(LEASE_SECONDS)

    taken_at = [at for at, _number in sent(kafka)]
    assert taken_at[-1] <= silent_at * 1_000
    assert 0 < publisher.withdrawn < 1_000
    assert len(taken_at) == publisher.delivered == publisher.sent - publisher.withdrawn
