"""Alerts of a market: by hand, against the words, and whatever the order in which the alerts of its symbols came."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.market_wide import (
    LEAST_SYMBOLS,
    QUIET_BARS,
    SHARE_PERCENT,
    WINDOW_BARS,
    Member,
    Standing,
    Wave,
    crowds,
    standing,
    waves,
)

MINUTE_MS = 60_000
OPEN_MS = 1_767_623_400_000  # 2026-01-05T14:30:00Z


def at(minute: int) -> int:
    return OPEN_MS + minute * MINUTE_MS


def member(symbol: str, minute: int, **changes: object) -> Member:
    """Return an open alert that is final."""
    usual = Member(f"{symbol}-{minute}", symbol, at(minute), "LOW", "OPEN", True, at(minute) + 65_000, None)
    return replace(usual, **changes)  # type: ignore[arg-type]


def together(minute: int, symbols: int, first: int = 0) -> list[Member]:
    """Return alerts of so many symbols on one bar."""
    return [member(f"S{number:02d}", minute) for number in range(first, first + symbols)]


def told(members: Sequence[Member], seen: int) -> list[Wave]:
    return waves(members, dict.fromkeys(crowds(members), seen))


@pytest.mark.parametrize(("opened", "found"), [(3, 0), (4, 1), (10, 1)])
def test_more_than_three_in_ten_symbols_make_a_wave(opened: int, found: int) -> None:
    assert len(told(together(0, opened), 10)) == found


@pytest.mark.parametrize(("symbols", "found"), [(LEAST_SYMBOLS - 1, 0), (LEAST_SYMBOLS, 1)])
def test_a_market_of_few_symbols_has_none(symbols: int, found: int) -> None:
    assert len(told(together(0, symbols), symbols)) == found


@pytest.mark.parametrize(("apart", "found"), [(WINDOW_BARS - 1, 1), (WINDOW_BARS, 0)])
def test_symbols_open_together_when_they_do_within_three_bars(apart: int, found: int) -> None:
    assert len(told([*together(0, 2), *together(apart, 2, first=2)], 10)) == found


def test_a_symbol_that_opens_twice_counts_once() -> None:
    again = [replace(one, alert_id=f"{one.alert_id}-reopen") for one in together(1, 3)]
    assert told([*together(0, 3), *again], 10) == []


def test_a_wave_begins_on_the_bar_on_which_most_opened_and_tells_its_largest_share() -> None:
    """Of 20 symbols 1 opens at 14:30, 7 at 14:31, 2 at 14:32, 1 at 14:36: 8, 10 and 1 within three bars."""
    early, crowd, late = together(0, 1), together(1, 7, first=1), together(2, 2, first=8)
    straggler = together(6, 1, first=10)
    [wave] = told([*straggler, *late, *crowd, *early], 20)
    assert (wave.onset, wave.first, wave.last) == (at(1), at(1), at(2))
    assert (wave.opened, wave.symbols, wave.share) == (10, 20, 0.5)
    assert wave.members == (*early, *crowd, *late)


@pytest.mark.parametrize(("quiet", "found"), [(QUIET_BARS, 1), (QUIET_BARS + 1, 2)])
def test_waves_are_parted_by_bars_without_a_crowd(quiet: int, found: int) -> None:
    made = told([*together(0, 5), *together(quiet, 5, first=5)], 10)
    assert len(made) == found
    assert sum(len(wave.members) for wave in made) == 10


def test_a_wave_is_confirmed_when_final_bars_alone_make_it_one() -> None:
    members = together(0, 5)
    doubtful = [replace(one, confirmed=False) for one in members[:2]]
    assert [wave.confirmed for wave in told([*doubtful, *members[2:]], 10)] == [False]
    assert [wave.confirmed for wave in told([doubtful[0], *members[1:]], 10)] == [True]


def test_each_bar_is_judged_by_the_symbols_seen_until_then() -> None:
    members = [*together(0, 4), *together(20, 4, first=4)]
    assert [wave.onset for wave in waves(members, {at(0): 10, at(20): 14})] == [at(0)]


alerts = st.lists(
    st.builds(member, st.sampled_from([f"S{number}" for number in range(12)]), st.integers(0, 40)),
    unique_by=lambda one: one.alert_id,
    max_size=40,
)


@given(members=alerts, seed=st.integers(0, 99), seen=st.integers(4, 12))
def test_the_order_in_which_alerts_came_does_not_matter(members: list[Member], seed: int, seen: int) -> None:
    shuffled = members.copy()
    random.Random(seed).shuffle(shuffled)
    assert told(shuffled, seen) == told(members, seen)


@given(members=alerts, seen=st.integers(4, 12))
def test_waves_are_what_the_words_say(members: list[Member], seen: int) -> None:
    """Bar by bar: who opened on it or on one of the two before; each bar in a wave, or no crowd stands there."""
    crowded = []
    for minute in range(41):
        opened = {one.symbol for one in members if at(minute - 2) <= one.onset <= at(minute)}
        here = any(one.onset == at(minute) for one in members)
        if here and seen >= LEAST_SYMBOLS and len(opened) / seen > SHARE_PERCENT / 100:
            crowded.append(at(minute))
    made = told(members, seen)
    for wave in made:
        assert wave.onset <= wave.first <= wave.last
        assert {wave.first, wave.last} <= set(crowded)
        assert wave.share > SHARE_PERCENT / 100
    assert [bar for bar in crowded if not any(wave.first <= bar <= wave.last for wave in made)] == []
    for earlier, later in pairwise(made):
        assert later.first - earlier.last > QUIET_BARS * MINUTE_MS
        assert not set(earlier.members) & set(later.members)


@given(members=alerts, seen=st.integers(5, 12), minute=st.integers(0, 40))
def test_what_happens_later_moves_no_wave_that_was_told(members: list[Member], seen: int, minute: int) -> None:
    known = [one for one in members if one.onset <= at(minute)]
    assert [wave.onset for wave in told(known, seen)] == [
        wave.onset for wave in told(members, seen) if wave.first <= at(minute)
    ]


CLOSED = {"state": "CLOSED"}


@pytest.mark.parametrize(
    ("members", "next_onset", "stands"),
    [
        ([member("A", 0), member("B", 0)], None, Standing("OPEN", "LOW", None)),
        ([member("A", 0, severity="HIGH"), member("B", 0)], None, Standing("OPEN", "HIGH", None)),
        (
            [member("A", 0, state="ESCALATED", severity="MEDIUM"), member("B", 0, **CLOSED, closed=at(5))],
            None,
            Standing("ESCALATED", "MEDIUM", None),
        ),
        (
            [member("A", 0, **CLOSED, closed=at(9), severity="HIGH"), member("B", 0, **CLOSED, closed=at(5))],
            None,
            Standing("CLOSED", "HIGH", at(9)),
        ),
        ([member("A", 0), member("B", 0, **CLOSED, closed=at(5))], at(30), Standing("CLOSED", "LOW", at(30))),
        ([member("A", 0, **CLOSED, closed=at(40))], at(30), Standing("CLOSED", "LOW", at(30))),
        ([member("A", 0, **CLOSED, closed=at(5))], at(30), Standing("CLOSED", "LOW", at(5))),
    ],
)
def test_an_alert_of_a_market_stands_as_its_members_do(
    members: list[Member], next_onset: int | None, stands: Standing
) -> None:
    assert standing(members, next_onset) == stands
