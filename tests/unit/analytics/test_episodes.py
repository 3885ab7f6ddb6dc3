"""From episodes to the steps in the lives of alerts: through the engine, with prints that may come late."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.analytics.made import MINUTE_MS, START_MS, noise
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import Transition
from volwatch.analytics.state import EngineState
from volwatch.analytics.trades import Trades, concatenate

# Four prints a minute that swing as they like are not what the filter of bad prints is for.
CONFIG = EngineConfig(outlier_filter=False)
SERIES = (("simulator", "A"), ("simulator", "B"))
WARM_MINUTES = 66
CALM = float(np.exp(noise(0, 1, scale=0.0)[0]))
FINAL_AFTER_MS = MINUTE_MS + 120_000


def at(minute: int, seconds: float = 0.0) -> int:
    return START_MS + minute * MINUTE_MS + round(seconds * 1000)


def minute_of(
    minute: int, spread: float, *, series: int = 0, delay_seconds: float = 0.0, middle: float = 100.0
) -> Trades:
    """Return the prints of one minute, whose log range is ``spread``; they come in late by ``delay_seconds``."""
    event_time = np.array([at(minute, second) for second in (1, 10, 20, 30)], np.int64)
    return Trades(
        series=SERIES,
        code=np.full(4, series, np.int32),
        event_time=event_time,
        received_at=event_time + round(delay_seconds * 1000),
        price=middle * np.exp(np.array([0.0, spread / 2, -spread / 2, 0.0])),
        size=np.ones(4),
        conditions=((),),
        condition_code=np.zeros(4, np.int32),
        offset=np.zeros(4, np.int64),
    )


def in_order_of_arrival(runs: Iterable[Trades]) -> Trades:
    trades = concatenate(list(runs))
    return trades.take(np.argsort(trades.received_at, kind="stable"))


def mark(minute: int, seconds: float = 0.0) -> Trades:
    """Return a record that moves the watermark and is no trade."""
    one = minute_of(minute, 0.0).take(slice(0, 1))
    return replace(one, received_at=np.array([at(minute, seconds)]), conditions=(("mark",),))


class Warm:
    """Makes engines that go on from an hour of calm: the detector is warm and nothing is open."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def engine(self) -> Engine:
        return Engine(CONFIG, deepcopy(self._state))


@pytest.fixture(scope="module")
def warm() -> Warm:
    engine = Engine(CONFIG)
    ranges = np.exp(noise(3, 2 * WARM_MINUTES, scale=0.2)).reshape(2, -1)
    calm = [minute_of(m, ranges[s, m], series=s) for m in range(WARM_MINUTES) for s in range(2)]
    result = engine.process(in_order_of_arrival([*calm, mark(WARM_MINUTES)]))
    assert result.transitions == ()
    return Warm(engine.state)


def steps(engine: Engine, *calls: Trades) -> list[Transition]:
    """Return the steps that calls tell."""
    return [step for call in calls for step in engine.process(call).transitions]


def short(told: Sequence[Transition]) -> list[tuple[str, str, int, bool]]:
    """Return symbol, state, onset minute and finality of steps."""
    return [(step.symbol, step.state, (step.onset - START_MS) // MINUTE_MS, step.final) for step in told]


SPIKE = CALM * 12
FIRST = WARM_MINUTES


def test_a_spike_is_told_at_once_confirmed_when_final_and_closed_when_over(warm: Warm) -> None:
    engine = warm.engine()
    first = steps(engine, minute_of(FIRST, SPIKE))
    assert short(first) == [("A", "OPEN", FIRST, False)]
    calm = [minute_of(minute, CALM) for minute in range(FIRST + 1, FIRST + 8)]
    later = steps(engine, in_order_of_arrival([*calm, mark(FIRST + 12)]))
    assert short(later)[0] == ("A", "OPEN", FIRST, True)
    assert short(later)[-1] == ("A", "CLOSED", FIRST, True)
    assert later[0].watermark == at(FIRST) + FINAL_AFTER_MS
    assert {step.severity for step in later} == {first[0].severity}


def test_a_provisional_opening_tells_the_watermark_at_which_it_was_seen(warm: Warm) -> None:
    engine = warm.engine()
    spike = minute_of(FIRST, SPIKE, delay_seconds=2)
    (opened,) = steps(engine, spike)
    assert (opened.watermark, opened.bar, opened.onset) == (int(spike.received_at[-1]), at(FIRST), at(FIRST))


def test_the_facts_of_an_opening_are_those_of_its_bar(warm: Warm) -> None:
    engine = warm.engine()
    facts = steps(engine, minute_of(FIRST, SPIKE))[0].facts
    assert facts is not None
    assert (facts.start, facts.trades, facts.open, facts.close, facts.volume) == (at(FIRST), 4, 100.0, 100.0, 4.0)
    assert facts.high / facts.low == pytest.approx(np.exp(SPIKE), rel=1e-12)
    assert facts.log_range == pytest.approx(np.log(SPIKE), rel=1e-12)
    assert facts.statistic >= 3.7


def test_an_escalation_is_told_once_while_it_may_change_and_once_when_final(warm: Warm) -> None:
    engine = warm.engine()
    mild = CALM * 3.8
    told = steps(
        engine,
        minute_of(FIRST, mild),
        minute_of(FIRST + 1, SPIKE * 4),
        minute_of(FIRST + 1, SPIKE * 4),
        mark(FIRST + 9),
    )
    assert short(told)[0] == ("A", "OPEN", FIRST, False)
    assert [one[1:] for one in short(told) if one[1] == "ESCALATED"] == [
        ("ESCALATED", FIRST, False),
        ("ESCALATED", FIRST, True),
    ]
    assert [step.severity for step in told if step.state == "ESCALATED"] == ["HIGH", "HIGH"]


def test_an_onset_that_moves_to_an_earlier_bar_takes_the_later_alert_back_first(warm: Warm) -> None:
    """Late prints show that the burst began a minute sooner. Two alerts of one series must never be open at once."""
    engine = warm.engine()
    seen = steps(engine, minute_of(FIRST, CALM), minute_of(FIRST + 1, SPIKE))
    assert short(seen) == [("A", "OPEN", FIRST + 1, False)]
    told = steps(engine, minute_of(FIRST, SPIKE, delay_seconds=100), mark(FIRST + 3, 1))
    assert short(told) == [("A", "RETRACTED", FIRST + 1, True), ("A", "OPEN", FIRST, True)]


def test_final_steps_come_in_order_of_bar_and_then_of_series(warm: Warm) -> None:
    engine = warm.engine()
    spikes = [minute_of(FIRST + 1, SPIKE, series=1), minute_of(FIRST + 1, SPIKE), minute_of(FIRST, SPIKE, series=1)]
    told = steps(engine, in_order_of_arrival([*spikes, minute_of(FIRST, CALM), mark(FIRST + 9)]))
    opened = [one for one in short(told) if one[1] == "OPEN"]
    assert opened == [("B", "OPEN", FIRST, True), ("A", "OPEN", FIRST + 1, True)]


PIECES = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from([CALM, CALM * 2, CALM * 4, SPIKE, SPIKE * 4]),
        st.integers(0, 1),
        st.sampled_from([0.0, 0.0, 40.0, 110.0]),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=15)
@given(pieces=PIECES, data=st.data())
def test_no_series_ever_has_two_alerts_open_and_each_ends_confirmed_or_retracted(
    warm: Warm, pieces: list[tuple[int, float, int, float]], data: st.DataObject
) -> None:
    trades = in_order_of_arrival(
        minute_of(FIRST + minute, spread, series=series, delay_seconds=delay)
        for minute, spread, series, delay in pieces
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(trades)), max_size=12)))
    engine = warm.engine()
    calls = [trades.take(slice(a, b)) for a, b in pairwise([0, *cuts, len(trades)])]
    told = steps(engine, *calls, mark(FIRST + 30))
    open_now: dict[str, tuple[int, str]] = {}
    confirmed: set[tuple[str, int, str]] = set()
    for step in told:
        alert = (step.onset, step.kind)
        if step.state == "OPEN":
            assert open_now.setdefault(step.symbol, alert) == alert
            confirmed |= {(step.symbol, *alert)} if step.final else set()
        else:
            assert open_now[step.symbol] == alert
        if step.state == "RETRACTED":
            assert (step.symbol, *alert) not in confirmed
        if step.state in ("CLOSED", "RETRACTED"):
            del open_now[step.symbol]
    assert all((symbol, *alert) in confirmed for symbol, alert in open_now.items())
