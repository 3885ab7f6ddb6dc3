"""The bad-print filter: by hand, and any cutting of any prints against a plain reference, print by print."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, SOURCE, START_MS
from tests.unit.analytics.test_suspicion import PRICES, naive
from volwatch.analytics.bars import bar_key
from volwatch.analytics.filters import Prints, Sifted, as_arrays, from_arrays, grow, new_prints, sift, suspect_bars
from volwatch.analytics.trades import Trades

LATENESS_MS = 60_000
SERIES = 3
CALM = [100.0, 100.02] * 10


@dataclass(frozen=True)
class Given:
    """One record: of a series, at a price, at a time, when the watermark stood so."""

    price: float
    series: int = 0
    event_time: int = START_MS
    watermark: int = START_MS
    enters: bool = True


@dataclass
class Told:
    """What a filter has told: offsets of prints in the order of admission with the watermark then, and the rest."""

    taken: list[tuple[int, int]] = field(default_factory=list)
    outliers: set[int] = field(default_factory=set)
    suspect: set[int] = field(default_factory=set)


def key_of(one: Given) -> int:
    return int(bar_key(np.array([one.series]), np.array([one.event_time]))[0])


def reference(records: Sequence[Given]) -> tuple[Told, list[list[float]], list[int]]:
    """Return what is told, the windows and the offsets still held, one record after another."""
    told = Told()
    windows: list[list[float]] = [[] for _ in range(SERIES)]
    held: list[list[int]] = [[] for _ in range(SERIES)]
    gone: set[int] = set()

    def decide(offset: int, taken: bool, watermark: int) -> None:
        if offset not in gone and taken:
            told.taken.append((offset, watermark))
        elif offset not in gone:
            told.outliers.add(offset)

    for offset, one in enumerate(records):
        for waiting in (waiting for of_series in held for waiting in of_series):
            end = records[waiting].event_time // MINUTE_MS * MINUTE_MS + MINUTE_MS
            if waiting not in gone and end + LATENESS_MS <= one.watermark:
                gone.add(waiting)
                told.outliers.add(waiting)
                told.suspect.add(key_of(records[waiting]))
        if not one.enters:
            told.taken.append((offset, one.watermark))
            continue
        window, waiting_here = windows[one.series], held[one.series]
        deviation = naive(one.price, window[-20:])
        if waiting_here and deviation:
            first = naive(records[waiting_here[0]].price, window[-20:])
            if abs(deviation - first) <= 0.25 * abs(first):
                waiting_here.append(offset)
                if len(waiting_here) == 3:
                    for waiting in waiting_here:
                        decide(waiting, True, one.watermark)
                    windows[one.series] = [records[waiting].price for waiting in waiting_here]
                    held[one.series] = []
                continue
        for waiting in waiting_here:
            decide(waiting, False, one.watermark)
        held[one.series] = [offset] if deviation else []
        if not deviation:
            window.append(one.price)
            told.taken.append((offset, one.watermark))
    return told, [window[-20:] for window in windows], sorted(waiting for of_series in held for waiting in of_series)


def columns(records: Sequence[Given]) -> Trades:
    """Return records as trades; each has a condition and a time of receipt of its own kind."""
    n = len(records)
    return Trades(
        series=tuple((SOURCE, f"S{index}") for index in range(SERIES)),
        code=np.array([one.series for one in records], np.int32),
        event_time=np.array([one.event_time for one in records], np.int64),
        received_at=np.array([one.event_time + offset for offset, one in enumerate(records)], np.int64),
        price=np.array([one.price for one in records], np.float64),
        size=np.arange(1, n + 1, dtype=np.float64),
        conditions=((), ("12",), ("1", "ü")),
        condition_code=(np.arange(n) % 3).astype(np.int32),
        offset=np.arange(n, dtype=np.int64),
    )


def run(records: Sequence[Given], cuts: Iterable[int] = (), saving: bool = False) -> tuple[Prints, Told, list[Sifted]]:
    """Take records through the filter in the calls that the cuts make."""
    prints, told, calls = new_prints(), Told(), []
    grow(prints, SERIES)
    whole = columns(records)
    code = whole.code.astype(np.int64)
    watermark = np.array([one.watermark for one in records], np.int64)
    enters = np.array([one.enters for one in records], np.bool_)
    for first, last in pairwise([0, *sorted(cuts), len(records)]):
        rows = slice(first, last)
        reached = np.full(SERIES, watermark[last - 1] if last else 0)
        if saving:
            prints = from_arrays(as_arrays(prints))
        sifted = sift(prints, whole.take(rows), code[rows], watermark[rows], enters[rows], reached, LATENESS_MS)
        offset = sifted.trades.offset
        told.taken += zip(offset[sifted.taken].tolist(), sifted.watermark[sifted.taken].tolist(), strict=True)
        told.outliers |= set(offset[sifted.outliers].tolist())
        told.suspect |= set(sifted.suspect.tolist())
        calls.append(sifted)
    return prints, told, calls


@st.composite
def streams(draw: st.DrawFn) -> list[Given]:
    """Return records whose times go on, with some of them late, but none later than is allowed."""
    records: list[Given] = []
    watermark = START_MS
    for _ in range(draw(st.integers(0, 90))):
        watermark += draw(st.sampled_from([0, 5, 900, 40_000]))
        late = draw(st.sampled_from([0, 0, 0, 70_000]))
        one = Given(
            price=draw(PRICES),
            series=draw(st.sampled_from([0, 0, 0, 1])),
            event_time=watermark - late,
            watermark=watermark,
            enters=draw(st.sampled_from([True] * 9 + [False])),
        )
        if one.event_time // MINUTE_MS * MINUTE_MS + MINUTE_MS + LATENESS_MS > watermark:
            records.append(one)
    return records


@settings(max_examples=300, deadline=None)
@given(records=streams(), data=st.data())
def test_any_cutting_equals_the_plain_reference(records: list[Given], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(records)), max_size=6))
    prints, told, _ = run(records, cuts, saving=True)
    expected, windows, held = reference(records)
    assert told == expected
    assert [window[~np.isnan(window)].tolist() for window in prints.window] == windows
    assert prints.held.offset.tolist() == held


@settings(max_examples=60, deadline=None)
@given(records=streams(), data=st.data())
def test_what_is_remembered_does_not_depend_on_the_cutting(records: list[Given], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(records)), max_size=6))
    assert bits(run(records, cuts)[0]) == bits(run(records)[0])


def bits(prints: Prints) -> dict[str, tuple[str, bytes]]:
    return {name: (str(column.dtype), column.tobytes()) for name, column in as_arrays(prints).items()}


@settings(max_examples=60, deadline=None)
@given(records=streams())
def test_taken_dropped_and_held_are_what_was_given(records: list[Given]) -> None:
    prints, told, _ = run(records)
    waiting = prints.held.offset[~prints.dropped].tolist()
    assert sorted([*(offset for offset, _ in told.taken), *told.outliers, *waiting]) == list(range(len(records)))


def walk_with_jumps(random: np.random.Generator, n: int) -> np.ndarray:
    """Return a random walk that jumps now and then, with bad prints."""
    price: np.ndarray = 100 * np.exp(np.cumsum(random.standard_normal(n) * 2e-4 + 0.01 * (random.random(n) < 0.002)))
    price[random.random(n) < 0.01] *= 1.02
    return price


def two_levels(random: np.random.Generator, n: int) -> np.ndarray:
    """Return prints at two levels: each print of a window counts, for one more or less moves the median and the MAD.

    Every sixty prints both levels move.
    """
    level = np.where(np.arange(n) // 60 % 2, 1.02, 1.0)
    prices: np.ndarray = level * random.choice(
        [100.0, 100.25, 100.6, 102.0, 102.2], n, p=(0.46, 0.46, 0.04, 0.02, 0.02)
    )
    return prices


@pytest.mark.parametrize("price_of", [walk_with_jumps, two_levels])
def test_long_streams_equal_the_reference(price_of: Callable[[np.random.Generator, int], np.ndarray]) -> None:
    """Long enough for whole windows between the bad prints, and for series with and without them."""
    random = np.random.Generator(np.random.PCG64(4))
    n = 6_000
    series = random.choice(SERIES, n, p=(0.9, 0.09, 0.01))
    records = [
        Given(one, int(code), START_MS + 20 * row, START_MS + 20 * row)
        for row, (one, code) in enumerate(zip(price_of(random, n).tolist(), series, strict=True))
    ]
    expected, windows, held = reference(records)
    for cuts in (range(0), range(0, n, 777), range(0, n, 31), range(n)):
        prints, told, _ = run(records, cuts)
        assert told == expected
        assert [window[~np.isnan(window)].tolist() for window in prints.window] == windows
        assert prints.held.offset.tolist() == held
    assert len(expected.outliers) > 40


@pytest.mark.parametrize("held", [1, 2])
def test_a_window_that_began_in_an_earlier_call_is_not_mixed_with_the_one_before(held: int) -> None:
    """Of twenty prints since the jump eleven are at 102: no spread, and 102.6 is suspicious.

    With those before the jump in place of the ones that were held, nine or ten would be, and it would pass.
    """
    jump = [102.0] * 3
    records = prices(*jump, *[102.0, 102.25] * 8, 102.25, 102.6, 102.0)
    prints, told, _ = run(records, [len(CALM) + held])
    assert (told, prints.held.offset.tolist()) == (reference(records)[0], [])
    assert told.outliers == {len(records) - 2}


def prices(*values: float) -> list[Given]:
    return [Given(price) for price in (*CALM, *values)]


def told_of(records: Sequence[Given]) -> tuple[list[int], list[int], list[int]]:
    """Return the places behind the calm prints of what is taken, dropped and held."""
    prints, told, _ = run(records)
    begin = len(CALM)
    taken = [offset - begin for offset, _ in told.taken if offset >= begin]
    return taken, sorted(offset - begin for offset in told.outliers), (prints.held.offset - begin).tolist()


def test_a_bad_print_is_held_and_dropped_by_the_next_good_one() -> None:
    assert told_of(prices(102.0)) == ([], [], [0])
    assert told_of(prices(102.0, 100.01)) == ([1], [0], [])


def test_a_jump_is_taken_with_its_third_print_and_in_order() -> None:
    assert told_of(prices(102.0, 102.1)) == ([], [], [0, 1])
    assert told_of(prices(102.0, 102.1, 101.9)) == ([0, 1, 2], [], [])


def test_prints_that_disagree_drop_each_other() -> None:
    assert told_of(prices(102.0, 104.0, 98.0)) == ([], [0, 1], [2])
    assert told_of(prices(102.0, 102.0, 104.0, 104.0, 104.0)) == ([2, 3, 4], [0, 1], [])


def test_two_agree_within_a_quarter_of_the_first_deviation() -> None:
    """ln(102/100.01) = 0.0197 and ln(102.5/100.01) = 0.0246, 24.8 % more; 102.52 is 25.8 % more."""
    assert told_of(prices(102.0, 102.5)) == ([], [], [0, 1])
    assert told_of(prices(102.0, 102.52)) == ([], [0], [1])


def test_a_good_print_between_two_bad_ones_ends_the_first_suspicion() -> None:
    assert told_of(prices(102.0, 100.0, 102.0, 100.0, 102.0)) == ([1, 3], [0, 2], [4])


def test_after_a_jump_the_window_begins_anew() -> None:
    """By the old window the fourth print of the new level would be held; by the new one the old level is suspicious."""
    assert told_of(prices(102.0, 102.0, 102.0, 102.05, 100.0, 102.0)) == ([0, 1, 2, 3, 5], [4], [])


def test_what_does_not_enter_is_taken_and_leaves_no_trace() -> None:
    records = [*prices(102.0), Given(300.0, enters=False), Given(102.0), Given(102.0)]
    assert told_of(records) == ([1, 0, 2, 3], [], [])


def test_a_series_is_not_judged_by_another() -> None:
    records = [*prices(102.0), *[Given(50.0, series=1)] * 3, Given(102.0), Given(102.0)]
    assert told_of(records) == ([1, 2, 3, 0, 4, 5], [], [])


def test_a_print_whose_bar_becomes_final_first_is_dropped_and_still_bears_witness() -> None:
    """A thin symbol that jumped, a print every four minutes: the third is taken, and the symbol goes on."""
    times = [START_MS + 240_000 * number for number in range(4)]
    records = [
        *prices(),
        *(Given(price, 0, at, at) for price, at in zip([102.0, 102.1, 102.0, 102.1], times, strict=True)),
    ]
    assert told_of(records) == ([2, 3], [0, 1], [])
    assert run(records)[1].suspect == {key_of(records[-4]), key_of(records[-3])}


def test_a_readmitted_print_comes_into_its_bar_at_the_watermark_of_the_third() -> None:
    records = [*prices(102.0, 102.0), Given(102.0, watermark=START_MS + 70_000)]
    _, told, _ = run(records)
    assert told.taken[-3:] == [(offset, START_MS + 70_000) for offset in (20, 21, 22)]


def test_the_bars_of_held_prints_are_suspect_until_they_are_decided() -> None:
    records = [*prices(), Given(102.0, event_time=START_MS + 61_000, watermark=START_MS + 61_000)]
    prints, _, _ = run(records)
    assert suspect_bars(prints).tolist() == [key_of(records[-1])]
    later = START_MS + 200_000
    prints, _, _ = run([*records, Given(5.0, 2, later, later)])
    assert (suspect_bars(prints).tolist(), prints.dropped.tolist()) == ([], [True])


@pytest.mark.parametrize("held", [0, 1, 2])
def test_held_prints_are_saved_with_all_their_columns(held: int) -> None:
    prints, _, _ = run(prices(*[102.0] * held))
    again = from_arrays(as_arrays(prints))
    assert bits(again) == bits(prints)
    rows = np.arange(20, 20 + held)
    expected = columns(prices(*[102.0] * held)).take(rows)
    assert again.held.series == expected.series[: min(held, 1)]
    assert [again.held.conditions[code] for code in again.held.condition_code] == [
        expected.conditions[code] for code in expected.condition_code
    ]
    for name in ("event_time", "received_at", "price", "size", "offset"):
        assert getattr(again.held, name).tobytes() == getattr(expected, name).tobytes()


def test_room_for_more_series_leaves_the_windows_as_they_were() -> None:
    prints, _, _ = run(prices())
    before = prints.window.copy()
    grow(prints, 2)
    assert prints.window[:SERIES].tobytes() == before.tobytes()
    assert np.isnan(prints.window[SERIES:]).all()


def test_many_series_are_ordered_beyond_sixteen_bits() -> None:
    count = 2**15 + 5
    prints = new_prints()
    grow(prints, count)
    last = np.full(24, count - 1)
    trades = replace(columns(prices(102.0, 102.0, 102.0, 102.0)), code=np.zeros(24, np.int32))
    time = np.full(24, START_MS)
    sifted = sift(prints, trades, last, time, np.ones(24, np.bool_), np.full(count, START_MS), LATENESS_MS)
    assert sifted.taken.tolist() == list(range(24))
    assert prints.window[-1, -1] == 102.0
