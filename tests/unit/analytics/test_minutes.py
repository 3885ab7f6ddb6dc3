"""One-minute bars with their neighbours: returns, halts, windows and warm-up."""

import math
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import (
    CONFIG,
    MINUTE_MS,
    REOPEN_FLAG,
    START_MS,
    advance_final,
    bars,
    made_state,
    minutes_from,
    noise,
)
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import DAY_MS
from volwatch.analytics.episodes import final_transitions
from volwatch.analytics.minutes import Advanced, effective_window
from volwatch.analytics.state import save
from volwatch.analytics.trades import Float64, Int64
from volwatch.analytics.volatility import INSUFFICIENT_DATA, NULL_REASONS

PER_YEAR = 252 * 390
SPIKE = 20e-3


def column(advanced: Advanced, estimator: str) -> Float64:
    values: Float64 = advanced.volatility.value[:, advanced.volatility.estimators.index(estimator)]
    return values


def observed(advanced: Advanced, estimator: str) -> list[int]:
    counts: list[int] = advanced.volatility.n_obs[:, advanced.volatility.estimators.index(estimator)].tolist()
    return counts


def at_minutes(*minutes: int) -> Int64:
    return START_MS + np.array(minutes, np.int64) * MINUTE_MS


def test_returns_follow_the_last_bar_and_know_how_long_ago_it_was() -> None:
    table = bars(at_minutes(0, 1, 4), middle=np.array([100.0, 101.0, 99.0]))
    made = advance_final(made_state("XNYS"), table).bars
    assert made.log_return.tolist() == pytest.approx([0.0, math.log(1.01), math.log(99 / 101)], rel=1e-14)
    assert made.elapsed.tolist() == [1, 1, 3]


def test_the_first_bar_of_a_session_has_its_own_return_and_not_the_nights() -> None:
    table = bars(np.concatenate([at_minutes(389), at_minutes(0) + DAY_MS]), middle=np.array([100.0, 120.0]))
    table.close[1] = 120.6
    table.high[1] = 121.0
    made = advance_final(made_state("XNYS"), table).bars
    assert made.log_return.tolist() == pytest.approx([0.0, math.log(120.6 / 120.0)], rel=1e-12)
    assert made.elapsed.tolist() == [1, 1]


def test_a_market_that_never_closes_has_no_such_break() -> None:
    table = bars(np.array([DAY_MS - MINUTE_MS, DAY_MS]), middle=np.array([100.0, 120.0]))
    assert advance_final(made_state("24/7"), table).bars.log_return[1] == pytest.approx(math.log(1.2), rel=1e-14)


def test_bars_outside_regular_hours_are_kept_and_not_measured() -> None:
    table = bars(at_minutes(-30, 0, 389, 390), middle=np.array([90.0, 100.0, 100.0, 110.0]))
    advanced = advance_final(made_state("XNYS"), table)
    assert advanced.bars.label.tolist() == [0, 1, 1, 2]
    assert np.isnan(advanced.bars.log_return).tolist() == [True, False, False, True]
    assert advanced.regular.tolist() == [1, 2]
    assert (advanced.volatility.start.tolist(), advanced.signals.start.tolist()) == (
        at_minutes(0, 389).tolist(),
        at_minutes(0, 389).tolist(),
    )


@pytest.mark.parametrize(
    ("trades_per_minute", "empty_minutes", "halted"),
    [(30, 4, False), (30, 5, True), (1, 19, False), (1, 20, True)],
)
def test_a_halt_is_five_minutes_or_twenty_usual_waits_without_a_trade(
    trades_per_minute: int, empty_minutes: int, halted: bool
) -> None:
    """At thirty trades a minute the wait is 2 s, and five minutes decide; at one a minute it is 60 s."""
    minutes = [*range(60), 60 + empty_minutes]
    advanced = advance_final(made_state("XNYS"), bars(at_minutes(*minutes), trades=trades_per_minute))
    flagged = (advanced.bars.table.flags & REOPEN_FLAG).astype(bool)
    assert flagged.tolist() == [False] * 60 + [halted]


def test_the_input_keeps_its_flags() -> None:
    table = bars(at_minutes(0, 30))
    advance_final(made_state("XNYS"), table)
    assert table.flags.tolist() == [0, 0]


def test_a_bar_after_a_halt_is_in_no_window_and_no_baseline() -> None:
    """The same market, with and without a bar that jumps after a halt and back again."""
    minutes = [*range(40), 60, *range(61, 70)]
    middle = np.full(50, 100.0)
    middle[40:] = 130.0
    state = made_state("XNYS")
    advanced = advance_final(state, bars(at_minutes(*minutes), middle=middle))
    for estimator in ("cc0", "parkinson", "ewma"):
        values = column(advanced, estimator)
        assert values[40] == values[39]
        assert np.nanmax(values) < 0.4
    assert observed(advanced, "cc0")[38:42] == [30, 30, 30, 30]
    assert observed(advanced, "ewma")[39:42] == [40, 40, 41]
    assert advanced.episodes.baseline_bars[39:42].tolist() == [40, 40, 41]
    assert np.isnan(state.season.today[0, 60])


def test_a_jump_after_a_halt_raises_its_own_kind() -> None:
    minutes = [*range(70), 90]
    spread = np.exp(noise(2, 71, scale=0.1))
    state = made_state("24/7")
    middle = np.append(np.full(70, 100.0), 130.0)
    advanced = advance_final(state, bars(at_minutes(*minutes), spread=spread, middle=middle))
    (opened,) = final_transitions(state, advanced, 120_000)
    assert (opened.kind, opened.state, opened.onset) == ("REOPEN", "OPEN", int(at_minutes(90)[0]))
    assert opened.facts is not None
    assert opened.facts.elapsed == 21


def test_the_statistic_begins_with_the_sixty_first_bar_of_a_series_life() -> None:
    state = made_state("XNYS")
    first = advance_final(state, bars(minutes_from(START_MS, 40), spread=np.exp(noise(1, 40))))
    second = advance_final(state, bars(minutes_from(START_MS + 40 * MINUTE_MS, 40), spread=np.exp(noise(2, 40))))
    statistic = np.concatenate([first.signals.statistic, second.signals.statistic])
    assert np.isnan(statistic).tolist() == [True] * 60 + [False] * 20


def test_a_spike_in_warm_up_opens_nothing_and_one_after_it_does() -> None:
    ranges = np.exp(noise(1, 70, scale=0.1))
    for minute, opens in ((59, False), (60, True)):
        spread = ranges.copy()
        spread[minute] = SPIKE
        advanced = advance_final(made_state("24/7"), bars(minutes_from(START_MS, 70), spread=spread))
        assert np.flatnonzero(advanced.episodes.opened).tolist() == ([minute] if opens else [])


def test_zero_mean_volatility_by_hand() -> None:
    """Closes that swing by the same log step have that step as their volatility per minute."""
    middle = 100.0 * np.exp(np.where(np.arange(60) % 2, 1e-3, 0.0))
    advanced = advance_final(made_state("XNYS"), bars(minutes_from(START_MS, 60), middle=middle))
    assert column(advanced, "cc0")[30:] == pytest.approx(1e-3 * math.sqrt(PER_YEAR), rel=1e-11)
    assert set(advanced.volatility.annualisation) == {"US_RTH_1M"}


def test_parkinson_by_hand() -> None:
    advanced = advance_final(made_state("XNYS"), bars(minutes_from(START_MS, 40), spread=2e-3))
    expected = 2e-3 / math.sqrt(4 * math.log(2)) * math.sqrt(PER_YEAR)
    assert column(advanced, "parkinson")[29:] == pytest.approx(expected, rel=1e-11)


def test_a_window_is_null_until_half_of_it_is_there_and_begins_anew_with_each_session() -> None:
    starts = np.concatenate([minutes_from(START_MS, 40), minutes_from(START_MS + DAY_MS, 20)])
    advanced = advance_final(made_state("XNYS"), bars(starts))
    at = advanced.volatility.estimators.index("cc0")
    known = advanced.volatility.reason[:, at] == 0
    assert known.tolist() == [False] * 14 + [True] * 26 + [False] * 14 + [True] * 6
    assert set(advanced.volatility.reason[~known, at].tolist()) == {INSUFFICIENT_DATA}
    assert observed(advanced, "cc0")[38:42] == [30, 30, 1, 2]
    assert observed(advanced, "ewma")[38:42] == [39, 40, 41, 42]


def test_few_trades_a_bar_leave_the_range_estimators_out() -> None:
    advanced = advance_final(made_state("XNYS"), bars(minutes_from(START_MS, 30), trades=19))
    reasons = {
        name: NULL_REASONS[advanced.volatility.reason[-1, index]]
        for index, name in enumerate(advanced.volatility.estimators)
    }
    assert reasons == {
        "cc": "",
        "cc0": "",
        "parkinson": "TOO_FEW_TRADES",
        "garman-klass": "TOO_FEW_TRADES",
        "rogers-satchell": "TOO_FEW_TRADES",
        "ewma": "",
    }


@pytest.mark.parametrize(("decay", "bars_"), [(0.94, 32), (0.97, 66), (2 ** (-1 / 30), 87)])
def test_the_effective_window_of_an_ewma(decay: float, bars_: int) -> None:
    assert effective_window(decay) == bars_


def test_an_ewma_halves_the_weight_of_the_past_in_its_half_life() -> None:
    """One return at the start; what is left of N after 30 quiet bars is half of it."""
    config = CONFIG
    middle = np.full(42, 100.0)
    middle[1:] = 101.0
    state = made_state("24/7")
    advance_final(state, bars(minutes_from(START_MS, 2), middle=middle[:2]), config)
    before = state.minutes.numerator[0]
    advance_final(state, bars(minutes_from(START_MS + 2 * MINUTE_MS, 30), middle=101.0), config)
    assert state.minutes.numerator[0] == pytest.approx(before / 2, rel=1e-12)


def mixed_market(seed: int) -> BarTable:
    """Return bars of three series of two calendars, with gaps, halts and bars outside regular hours."""
    random = np.random.Generator(np.random.PCG64(seed))
    tables = []
    for series in range(3):
        starts = np.concatenate([minutes_from(START_MS - 20 * MINUTE_MS + day * DAY_MS, 130) for day in range(2)])
        kept = np.sort(random.choice(len(starts), 220, replace=False))
        middle = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, 220)))
        spread = np.exp(noise(seed + series, 220, 0.6))
        count = random.integers(1, 60, 220)
        tables.append(bars(starts[kept], spread=spread, middle=middle, trades=count, series=series))
    return tables[0].join(tables[1]).join(tables[2])


@settings(max_examples=5)
@given(seed=st.integers(0, 2**16), cuts=st.lists(st.integers(0, 290), max_size=3))
def test_bars_in_any_parts_give_the_same_bits_as_all_at_once(seed: int, cuts: list[int]) -> None:
    table = mixed_market(seed)
    calendars = ("XNYS", "24/7", "XNYS")
    whole, parts = made_state(*calendars), made_state(*calendars)
    at_once = advance_final(whole, table)
    minute = (table.start - table.start.min()) // MINUTE_MS
    edges = [0, *sorted(cut * 10 for cut in cuts), int(minute.max()) + 1]
    told = [advance_final(parts, table.take((minute >= a) & (minute < b))) for a, b in pairwise(edges)]
    assert save(whole) == save(parts)
    order = np.lexsort(
        (np.concatenate([one.signals.start for one in told]), np.concatenate([one.signals.series for one in told]))
    )
    for column_ in fields(at_once.signals):
        joined = np.concatenate([getattr(one.signals, column_.name) for one in told])[order]
        assert joined.tobytes() == getattr(at_once.signals, column_.name).tobytes()
    values = np.concatenate([one.volatility.value for one in told])[order]
    assert values.tobytes() == at_once.volatility.value.tobytes()


def test_no_bars_change_nothing() -> None:
    state = made_state("XNYS")
    before = save(state)
    advanced = advance_final(state, bars([]))
    assert (len(advanced.bars.table), len(advanced.signals.start), save(state) == before) == (0, 0, True)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_bar_by_bar_equals_the_whole_session_at_once_in_plain_numpy(seed: int) -> None:
    """Streaming against batch: the definitions over slices of a finished session, to 1e-12."""
    random = np.random.Generator(np.random.PCG64(seed))
    count, window = 90, CONFIG.minute_window
    middle = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, count)))
    table = bars(minutes_from(START_MS, count), middle=middle, spread=random.uniform(1e-3, 3e-3, count))
    state = made_state("XNYS")
    parts = [advance_final(state, table.take(np.array([row]))) for row in range(count)]
    log_return = np.log1p(np.diff(middle, prepend=middle[:1]) / np.append(middle[:1], middle[:-1]))
    squared_range = np.log(table.high / table.low) ** 2
    decay = 2 ** (-1 / CONFIG.minute_half_life)
    for row in range(window - 1, count):
        held = slice(row - window + 1, row + 1)
        weights = decay ** np.arange(row, -1, -1)
        expected = {
            "cc": log_return[held].var(ddof=1),
            "cc0": (log_return[held] ** 2).mean(),
            "parkinson": squared_range[held].mean() / (4 * math.log(2)),
            "ewma": (weights * log_return[: row + 1] ** 2).sum() / weights.sum(),
        }
        for name, variance in expected.items():
            assert column(parts[row], name)[0] == pytest.approx(math.sqrt(PER_YEAR * variance), rel=1e-12)
