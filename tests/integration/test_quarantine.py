"""Quarantine and reconcile on real servers: what was not taken is shown, sent again once, and counted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.integration.worlds import World, end_mark, print_of, simulated
from volwatch.consumer.quarantine import Quarantine
from volwatch.settings import KafkaSettings, RawzoneSettings, WarehouseSettings, load
from volwatch.sifting import Reject
from volwatch.topics import offsets
from volwatch.trade import Trade, decode, encode


@pytest.fixture
def world(platform: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in platform.items():
        monkeypatch.setenv(name, value)
    return World(*load(RawzoneSettings, WarehouseSettings))


def volwatch(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "volwatch.cli", *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def set_aside(world: World) -> list[Trade]:
    """Let three trades be rejected: a bad price; a time ahead that comes, within the last minute; and a late one."""
    trades = simulated(minutes=20)
    last = trades[-1]
    ahead = print_of(last, event_time=last.received_at + 20_000)
    bad = [print_of(last, price=-1.0), ahead, print_of(last, event_time=trades[0].event_time)]
    reached = end_mark(last, after_ms=30_000)
    world.put_all([*trades, *bad, reached], rows=10_000)
    world.run()
    return [*bad, reached]


def on_topic(settings: KafkaSettings) -> list[tuple[bytes | None, Trade]]:
    """Return the key and the trade of all that stands on the topic of trades."""
    with closing(Consumer({**settings.client_config(), "group.id": "looking"})) as consumer:
        ends = {partition: end for partition, (_, end) in offsets(settings).items() if end}
        consumer.assign([TopicPartition(settings.topic, partition, 0) for partition in ends])
        found: list[tuple[bytes | None, Trade]] = []
        deadline = time.monotonic() + 30
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                found.append((message.key(), decode(message.value())))
        return found


def test_a_trade_is_shown_and_sent_again_once(world: World, platform_as: Callable[[str], dict[str, str]]) -> None:
    _bad, ahead, _late, reached = set_aside(world)
    ids = {reason: f"{each}" for each, reason in world.select("SELECT quarantine_id, reason FROM quarantine")}
    assert set(ids) == {"BAD_PRICE", "FUTURE", "LATE"}
    [kafka] = load(KafkaSettings, RawzoneSettings)[:1]

    listed = volwatch("quarantine", "list", "--limit", "2", environment=platform_as("readonly"))
    assert (listed.returncode, listed.stdout.count("\n")) == (0, 3), listed.stderr
    assert listed.stderr == "         1 BAD_PRICE\n         1 FUTURE\n         1 LATE\n"
    shown = volwatch("quarantine", "show", ids["FUTURE"], environment=platform_as("readonly")).stdout
    assert "retry      possible: its time has come" in shown
    assert "raw object " in shown
    assert "none in the ledger" not in shown
    assert json.loads(shown[shown.index("{") :]) == json.loads(encode(ahead))

    dry = volwatch("quarantine", "retry", *ids.values(), "--dry-run")
    assert (dry.returncode, dry.stdout.splitlines()[-1]) == (1, "1 to send, 2 refused; nothing was sent")
    assert on_topic(kafka) == []

    sent = volwatch("quarantine", "retry", *ids.values(), "--yes", "--by", "ada")
    assert (sent.returncode, sent.stdout.splitlines()[-1]) == (1, "1 sent, 2 refused"), sent.stderr
    again = print_of(ahead, received_at=reached.received_at)
    assert on_topic(kafka) == [(ahead.symbol.encode(), again)]
    assert world.select("SELECT reason, retried_by FROM quarantine WHERE retried_at IS NOT NULL") == [("FUTURE", "ada")]

    assert volwatch("quarantine", "retry", ids["FUTURE"], "--yes").returncode == 1
    assert (
        volwatch("quarantine", "retry", "--reason", "FUTURE", "--since", "2020-01-01T00:00Z", "--yes").returncode == 0
    )
    assert len(on_topic(kafka)) == 1
    assert volwatch("quarantine", "retry", ids["FUTURE"], "--yes", "--force").returncode == 0
    assert len(on_topic(kafka)) == 2


def test_a_trade_that_is_sent_again_is_in_its_bar(world: World) -> None:
    *_, reached = set_aside(world)
    [(quarantine_id, offset)] = world.select(
        "SELECT quarantine_id, kafka_offset FROM quarantine WHERE reason = 'FUTURE'"
    )
    [kafka] = load(KafkaSettings, RawzoneSettings)[:1]
    assert volwatch("quarantine", "retry", f"{quarantine_id}", "--yes").returncode == 0
    [(_, again)] = on_topic(kafka)
    count = "SELECT sum(trades) FROM stock_prices WHERE bar_seconds = 60"
    [before] = world.select(count)
    world.put(0, offset + 3, [again, end_mark(reached)])
    world.run()
    [after] = world.select(count)
    assert after[0] == before[0] + 1
    assert world.select("SELECT count(*) FROM quarantine") == [(3,)]


def test_a_role_that_may_only_read_marks_nothing(world: World, platform_as: Callable[[str], dict[str, str]]) -> None:
    set_aside(world)
    [(quarantine_id,)] = world.select("SELECT quarantine_id FROM quarantine WHERE reason = 'FUTURE'")
    [kafka] = load(KafkaSettings, RawzoneSettings)[:1]
    refused = volwatch("quarantine", "retry", f"{quarantine_id}", "--yes", environment=platform_as("readonly"))
    assert (refused.returncode, refused.stderr) == (
        1,
        "volwatch quarantine: permission denied for table quarantine\n",
    )
    assert on_topic(kafka) == []


def test_there_is_no_trade_of_another_id(world: World) -> None:
    missing = volwatch("quarantine", "show", "7")
    assert (missing.returncode, missing.stderr) == (
        2,
        "volwatch quarantine: 1 fault(s) in what it was given\n  - ID: there is no 7 in quarantine\n",
    )


def test_records_that_were_no_trades_are_shown_from_their_topic(world: World) -> None:
    [kafka] = load(KafkaSettings, RawzoneSettings)[:1]
    rejects = [Reject(3, offset, b"no \x1b JSON", "MALFORMED", f"line {offset}") for offset in range(3)]
    Quarantine.connect(kafka).send([*rejects, Reject(3, 3, None, "OTHER", "")])
    listed = volwatch("quarantine", "list", "--topic", "--reason", "MALFORMED")
    assert listed.stderr == "         3 MALFORMED\n"
    header, *rows = listed.stdout.splitlines()
    assert header == "place,at,symbol,reason,detail,origin,record"
    assert sorted(row.split(",", 2)[2] for row in rows) == [
        f",MALFORMED,line {offset},3/{offset},no \\x1b JSON" for offset in range(3)
    ]
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat()
    assert volwatch("quarantine", "list", "--topic", "--since", later).stdout.count("\n") == 1


def test_reconcile_tells_what_is_lost_and_stores_it_unless_told_not_to(
    world: World, platform_as: Callable[[str], dict[str, str]]
) -> None:
    [kafka] = load(KafkaSettings, RawzoneSettings)[:1]
    trades = simulated(minutes=20)
    producer = Producer({**kafka.client_config()})
    for trade in trades:
        producer.produce(kafka.topic, encode(trade), partition=0)
    assert producer.flush(30) == 0
    world.put_all(trades, rows=100)
    world.run()
    whole = volwatch("reconcile", "--no-store", environment=platform_as("readonly"))
    assert whole.returncode == 0, whole.stderr
    assert world.select("SELECT count(*) FROM reconciliations") == [(0,)]

    world.put(0, len(trades) + 10, trades[:10])
    world.run()
    world.run()
    lost = volwatch("reconcile")
    assert (lost.returncode, lost.stdout.splitlines()[1].endswith(",10,0,10,")) == (1, True), lost.stdout
    assert world.select("SELECT kafka_partition, missing_raw FROM reconciliations WHERE missing_raw > 0") == [(0, 10)]
    beside = volwatch("reconcile", "--no-store", "--history", "2020-01-01T00:00Z")
    rows = [line.split(",", 1) for line in beside.stdout.splitlines()[1:]]
    half = len(rows) // 2
    assert [told for _, told in rows[:half]] == [told for _, told in rows[half:]]
    assert half == kafka.partitions
