"""Quotes by HTTP from the double, through Kafka, consumer and pipeline: every minute's prices, each of them once."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest
import urllib3
from pydantic import SecretStr
from structlog.testing import capture_logs

from tests.integration.worlds import World, end_mark, print_of
from volwatch.errors import Misconfigured, Transient
from volwatch.finnhub import QUOTE_SOURCE
from volwatch.local.finnhub_double import FinnhubDouble
from volwatch.local.finnhub_quotes import TOKEN_HEADER, Answer
from volwatch.local.stack import Stack
from volwatch.pipeline import quotes
from volwatch.pipeline.call_budget import CallBudget
from volwatch.pipeline.command import NoAccount, run_minute, run_quotes
from volwatch.pipeline.finnhub_rest import FinnhubRest
from volwatch.pipeline.quotes import Report
from volwatch.sending import connect as connect_to_kafka
from volwatch.sending import send
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load, load_one
from volwatch.topics import check_topics, offsets
from volwatch.trade import Trade
from volwatch.warehouse import provision
from volwatch.warehouse.connection import connect

TOKEN = "s3cret-t0ken"
BARS = """SELECT source, symbol, open::float, high::float, low::float, close::float, volume::float, vwap, trades,
    revision, final FROM stock_prices ORDER BY symbol"""


@pytest.fixture
def double() -> Iterator[FinnhubDouble]:
    with FinnhubDouble(TOKEN) as started:
        yield started


@pytest.fixture
def world(platform: dict[str, str], double: FinnhubDouble, monkeypatch: pytest.MonkeyPatch) -> World:
    """A platform of the test's own, in whose environment this process is, with the double for Finnhub."""
    own = {
        "VOLWATCH_FINNHUB_TOKEN": TOKEN,
        "VOLWATCH_FINNHUB_SYMBOLS": "AAPL, BINANCE:BTCUSDT,AAPL",
        "VOLWATCH_FINNHUB_REST_URL": double.rest_url,
    }
    for name, value in {**platform, **own}.items():
        monkeypatch.setenv(name, value)
    wait_for_topics()
    return World(*load(RawzoneSettings, WarehouseSettings))


def wait_for_topics() -> None:
    """Return when the broker tells of the topics that were just made."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return check_topics(load_one(KafkaSettings))
        except Transient:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def sent() -> int:
    """Return how many records are on the topic."""
    return sum(end for _first, end in offsets(load_one(KafkaSettings)).values())


@contextmanager
def consumer() -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "volwatch.cli", "consumer"],
        env={
            **os.environ,
            "VOLWATCH_SERVICE_HOST": "127.0.0.1",
            "VOLWATCH_SERVICE_PORT": "0",
            "VOLWATCH_CONSUMER_FLUSH_SECONDS": "1",
        },
    )
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def load_all(world: World, rows: int) -> None:
    """Load what is on the topic, once so many rows are in the raw zone."""
    deadline = time.monotonic() + 60
    while (stored := sum(one.key.last_offset - one.key.first_offset + 1 for one in world.rawzone.list_all())) < rows:
        assert time.monotonic() < deadline, f"{stored} of {rows} rows came"
        time.sleep(0.1)
    run_minute()


def finish(symbols: Mapping[str, float]) -> None:
    """Send what makes the bars of symbols final."""
    kafka = load_one(KafkaSettings)
    last = Trade(QUOTE_SOURCE, "", now_ms(), 1.0, 0.0, (), None, now_ms(), 0)
    marks = [print_of(end_mark(last), symbol=symbol) for symbol in symbols]
    assert send(connect_to_kafka(kafka, "volwatch-test"), kafka.topic, dict(enumerate(marks))).failure is None


def test_quotes_become_bars_of_prices_and_runs_of_the_same_minute_change_nothing(
    world: World, double: FinnhubDouble
) -> None:
    at, prices = now_ms(), {"AAPL": 187.25, "BINANCE:BTCUSDT": 64_001.5}
    for symbol, price in prices.items():
        double.quotes.set(symbol, price, at)
    assert [run_quotes(), run_quotes()] == [Report(fetched=2, published=2), Report(fetched=2, unchanged=2)]
    finish(prices)
    assert sent() == 4
    with consumer():
        load_all(world, 4)
        expected = [(QUOTE_SOURCE, symbol, *[price] * 4, 0.0, None, 1, 0, True) for symbol, price in prices.items()]
        assert world.select(BARS) == expected
        before = world.outcome()
        assert run_quotes() == Report(fetched=2, unchanged=2)
        load_all(world, 4)
    assert (sent(), world.outcome(), before["quarantine"]) == (4, before, [])


def test_a_price_that_moves_is_published_again(world: World, double: FinnhubDouble) -> None:
    double.quotes.set("AAPL", 187.25, now_ms() - 2_000)
    double.quotes.set("BINANCE:BTCUSDT", 64_001.5, now_ms())
    first = run_quotes()
    double.quotes.set("AAPL", 187.25, now_ms())
    assert (first.published, run_quotes()) == (2, Report(fetched=2, published=1, unchanged=1))
    assert sent() == 3
    assert world.select("SELECT symbol, outcome, published FROM quotes ORDER BY symbol") == [
        ("AAPL", "PUBLISHED", 2), ("BINANCE:BTCUSDT", "UNCHANGED", 1),
    ]  # fmt: skip


def test_the_last_trade_of_a_second_is_not_taken_for_the_one_before_it(world: World, double: FinnhubDouble) -> None:
    at = now_ms()
    reports = []
    for price in (187.25, 187.5, 187.5):
        double.quotes.set("AAPL", price, at)
        reports.append(run_quotes())
    assert [report.published for report in reports] == [1, 1, 0]
    assert {report.unknown for report in reports} == {1}


def test_a_closed_market_and_what_finnhub_does_not_know_are_told_and_not_published(
    world: World, double: FinnhubDouble
) -> None:
    double.quotes.set("AAPL", 187.25, now_ms() - 6 * 3_600_000)
    with capture_logs() as logs:
        report = run_quotes()
    assert (report, sent()) == (Report(fetched=2, stale=1, unknown=1), 0)
    assert [line["symbols"] for line in logs if line["event"] == "quotes_of_unknown_symbols"] == [["BINANCE:BTCUSDT"]]


def test_faults_are_waited_out_within_bounds_and_cost_their_own_symbol_only(
    world: World, double: FinnhubDouble
) -> None:
    double.quotes.set("AAPL", 187.25, now_ms())
    double.quotes.set("BINANCE:BTCUSDT", 64_001.5, now_ms())
    double.quotes.answers += [
        Answer(429, {"Retry-After": "1"}, b'{"error":"API limit reached."}'),
        Answer(500),
        Answer(body=b"<html>Bad Gateway</html>"),
        Answer(stall=True),
    ]
    began = time.monotonic()
    assert run_quotes() == Report(fetched=2, published=1, failed=1)
    assert 6.0 < time.monotonic() - began < 20.0  # a second that was asked for, and five of silence
    assert len(double.quotes.calls) == 5


@pytest.mark.parametrize(("status", "fault"), [(401, "Finnhub does not know it"), (403, "ask for none of its symbols")])
def test_a_refused_account_ends_it_and_the_token_is_nowhere(
    world: World, double: FinnhubDouble, status: int, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    double.quotes.answers += [Answer(status)] * 2
    with capture_logs() as logs, pytest.raises(Misconfigured) as caught:
        run_quotes()
    assert fault in caught.value.faults[0]
    told = [repr(caught.value), str(logs), *(record.getMessage() for record in caplog.records), *double.quotes.paths]
    assert [text for text in told if TOKEN in text] == []
    assert sent() == 0


def test_without_a_token_nobody_is_asked(world: World, double: FinnhubDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLWATCH_FINNHUB_TOKEN", "")
    with pytest.raises(NoAccount, match="VOLWATCH_FINNHUB_TOKEN is not set"):
        run_quotes()
    assert double.quotes.calls == []


def test_a_long_watch_list_takes_turns_within_the_limits_of_a_minute(
    stack: Stack, world: World, double: FinnhubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table goes before the variable; the second run waits for what the first has used up, and is out of time."""
    symbols = [f"S{number:02}" for number in range(45)]
    execute(stack, world, "INSERT INTO watchlist SELECT unnest(%s), 'XNYS'", symbols)
    for symbol in symbols:
        double.quotes.set(symbol, 10.0, now_ms())
    monkeypatch.setenv("VOLWATCH_FINNHUB_QUOTES_PER_MINUTE", "30")
    with capture_logs() as logs:
        first = run_quotes()
    assert first == Report(fetched=30, published=30, left=15)
    assert [line["minutes"] for line in logs if line["event"] == "quotes_take_turns"] == [2]
    assert asked(double) == symbols[:30]
    assert run_quotes() == Report(left=45)
    assert (len(double.quotes.calls), double.quotes.refused) == (30, 0)
    execute(stack, world, "UPDATE quotes SET asked_at = asked_at - interval '1 minute'")
    second = run_quotes()
    assert (second.fetched, second.published, second.left) == (30, 15, 15)
    assert set(asked(double)) == set(symbols)


def asked(double: FinnhubDouble) -> list[str]:
    return [path.rpartition("=")[2] for path in double.quotes.paths]


def execute(stack: Stack, world: World, statement: str, *values: object) -> None:
    """Change the warehouse as its owner may."""
    owner = stack.postgres.settings(provision.OWNER, world.warehouse.database)
    with (
        closing(connect(owner, application_name="volwatch-test")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)


def test_two_runs_at_once_publish_once(world: World, double: FinnhubDouble) -> None:
    double.quotes.set("AAPL", 187.25, now_ms())
    double.quotes.answers.append(Answer(stall=True))
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(run_quotes)
        double.wait_for(lambda it: len(it.quotes.calls) == 1)
        assert run_quotes() == Report(busy=True)
        assert slow.result(60) == Report(fetched=2, published=1, unknown=1)
    assert sent() == 1


def test_a_run_that_dies_before_it_has_sent_costs_a_sample_and_doubles_none(
    world: World, double: FinnhubDouble
) -> None:
    double.quotes.set("AAPL", 187.25, now_ms() - 2_000)

    def die(_trades: Sequence[Trade]) -> None:
        raise KeyboardInterrupt

    opened = connect(world.warehouse, application_name="volwatch-test")
    with closing(opened), pytest.raises(KeyboardInterrupt):
        quotes.run(opened, partial(source, double), die, ["AAPL"], 50, lambda: datetime.now(UTC))
    assert (run_quotes(), sent()) == (Report(fetched=2, unchanged=1, unknown=1), 0)
    double.quotes.set("AAPL", 187.5, now_ms())
    assert (run_quotes(), sent()) == (Report(fetched=2, published=1, unknown=1), 1)


def source(double: FinnhubDouble, spent: Sequence[float]) -> FinnhubRest:
    budget = CallBudget(50, 30.0, time.monotonic, time.sleep, spent)
    return FinnhubRest(double.rest_url, SecretStr(TOKEN), urllib3.PoolManager(), budget)


def test_a_kafka_that_is_away_is_noticed_before_anything_is_asked(
    world: World, double: FinnhubDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:9")
    with pytest.raises(Transient, match="Kafka"):
        run_quotes()
    assert double.quotes.calls == []


def test_the_command_tells_in_one_line_what_it_did(world: World, double: FinnhubDouble) -> None:
    double.quotes.set("AAPL", 187.25, now_ms())
    command = [sys.executable, "-m", "volwatch.cli", "pipeline", "quotes"]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["event"], told["published"], told["unknown"]) == ("quotes_run", 1, 1)
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(("header", "status"), [({}, 401), ({TOKEN_HEADER: "another"}, 401)])
def test_the_double_knows_its_token_only(double: FinnhubDouble, header: dict[str, str], status: int) -> None:
    answer = urllib3.request("GET", f"{double.rest_url}/quote", fields={"symbol": "AAPL"}, headers=header)
    assert answer.status == status


def test_the_double_keeps_to_the_limit_of_a_second(double: FinnhubDouble) -> None:
    pool = urllib3.PoolManager()
    statuses = [
        pool.request("GET", f"{double.rest_url}/quote?symbol=A", headers={TOKEN_HEADER: TOKEN}, retries=False).status
        for _ in range(70)
    ]
    assert statuses[:30] == [200] * 30
    assert statuses[-1] == 429
