"""How long it takes from a trade's arrival in Kafka until the alert that it raises is committed.

The broker, PostgreSQL, the detector and whoever sends share the machine. Each second another symbol becomes ten times
as volatile; what is counted is each round of the detector that opened an alert, from the arrival of its oldest record.
The peer is what waits for the end of the bar, and five seconds more, as the minute path does at best.
"""

import json
import math
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from confluent_kafka import Producer

from tests.benchmarks.measure import Measured, Unequal
from tests.benchmarks.servers import Servers
from volwatch.analytics.bars import PROVISIONAL_AFTER_MS
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.local.scrape import read_metric
from volwatch.producer.simulator import symbol_names
from volwatch.settings import KafkaSettings, as_environment
from volwatch.trade import KAFKA_HEADERS, Trade, encode

RATES = (5_000, 10_000, 20_000)
"""Messages a second; the first is the one that is promised."""
SYMBOLS = 500
LIVE_SECONDS = 60
HISTORY_MINUTES = 62
LEAST_ALERTS = 20

_MINUTE_MS = 60_000
_SPREAD = 0.001  # of log prices within a minute
_STEPS = 600  # of a price within a minute of history, of which four are sent
_BURST = 10.0
_PATIENCE_SECONDS = 180.0


class Delays(NamedTuple):
    """Milliseconds until each alert was committed, and until its bar had ended and could have been judged."""

    ours: list[float]
    bar_end: list[float]


def run(servers: Servers, tell: Callable[[str], None]) -> dict[str, Measured]:
    """Return median (p50) and 99th percentile (p99) at the first of the rates; tell of those of the others."""
    found = {rate: delays(servers, rate, tell) for rate in RATES}
    for rate, each in found.items():
        p50, p99 = np.quantile(each.ours, [0.5, 0.99])
        tell(f"fastpath: {rate:,} a second: p50 {p50:.0f} ms, p99 {p99:.0f} ms, {len(each.ours)} alerts")
    promised = found[RATES[0]]
    measured = {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ours, peer = (float(np.quantile(side, share)) for side in promised)
        measured[name] = Measured(f"fastpath_{name}_ms", ours, peer, peer / ours, "ms, less is better")
    return measured


def delays(servers: Servers, rate: int, tell: Callable[[str], None]) -> Delays:
    """Run the detector on a live market of so many messages a second; return what its alerts took.

    Raises
    ------
    Unequal
        It did not keep up, or raised next to nothing.
    """
    kafka = servers.new_topic()
    environment = as_environment(kafka, servers.new_database("detector"))
    tell(f"fastpath: {rate:,} a second: history")
    prices, history = _history()
    sender = _Sender(kafka)
    sender.send_all(history)
    with TemporaryDirectory() as folder, _detector(environment, Path(folder) / "log") as port:
        _wait(lambda: read_metric(f"http://{LOOPBACK}:{port}", _TAKEN, outcome="taken") == len(history))
        tell(f"fastpath: {rate:,} a second: live for {LIVE_SECONDS} s")
        sent = sender.send_live(prices, rate)
        _wait(lambda: read_metric(f"http://{LOOPBACK}:{port}", _TAKEN, outcome="taken") == len(history) + sent)
        found = _read((Path(folder) / "log").read_text())
    if len(found.ours) < LEAST_ALERTS:
        raise Unequal(f"{len(found.ours)} alerts at {rate:,} messages a second: there should be one for each burst")
    return found


_TAKEN = "volwatch_detector_records_total"


def _history() -> tuple[npt.NDArray[np.float64], list[bytes]]:
    """Return the last price of each symbol, and an hour of bars, four prints each, that ends now."""
    choice = np.random.default_rng(1)
    names, level = symbol_names(SYMBOLS), np.full(SYMBOLS, math.log(200.0))
    now_ms = int(time.time() * 1000)
    start_ms = now_ms // _MINUTE_MS * _MINUTE_MS - (HISTORY_MINUTES - 1) * _MINUTE_MS
    records: list[bytes] = []
    for minute in range(HISTORY_MINUTES - 1):
        paths = level[:, None] + np.cumsum(choice.normal(0, _SPREAD / math.sqrt(_STEPS), (SYMBOLS, _STEPS)), axis=1)
        level = paths[:, -1]
        prints = np.round(np.exp(np.stack([paths[:, 0], paths.max(1), paths.min(1), level])), 2)
        for quarter in range(4):
            at_ms = start_ms + minute * _MINUTE_MS + 5_000 + quarter * 15_000
            records += [_record(name, float(price), at_ms) for name, price in zip(names, prints[quarter], strict=True)]
    return level, records


def _record(symbol: str, price: float, at_ms: int) -> bytes:
    return encode(Trade("simulator", symbol, at_ms, price, 1.0, (), None, at_ms, 0))


class _Sender:
    def __init__(self, kafka: KafkaSettings) -> None:
        self._topic = kafka.topic
        self._producer = Producer(
            {**kafka.client_config(), "enable.idempotence": True, "linger.ms": 1, "partitioner": "murmur2_random"}
        )
        self._names = symbol_names(SYMBOLS)

    def send_all(self, history: list[bytes]) -> None:
        for number, record in enumerate(history):
            self._send(record, self._names[number % SYMBOLS])
        self._producer.flush(60)

    def send_live(self, level: npt.NDArray[np.float64], rate: int) -> int:
        """Send so many records a second, each when it is time; return how many."""
        choice = np.random.default_rng(2)
        spread = np.full(SYMBOLS, _SPREAD / math.sqrt(60 * rate / SYMBOLS))
        began = time.monotonic()
        portion, sent = max(rate // 200, 1), 0
        while sent < rate * LIVE_SECONDS:
            if sent // rate != (sent + portion) // rate and sent // rate < LIVE_SECONDS:
                spread[17 * (sent // rate) % SYMBOLS] *= _BURST
            ahead_seconds = sent / rate - (time.monotonic() - began)
            if ahead_seconds > 0:
                time.sleep(ahead_seconds)
            symbols = choice.integers(0, SYMBOLS, portion)
            steps, now_ms = choice.normal(0, 1, portion), int(time.time() * 1000)
            for symbol, step in zip(symbols.tolist(), steps.tolist(), strict=True):
                level[symbol] += step * spread[symbol]
                self._send(_record(self._names[symbol], round(math.exp(level[symbol]), 2), now_ms), self._names[symbol])
            sent += portion
        self._producer.flush(60)
        if time.monotonic() - began > 1.1 * LIVE_SECONDS:
            raise Unequal(f"{rate:,} messages a second could not be sent: it took {time.monotonic() - began:.0f} s")
        return sent

    def _send(self, record: bytes, symbol: str) -> None:
        while True:
            try:
                self._producer.produce(self._topic, record, symbol, headers=list(KAFKA_HEADERS))
            except BufferError:
                self._producer.poll(0.05)
            else:
                self._producer.poll(0)
                return


@contextmanager
def _detector(environment: dict[str, str], log: Path) -> Iterator[int]:
    port = free_port(Random())
    own = {
        "VOLWATCH_SERVICE_HOST": LOOPBACK,
        "VOLWATCH_SERVICE_PORT": str(port),
        "VOLWATCH_DETECTOR_GROUP": f"bench-{uuid.uuid4().hex[:8]}",
    }
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "volwatch.cli", "detector"], env={**os.environ, **environment, **own}, stdout=told
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not question():
        if time.monotonic() > deadline:
            raise Unequal(f"the detector did not take all in {_PATIENCE_SECONDS:g} s")
        time.sleep(0.5)


def _read(log: str) -> Delays:
    """Return the delays of the rounds that opened alerts on the open bar."""
    ours, bar_end = [], []
    for line in log.splitlines():
        told = json.loads(line)
        if told["event"] != "alerts_told" or "OPEN" not in told["steps"]:
            continue
        committed = _epoch_ms(told["timestamp"])
        arrived = committed - told["delay"] * 1000
        ours.append(told["delay"] * 1000)
        bar_end.append(arrived // _MINUTE_MS * _MINUTE_MS + _MINUTE_MS + PROVISIONAL_AFTER_MS - arrived)
    return Delays(ours, bar_end)


def _epoch_ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
