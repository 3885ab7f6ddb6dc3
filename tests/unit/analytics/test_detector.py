"""The promises of the detector, one by one."""

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import START_MS, Judged, judge, noise, one_bar
from volwatch.analytics.detector import (
    COOL_DOWN_BARS,
    HIGH,
    LOW,
    MEDIUM,
    REOPEN,
    VOLATILITY,
    WARM_UP_BARS,
    DetectorState,
    Observation,
    new_state,
)
from volwatch.analytics.trades import Float64, Int64

ENTER = 3.7
CALM_RANGE = math.log(1e-3)
SCALE = 0.3


def warm(**columns: float) -> DetectorState:
    """Return a state that has seen a calm market for long: nothing open, no memory of the last bars."""
    state = replace(new_state(1), baseline=np.array([CALM_RANGE]), scale=np.array([SCALE]), bars=np.array([1_000]))
    for name, value in columns.items():
        getattr(state, name)[:] = value
    return state


def bar_at(z: float, **facts: float) -> Observation:
    """Return the bar that lies ``z`` scales above what a warm state expects."""
    return replace(one_bar(CALM_RANGE + z * SCALE), **{name: np.array([value]) for name, value in facts.items()})


@dataclass
class Watched:
    """A detector and what it said, bar by bar."""

    state: DetectorState
    said: list[Judged]

    def see(self, *observations: Observation) -> "Watched":
        for observation in observations:
            self.state, verdict = judge(self.state, observation, ENTER)
            self.said.append(verdict)
        return self

    def told(self, name: str) -> list[bool]:
        return [bool(getattr(verdict, name)[0]) for verdict in self.said]


def watched(**columns: float) -> Watched:
    return Watched(warm(**columns), [])


def test_the_first_hour_of_a_series_has_no_statistic_and_opens_nothing() -> None:
    seen = Watched(new_state(1), []).see(
        *(one_bar(CALM_RANGE) for _ in range(WARM_UP_BARS - 1)), one_bar(0.0), one_bar(0.0)
    )
    defined = [not np.isnan(verdict.statistic[0]) for verdict in seen.said]
    assert defined == [False] * WARM_UP_BARS + [True]
    assert seen.told("opened") == [False] * WARM_UP_BARS + [True]


RANGES = st.floats(-20, 5)


@given(
    ranges=st.tuples(RANGES, RANGES),
    ewma=st.floats(-3, 8),
    excess=st.floats(-3, 3),
    active=st.integers(0, 1),
    reopen=st.booleans(),
)
def test_a_larger_range_never_says_less(
    ranges: tuple[float, float], ewma: float, excess: float, active: int, reopen: bool
) -> None:
    """So what a bar raises while it is open, it raises when it has ended too."""
    state = warm(ewma=ewma, excess_1=excess, active=active, severity=LOW, since_onset=COOL_DOWN_BARS)
    (_, less), (_, more) = (judge(state, one_bar(x, reopen=reopen), ENTER) for x in sorted(ranges))
    assert more.statistic[0] >= less.statistic[0]
    assert more.ratio[0] >= less.ratio[0]
    assert (bool(more.opened[0]), bool(more.escalated[0])) >= (bool(less.opened[0]), bool(less.escalated[0]))
    assert bool(more.closed[0]) <= bool(less.closed[0])


def test_a_spike_of_any_size_moves_the_baseline_no_further_than_three_scales_do() -> None:
    three, enormous = watched().see(bar_at(3.0)), watched().see(bar_at(1_000.0))
    moved = enormous.state.baseline[0] - CALM_RANGE
    assert moved == pytest.approx(three.state.baseline[0] - CALM_RANGE, rel=1e-12)
    assert moved == pytest.approx((1 - 2 ** (-1 / 60)) * 3 * SCALE, rel=1e-12)
    assert enormous.state.scale.tolist() == pytest.approx(three.state.scale.tolist(), rel=1e-12)


def test_a_burst_is_not_closed_by_the_baseline_it_has_taught() -> None:
    """Ten minutes at eight scales: still open, and still far above what is usual."""
    seen = watched().see(*(bar_at(8.0, start=minute) for minute in range(10)))
    assert (seen.told("opened"), seen.told("closed")) == ([True] + [False] * 9, [False] * 10)
    assert seen.said[-1].statistic[0] > 5


@pytest.mark.parametrize(("z", "opens"), [(3.7001, True), (3.6999, False)])
def test_one_bar_opens_from_the_threshold_on(z: float, opens: bool) -> None:
    assert watched().see(bar_at(z)).told("opened") == [opens]


def test_a_burst_of_bars_each_too_small_opens() -> None:
    """E after n bars of z = 3 is 3·(1 − 0.6ⁿ); twice that passes 3.7 at the second."""
    assert watched().see(bar_at(3.0), bar_at(3.0)).told("opened") == [False, True]


def test_an_episode_stays_open_until_the_statistic_is_below_the_exit() -> None:
    """With no memory in E, S is z: 2.23 keeps it open, 2.21 ends it (0.6 · 3.7 = 2.22)."""
    for z, closes in ((2.23, False), (2.21, True)):
        seen = Watched(warm(active=1, severity=LOW, ewma=-1.0), []).see(bar_at(z))
        assert (seen.told("closed"), seen.state.active.tolist()) == ([closes], [int(not closes)])


def test_a_second_onset_waits_for_the_cool_down() -> None:
    quiet = [bar_at(-3.0)] * 20
    for bars_between, opens in ((COOL_DOWN_BARS - 2, False), (COOL_DOWN_BARS - 1, True)):
        seen = watched().see(bar_at(6.0), *quiet[:bars_between], bar_at(6.0))
        assert (seen.told("opened")[0], seen.told("opened")[-1]) == (True, opens)
        assert any(seen.told("closed"))


@pytest.mark.parametrize(
    ("z", "severity"), [(3.8, LOW), (4.999, LOW), (5.001, MEDIUM), (6.999, MEDIUM), (7.001, HIGH), (50.0, HIGH)]
)
def test_severity_goes_by_the_statistic(z: float, severity: int) -> None:
    assert watched().see(bar_at(z)).state.severity.tolist() == [severity]


@pytest.mark.parametrize(("ratio", "severity"), [(2.99, LOW), (3.01, MEDIUM), (4.99, MEDIUM), (5.01, HIGH)])
def test_severity_goes_by_the_ratio_of_three_bars(ratio: float, severity: int) -> None:
    """The bars before carry what this one lacks to the mean excess of ln(ratio)."""
    missing = 3 * math.log(ratio) - 4.0 * SCALE
    seen = watched(excess_1=missing / 2, excess_2=missing / 2).see(bar_at(4.0))
    assert seen.said[0].ratio.tolist() == [pytest.approx(ratio, rel=1e-12)]
    assert seen.state.severity.tolist() == [severity]


@pytest.mark.parametrize(("volatilities", "severity"), [(9.99, LOW), (10.01, HIGH)])
def test_severity_goes_by_the_move_in_local_volatilities(volatilities: float, severity: int) -> None:
    move = volatilities * math.exp(CALM_RANGE - 0.43)
    assert watched().see(bar_at(4.0, move=move)).state.severity.tolist() == [severity]


def test_severity_only_rises_inside_an_episode() -> None:
    seen = watched().see(bar_at(4.0), bar_at(8.0), bar_at(5.5))
    assert (seen.told("opened"), seen.told("escalated")) == ([True, False, False], [False, True, False])
    assert seen.state.severity.tolist() == [HIGH]
    assert seen.state.peak.tolist() == [max(verdict.statistic[0] for verdict in seen.said)]


def test_a_bar_of_one_print_opens_nothing() -> None:
    assert [watched().see(bar_at(9.0, trades=count)).told("opened") for count in (1, 2)] == [[False], [True]]


def test_the_open_of_a_session_forgets_the_burst_and_the_episode_but_not_the_baseline() -> None:
    seen = watched(active=1, severity=HIGH, ewma=8.0, excess_1=2.0, excess_2=2.0, since_onset=1)
    seen.see(replace(bar_at(0.0), begins=np.array([True])))
    assert seen.told("closed") == [True]
    assert seen.said[0].statistic.tolist() == [pytest.approx(0.0, abs=1e-12)]
    assert seen.said[0].ratio.tolist() == [pytest.approx(1.0, rel=1e-12)]
    assert seen.state.baseline.tolist() == [pytest.approx(CALM_RANGE, rel=1e-12)]
    assert seen.state.active.tolist() == [0]


def test_a_session_may_open_with_an_alert_that_ends_yesterdays() -> None:
    seen = watched(active=1, severity=LOW, onset=START_MS - 1, since_onset=0)
    seen.see(replace(bar_at(6.0), begins=np.array([True])))
    assert (seen.told("closed"), seen.told("opened")) == ([True], [True])
    assert (seen.state.onset.tolist(), seen.state.active.tolist()) == ([START_MS], [1])


def test_a_bar_after_a_halt_teaches_nothing() -> None:
    before = warm(ewma=1.0, excess_1=0.5, excess_2=0.25)
    after, _ = judge(before, one_bar(CALM_RANGE + 0.5, reopen=True), ENTER)
    unchanged = ("baseline", "scale", "bars", "ewma", "excess_1", "excess_2")
    assert {name: getattr(after, name).tolist() for name in unchanged} == {
        name: getattr(before, name).tolist() for name in unchanged
    }


def test_a_bar_after_a_halt_is_judged_by_itself_and_raises_its_own_kind() -> None:
    burst = {"ewma": 8.0}
    assert watched(**burst).see(one_bar(CALM_RANGE + 3.0 * SCALE, reopen=True)).told("opened") == [False]
    seen = watched(**burst).see(one_bar(CALM_RANGE + 5.0 * SCALE, reopen=True))
    assert (seen.told("opened"), seen.state.kind.tolist()) == ([True], [REOPEN])
    assert seen.said[0].statistic.tolist() == [pytest.approx(5.0, rel=1e-12)]
    assert watched().see(bar_at(5.0)).state.kind.tolist() == [VOLATILITY]


def test_a_bar_of_time_that_nobody_watched_neither_teaches_nor_opens_nor_closes() -> None:
    before = warm(ewma=1.0, excess_1=0.5, excess_2=0.25, active=1, severity=LOW, onset=7)
    for height in (-1.0, 9.0):
        after, said = judge(before, one_bar(CALM_RANGE + height, blind=True), ENTER)
        assert {name: getattr(after, name).tolist() for name in ("baseline", "scale", "bars", "ewma", "active")} == {
            name: getattr(before, name).tolist() for name in ("baseline", "scale", "bars", "ewma", "active")
        }
        assert (said.opened.tolist(), said.closed.tolist()) == ([False], [False])
    assert not judge(warm(), one_bar(CALM_RANGE + 9.0, blind=True), ENTER)[1].opened[0]


def test_a_bar_after_a_halt_closes_nothing() -> None:
    seen = watched(active=1, severity=LOW).see(one_bar(CALM_RANGE, reopen=True))
    assert (seen.told("closed"), seen.state.active.tolist()) == ([False], [1])


@settings(max_examples=8)
@given(seed=st.integers(0, 2**16), cut=st.integers(0, 99))
def test_series_side_by_side_and_put_away_between_bars_are_each_as_if_alone(seed: int, cut: int) -> None:
    ranges = np.stack([noise(seed + series, 100, 0.8) for series in range(3)])
    together, alone = new_state(3), [new_state(1) for _ in range(3)]
    for index in range(100):
        seen = [one_bar(ranges[series, index], minute=index) for series in range(3)]
        joined = Observation(
            *(np.concatenate([getattr(one, column.name) for one in seen]) for column in fields(Observation))
        )
        if index == cut:
            shelf, order = new_state(3), np.array([2, 0, 1])
            shelf.put(order, together.take(order))
            together = shelf
        together, _ = judge(together, joined, ENTER)
        alone = [judge(state, one, ENTER)[0] for state, one in zip(alone, seen, strict=True)]
    for column in fields(DetectorState):
        expected: Float64 = np.concatenate([getattr(state, column.name) for state in alone])
        np.testing.assert_array_equal(getattr(together, column.name), expected)


@settings(max_examples=30)
@given(data=st.data(), seed=st.integers(0, 2**16), enter=st.sampled_from([1.5, 3.7]))
def test_many_bars_at_once_say_what_one_after_the_other_does(data: st.DataObject, seed: int, enter: float) -> None:
    """Series of different lengths, with opens, halts and blind bars, in any parts."""
    random = np.random.Generator(np.random.PCG64(seed))
    counts = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4))
    series = np.repeat(np.arange(len(counts)), counts)
    n = len(series)
    begins = random.random(n) < 0.05
    reopen = (random.random(n) < 0.05) & ~begins
    bar = Observation(
        start=START_MS + np.arange(n) * 60_000,
        log_range=noise(seed, n, 1.0),
        usual=random.normal(0, 0.2, n),
        move=random.random(n) * 1e-2,
        trades=random.integers(1, 5, n),
        begins=begins,
        reopen=reopen,
        blind=(random.random(n) < 0.05) & ~reopen,
    )
    starting = replace(new_state(len(counts)), bars=random.integers(0, 70, len(counts)))
    together, said = judge_some(starting, bar, series, np.arange(n), enter)
    expected = starting
    for row in range(n):
        expected, alone = judge_some(expected, bar, series, np.array([row]), enter)
        for column in fields(Judged):
            np.testing.assert_array_equal(getattr(alone, column.name)[0], getattr(said, column.name)[row])
    for column in fields(DetectorState):
        np.testing.assert_array_equal(getattr(together, column.name), getattr(expected, column.name))


def judge_some(
    state: DetectorState, bar: Observation, series: Int64, rows: Int64, enter: float
) -> tuple[DetectorState, Judged]:
    """Judge some bars; the state of all series is returned."""
    who = np.unique(series[rows])
    some = Observation(*(getattr(bar, column.name)[rows] for column in fields(Observation)))
    after, said = judge(state.take(who), some, enter, np.searchsorted(who, series[rows]))
    whole = state.take(np.arange(len(state.bars)))
    whole.put(who, after)
    return whole, said


def test_the_cusum_chart_adds_what_exceeds_its_reference_and_forgets_at_the_open() -> None:
    """Two bars of z = 3 make 2·(3 − 1.5), less what the first taught; a calm bar takes its reference off."""
    seen = watched().see(bar_at(3.0))
    assert seen.state.cusum.tolist() == [pytest.approx(1.5, rel=1e-9)]
    assert seen.see(bar_at(0.0)).state.cusum.tolist() == [0.0]
    after = watched(cusum=9.0).see(replace(bar_at(2.5), begins=np.array([True])))
    assert after.state.cusum.tolist() == [pytest.approx(1.0, rel=1e-9)]
    still = watched(cusum=9.0).see(one_bar(CALM_RANGE + 5.0, reopen=True))
    assert still.state.cusum.tolist() == [9.0]
