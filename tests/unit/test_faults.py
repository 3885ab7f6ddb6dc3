"""The fault runs' own parts: one seed gives one schedule, and what is lost or doubled is seen."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults import schedule
from tests.faults.check import Check, compare
from tests.faults.main import options_of
from tests.faults.platform import last_trades
from tests.faults.schedule import AWAY, KILL, LEAVE, RESTART, Fault, plan
from tests.faults.source import Market, Sample, check_delivered, check_emitted, lives
from tests.faults.verdict import check_set_aside, trades_of
from tests.integration.worlds import end_mark
from volwatch.producer.faults import spoil
from volwatch.trade import Trade, decode, encode

PARTS = {"producer": "kafka", "consumer-1": "minio", "consumer-2": "minio", "loader": "postgres"}
SERVERS = ("kafka", "minio", "postgres")
MARKET = Market(seed=3, rate=200.0, history_minutes=0, history_rate=8.0, symbols=4)
WITH_HISTORY = Market(seed=3, rate=200.0, history_minutes=2, history_rate=8.0, symbols=4)
STARTED_MS = 1_767_625_200_000

Values = dict[int, list[bytes]]


def planned(seed: int, kills: int = 50, seconds: float = 490.0) -> list[Fault]:
    return plan(
        seed,
        killed=PARTS,
        leaving=["consumer-2"],
        servers=SERVERS,
        kills=kills,
        seconds=seconds,
        away_seconds=60.0,
    )


@given(st.integers(0, 1_000), st.integers(5, 60))
def test_a_schedule_is_the_seeds_and_spreads_the_kills(seed: int, kills: int) -> None:
    faults = planned(seed, kills)
    assert faults == planned(seed, kills) == sorted(faults, key=lambda fault: fault.at_seconds)
    times = [sum(fault.act == KILL and fault.target == part for fault in faults) for part in PARTS]
    assert (sum(times), max(times) - min(times) <= 1) == (kills, True)
    assert sum(fault.act == LEAVE for fault in faults) == kills // 5


@given(st.integers(0, 1_000))
def test_each_server_goes_twice_and_none_before_the_other_is_back(seed: int) -> None:
    outages = [fault for fault in planned(seed) if fault.act in (RESTART, AWAY)]
    assert {(fault.act, fault.target) for fault in outages} == {
        (act, name) for act in (RESTART, AWAY) for name in SERVERS
    }
    assert len(outages) == 6
    for before, after in pairwise(outages):
        assert after.at_seconds >= before.at_seconds + before.for_seconds
    assert outages[-1].at_seconds + outages[-1].for_seconds <= 490.0


@given(st.integers(0, 1_000))
def test_while_a_server_is_away_a_process_that_writes_there_is_killed(seed: int) -> None:
    faults = planned(seed, kills=5)
    for away in (fault for fault in faults if fault.act == AWAY):
        late = (away.at_seconds + 0.7 * away.for_seconds, away.at_seconds + away.for_seconds)
        assert any(
            fault.act == KILL and PARTS[fault.target] == away.target and late[0] <= fault.at_seconds <= late[1]
            for fault in faults
        )


def test_other_seeds_give_other_schedules() -> None:
    assert planned(1) != planned(2)


def test_a_run_is_as_long_as_what_it_has_to_do() -> None:
    options = options_of(["--kills", "10", "--away", "5", "--seed", "4"])
    assert (options.seed, options.rate, options.seconds) == (4, 2_000.0, 3 * (5 + 2 * 8) + 4 * 10)
    assert options.seconds == schedule.seconds_of(3, 10, 5.0)
    assert max(fault.at_seconds for fault in options.schedule(SERVERS)) <= options.seconds


def test_rows_are_compared_as_often_as_they_occur() -> None:
    assert compare("t", ["a", "b", "b"], ["b", "a", "b"]) == Check("t", 3, 0, 0)
    found = compare("t", ["a", "b", "b"], ["a", "a", "b"])
    assert found == Check("t", 3, 1, 1, ("lost: b", "doubled: a"))
    assert not found.good
    assert not compare("t", [], []).good, "nothing was compared"


def emitted(market: Market, started_ms: int, count: int, *, with_history: bool = False) -> list[Trade]:
    first = started_ms * 1_000
    return market.emitted(first, first + count, with_history=with_history)[:count]


def on_topic(*runs: list[Trade]) -> Values:
    """Return a topic of two partitions that has these trades."""
    log: Values = {0: [], 1: []}
    for trades in runs:
        for trade in trades:
            log[int(trade.symbol[-1]) % 2].append(encode(trade))
    return log


FIRST = emitted(MARKET, STARTED_MS, 300)
SECOND = emitted(MARKET, STARTED_MS + 2_000, 100)


def test_the_lives_of_a_producer_are_told_apart_and_a_last_part_may_be_missing() -> None:
    log = on_topic(FIRST, SECOND)
    del log[1][-3:]
    found = lives(log)
    assert [(life.first_seq, life.records) for life in found] == [
        (STARTED_MS * 1_000, 300),
        ((STARTED_MS + 2_000) * 1_000, 97),
    ]
    assert check_emitted(MARKET, found) == Check("emitted → topic", 397, 0, 0)


def test_a_life_with_history_began_before_its_numbers_did() -> None:
    trades = emitted(WITH_HISTORY, STARTED_MS, 1_500, with_history=True)
    assert trades[0].received_at < STARTED_MS - 119_000 < STARTED_MS < trades[-1].received_at
    assert check_emitted(WITH_HISTORY, lives(on_topic(trades))) == Check("emitted → topic", 1_500, 0, 0)


def test_marks_and_spoiled_copies_are_neither_lost_nor_doubled() -> None:
    log = on_topic(FIRST)
    log[0] += [spoil(FIRST[7], kind) for kind in ("not_json", "negative_price", "late_trade")]
    log[0].append(encode(end_mark(FIRST[-1])))
    [life] = lives(log)
    assert (life.records, life.malformed) == (303, 1)
    assert check_emitted(MARKET, [life]) == Check("emitted → topic", 300, 0, 0)


def drop(values: list[bytes]) -> None:
    del values[20]


def double(values: list[bytes]) -> None:
    values.insert(30, values[20])


def swap(values: list[bytes]) -> None:
    values[20], values[21] = values[21], values[20]


def alter(values: list[bytes]) -> None:
    trade = decode(values[20])
    values[20] = encode(msgspec.structs.replace(trade, size=trade.size + 1.0))


@pytest.mark.parametrize(("spoil_log", "lost", "doubled"), [(drop, 1, 0), (double, 0, 2), (swap, 0, 1), (alter, 1, 0)])
def test_what_the_broker_lost_doubled_swapped_or_altered_is_seen(
    spoil_log: Callable[[list[bytes]], None], lost: int, doubled: int
) -> None:
    log = on_topic(FIRST, SECOND)
    spoil_log(log[1])
    found = check_emitted(MARKET, lives(log))
    assert (found.lost, found.doubled, len(found.examples) > 0) == (lost, doubled, True)


def test_a_topic_that_has_less_than_was_delivered_has_lost_it() -> None:
    found = lives(on_topic(FIRST, SECOND))
    killed = Sample(STARTED_MS - 500, STARTED_MS + 1_500, 290, whole=False)
    ended = Sample(STARTED_MS + 1_600, STARTED_MS + 9_000, 100, whole=True)
    assert check_delivered([killed, ended], found) == Check("delivered → topic", 390, 0, 0)
    short = check_delivered([Sample(killed.started_ms, killed.taken_ms, 305, whole=False), ended], found)
    assert (short.lost, short.doubled) == (5, 0)
    excess = check_delivered([killed, Sample(ended.started_ms, ended.taken_ms, 98, whole=True)], found)
    assert (excess.lost, excess.doubled) == (0, 2)


def test_records_that_are_no_trades_must_be_set_aside() -> None:
    trades, malformed = trades_of({0: [encode(FIRST[0]), b"{"], 1: [b"", encode(FIRST[1])]})
    assert (trades, malformed) == ({0: {0: FIRST[0]}, 1: {1: FIRST[1]}}, {(0, 1), (1, 0)})
    assert check_set_aside(malformed, {(1, 0)}) == Check("no trades → quarantine topic", 2, 1, 0)
    assert check_set_aside(malformed, {*malformed, (1, 1)}) == Check("no trades → quarantine topic", 2, 0, 1)


def test_a_mark_goes_behind_the_last_trade_of_each_symbol() -> None:
    assert last_trades([encode(trade) for trade in FIRST] + [b"{", encode(end_mark(FIRST[0]))]) == {
        trade.symbol: trade for trade in FIRST
    }
