"""Finnhub's double in front of the whole platform: its messages become the bars that other programs made of them."""

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread

import pytest
from pydantic import SecretStr

from tests.integration.worlds import World, end_mark, print_of
from tests.oracle import DATA
from volwatch.finnhub import members
from volwatch.local.finnhub_double import FinnhubDouble
from volwatch.local.ports import free_port
from volwatch.pipeline.command import run_minute, run_quotes
from volwatch.producer.feed import Arrived, Feed, Item
from volwatch.producer.finnhub_source import FinnhubSource
from volwatch.producer.publisher import Publisher, connect
from volwatch.producer.websocket import finnhub_connection
from volwatch.runtime import Stop
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load, load_one
from volwatch.topics import offsets

TOKEN = "s3cret-t0ken"
EXPECTED = json.loads((DATA / "dirty_trades_expected.json").read_text("utf-8"))
SYMBOLS = tuple(EXPECTED["known_symbols"])
# The others are records, which the engine rejects.
NO_RECORDS = ("inf_price", "missing_t", "nan_price", "null_price", "string_price", "unknown_symbol")
NUMBERS = ("open", "high", "low", "close", "volume", "vwap")


class Tape:
    """A recorded stream, sent message by message; the only thing in which it is not live is the clock: it shows when
    each message came then."""

    def __init__(self, double: FinnhubDouble) -> None:
        self._double = double
        self._stop = Stop()
        self._now_ms = 0
        self._feed = Feed(
            partial(finnhub_connection, double.url, SecretStr(TOKEN)),
            SYMBOLS,
            self._stop,
            clock=lambda: (self._now_ms + 0.5) / 1_000,  # half of a millisecond is cut off, a rounding error with it
            monotonic=time.monotonic,
            random=random.Random(1).random,
        )
        self._arrived = 0
        self.source = FinnhubSource(self, SYMBOLS, 0, EXPECTED["lateness_allowance_ms"] // 1_000, str)

    def take(self) -> Item | None:
        item = self._feed.take()
        self._arrived += isinstance(item, Arrived)
        return item

    def play(self, publisher: Publisher) -> None:
        """Send the whole stream through feed, source and publisher, and at last marks that make its bars final."""
        lines = (DATA / "dirty_trades.jsonl").read_bytes().splitlines()
        self._now_ms = json.loads(lines[0])["arrival_ms"]
        thread = Thread(target=self._feed.run)
        thread.start()
        self._double.wait_for(lambda it: it.subscribed == [list(SYMBOLS)])
        last = None
        for number, line in enumerate(lines, 1):
            parts = members(line)
            self._now_ms = int(parts["arrival_ms"])
            self._double.send(parts["message"])
            deadline = time.monotonic() + 10
            while self._arrived < number:
                assert time.monotonic() < deadline
                batch = self.source.read(self._now_ms)
                assert batch is not None
                publisher.send(batch.trades)
                publisher.quarantine(batch.rejected)
                last = batch.trades[-1] if batch.trades else last
        self._stop.request()
        thread.join(15)
        assert last is not None
        publisher.send([print_of(end_mark(last), symbol=symbol) for symbol in SYMBOLS])
        publisher.flush(30)


@pytest.fixture
def environment(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a platform of the test's own, set here too."""
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VOLWATCH_PIPELINE_OUTLIER_FILTER", "false")
    return {**os.environ, "VOLWATCH_SERVICE_HOST": "127.0.0.1", "VOLWATCH_SERVICE_PORT": "0"}


@contextmanager
def consumer(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", "consumer"],
        env={**environment, "VOLWATCH_CONSUMER_FLUSH_SECONDS": "1"},
    )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def wait_until_stored(world: World, rows: int) -> None:
    deadline = time.monotonic() + 60
    stored = 0
    while stored < rows:
        assert time.monotonic() < deadline, f"{stored} of {rows} rows came"
        time.sleep(0.1)
        stored = sum(found.key.last_offset - found.key.first_offset + 1 for found in world.rawzone.list_all())


def bars(world: World) -> dict[tuple[str, int], list[float]]:
    found = world.select(
        f"""SELECT symbol, (extract(epoch FROM bar_start) * 1000)::bigint, {", ".join(NUMBERS)}, trades
            FROM stock_prices WHERE source = 'finnhub' AND bar_seconds = 60 AND final"""
    )
    return {(symbol, start): [float(value) for value in values] for symbol, start, *values in found}


def expected_bars() -> dict[tuple[str, int], list[float]]:
    with (DATA / "dirty_trades_expected_bars.csv").open(newline="") as lines:
        return {
            (row["symbol"], int(row["bar_start_ms"])): [float(row[name]) for name in (*NUMBERS, "trades")]
            for row in csv.DictReader(lines)
        }


def test_a_dirty_stream_becomes_the_bars_that_other_programs_made(environment: dict[str, str]) -> None:
    """Websocket, feed, source, Kafka, consumer, MinIO, pipeline, PostgreSQL; of live work only the clock is played."""
    kafka = load_one(KafkaSettings)
    publisher = Publisher(
        partial(connect, kafka), kafka.topic, kafka.quarantine_topic, clock=time.time, on_wait=lambda: None
    )
    world = World(*load(RawzoneSettings, WarehouseSettings))
    with consumer(environment):
        with FinnhubDouble(TOKEN, ping_seconds=3_600.0) as double:
            Tape(double).play(publisher)
        wait_until_stored(world, publisher.sent)
    # All at once: a partition that is loaded after the others is late, when an hour has passed in a second.
    assert run_minute().rows_loaded == publisher.sent
    made, expected = bars(world), expected_bars()
    assert made.keys() == expected.keys()
    assert {key: made[key] for key in expected} == {key: pytest.approx(row, abs=5e-9) for key, row in expected.items()}
    assert publisher.rejected == sum(EXPECTED["rejected"][name] for name in NO_RECORDS)
    late = world.select("SELECT count(*) FROM quarantine WHERE reason = 'LATE'")
    assert late == [(EXPECTED["late_beyond_allowance"],)]


@contextmanager
def producer(
    environment: dict[str, str], url: str, token: str, symbols: str = "AAPL,MSFT"
) -> Iterator[subprocess.Popen[str]]:
    own = {"VOLWATCH_FINNHUB_URL": url, "VOLWATCH_FINNHUB_TOKEN": token, "VOLWATCH_FINNHUB_SYMBOLS": symbols}
    process = subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", "producer", "--source", "finnhub"],
        env={**environment, **own, "VOLWATCH_SERVICE_LOG_LEVEL": "debug"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_sent(trades: int, rejects: int) -> None:
    kafka = load_one(KafkaSettings)
    quarantine = kafka.model_copy(update={"topic": kafka.quarantine_topic})
    deadline = time.monotonic() + 30
    while (there := tuple(sum(end for _, end in offsets(each).values()) for each in (kafka, quarantine))) != (
        trades,
        rejects,
    ):
        assert time.monotonic() < deadline, there
        time.sleep(0.1)


def test_the_producer_listens_until_it_is_told_to_stop_and_never_tells_the_token(environment: dict[str, str]) -> None:
    with FinnhubDouble(TOKEN) as double, producer(environment, double.url, TOKEN) as process:
        double.wait_for(lambda it: it.subscribed == [["AAPL", "MSFT"]])
        double.trade({"s": "AAPL", "p": 101.25, "t": time.time_ns() // 1_000_000, "v": 3})
        double.send("rubbish")
        wait_until_sent(trades=3, rejects=1)
        process.terminate()
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    told = json.loads(output.splitlines()[-1])
    assert (told["event"], told["trades"], told["delivered"], told["rejected"]) == ("producer_stopped", 3, 3, 1)
    assert TOKEN not in output


def test_a_refused_token_ends_the_producer_with_exit_code_2(environment: dict[str, str]) -> None:
    with FinnhubDouble(TOKEN) as double, producer(environment, double.url, "wr0ng-token") as process:
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, len(double.handshakes)) == (2, 1)
    assert "VOLWATCH_FINNHUB_TOKEN: Finnhub does not know it (HTTP 401)" in output
    assert "wr0ng-token" not in output


def test_more_symbols_than_finnhub_gives_are_told_before_it_is_asked(environment: dict[str, str]) -> None:
    symbols = ",".join(f"S{number:02}" for number in range(51))
    with FinnhubDouble(TOKEN) as double, producer(environment, double.url, TOKEN, symbols) as process:
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, double.handshakes) == (2, [])
    assert "VOLWATCH_FINNHUB_SYMBOLS: 51, and 50 is the most: leave out e.g. S50" in output


@contextmanager
def simulated_finnhub(environment: dict[str, str], port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "volwatch.cli", "local", "finnhub", "--symbols", "AAPL,MSFT", "--port", str(port)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def test_the_market_of_the_double_is_one_of_trades_and_of_quotes(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port(random.Random())
    monkeypatch.setenv("VOLWATCH_FINNHUB_TOKEN", TOKEN)
    monkeypatch.setenv("VOLWATCH_FINNHUB_SYMBOLS", "AAPL,MSFT")
    monkeypatch.setenv("VOLWATCH_FINNHUB_REST_URL", f"http://127.0.0.1:{port}/api/v1")
    kafka = load_one(KafkaSettings)
    with simulated_finnhub(environment, port), producer(environment, f"ws://127.0.0.1:{port}", TOKEN):
        deadline = time.monotonic() + 60
        while sum(end for _, end in offsets(kafka).values()) < 50:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert run_quotes().published == 2
