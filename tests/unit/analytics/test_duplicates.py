"""Resent messages go, genuine twins stay; what is forgotten can no longer matter."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics import duplicates
from volwatch.analytics.bars import FUTURE_TOLERANCE_MS
from volwatch.analytics.duplicates import Duplicates, restore, save
from volwatch.trade import Trade

NOW_MS = 1_767_623_402_000
RECORDED = Path(__file__).parents[2] / "data" / "dirty_trades.jsonl"


def a_trade(symbol: str = "A", price: float = 100.0, size: float = 5.0, conditions: tuple[str, ...] = ()) -> Trade:
    return Trade("finnhub", symbol, NOW_MS, price, size, conditions, None, NOW_MS, 0)


A, B = a_trade(), a_trade("B")


def resent(messages: list[list[Trade]], at_ms: list[int] | None = None) -> list[bool]:
    known = Duplicates(120)
    times = at_ms or [NOW_MS + index for index in range(len(messages))]
    return [known.is_resent(message, [], time) for message, time in zip(messages, times, strict=True)]


def test_a_message_that_comes_again_is_resent_however_often() -> None:
    assert resent([[A, B], [A, B], [B], [A, B]]) == [False, True, False, True]


def test_when_it_came_and_how_it_was_numbered_is_no_part_of_a_trade() -> None:
    again = Trade("finnhub", "A", NOW_MS, 100.0, 5.0, (), None, NOW_MS + 900, 12)
    assert resent([[A], [again]]) == [False, True]


@pytest.mark.parametrize("other", [a_trade("C"), a_trade(price=100.01), a_trade(size=6.0), a_trade(conditions=("1",))])
def test_a_message_that_differs_in_anything_else_is_new(other: Trade) -> None:
    assert resent([[A, B], [other, B]]) == [False, False]


def test_twins_are_real_inside_a_message_and_at_the_cut_between_two() -> None:
    assert resent([[A, A], [A], [A, B], [B, A, A]]) == [False, False, False, False]


def test_what_cannot_be_told_apart_twins_each_alone_in_a_message_count_as_a_resend() -> None:
    assert resent([[A], [A]]) == [False, True]


def test_rejects_are_part_of_a_message_and_an_empty_one_is_never_a_resend() -> None:
    known = Duplicates(120)
    with_reject: tuple[list[Trade], list[bytes]] = ([A, B], [b"x"])
    messages = [([A, B], []), with_reject, with_reject, ([], []), ([], [])]
    assert [known.is_resent(*message, NOW_MS) for message in messages] == [False, False, True, False, False]
    assert (known.memory.messages, known.memory.trades) == (1, 2)


small_messages = st.lists(st.lists(st.sampled_from([A, B, a_trade(size=6.0)]), max_size=3), max_size=12)


@given(small_messages)
def test_a_resend_is_a_message_whose_keys_with_occurrence_numbers_an_earlier_one_had(
    messages: list[list[Trade]],
) -> None:
    earlier: list[set[object]] = []
    expected = []
    for message in messages:
        seen: Counter[Trade] = Counter()
        keys: set[object] = set()
        for trade in message:
            seen[trade] += 1
            keys.add((trade, seen[trade]))
        expected.append(bool(keys) and keys in earlier)
        earlier.append(keys)
    assert resent(messages) == expected


@given(small_messages, st.integers(0, 12))
def test_a_restored_memory_goes_on_as_if_nothing_had_been(messages: list[list[Trade]], cut: int) -> None:
    first = Duplicates(120)
    flags = [first.is_resent(message, [], NOW_MS) for message in messages[:cut]]
    second = Duplicates(120, restore(save(first.memory)))
    flags += [second.is_resent(message, [], NOW_MS) for message in messages[cut:]]
    assert flags == resent(messages, [NOW_MS] * len(messages))
    assert second.memory.messages == sum(flags)
    assert save(restore(save(second.memory))) == save(second.memory)


def test_a_message_is_forgotten_once_its_latest_possible_bar_is_final() -> None:
    horizon_ms = 120_000 + 60_000 + FUTURE_TOLERANCE_MS
    assert resent([[A], [A]], [NOW_MS, NOW_MS + horizon_ms - 1]) == [False, True]
    assert resent([[A], [A]], [NOW_MS, NOW_MS + horizon_ms]) == [False, False]


def test_arrival_that_steps_back_forgets_nothing() -> None:
    c = a_trade("C")
    times = [NOW_MS + seconds * 1000 for seconds in (0, 180, 0, 190, 190)]
    assert resent([[B], [B], [A], [c], [A]], times) == [False, True, False, False, True]


def test_memory_is_bounded_even_when_the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_MESSAGES", 3)
    known = Duplicates(120)
    for size in range(1, 10):
        assert not known.is_resent([a_trade(size=float(size))], [], NOW_MS)
    assert len(known.memory.seen) == 3
    assert known.is_resent([a_trade(size=9.0)], [], NOW_MS)
    assert not known.is_resent([a_trade(size=1.0)], [], NOW_MS)


def test_in_the_recorded_feed_the_resent_messages_are_found_and_no_twin_is_lost() -> None:
    known = Duplicates(120)
    count = 0
    for line in RECORDED.read_text().splitlines():
        arrived = json.loads(line)
        items = [json.dumps(item).encode() for item in arrived["message"].get("data", [])]
        count += known.is_resent([], items, arrived["arrival_ms"])
    assert count == json.loads(RECORDED.with_name("dirty_trades_expected.json").read_text())["resent_messages"]
