"""Pitfalls of the detector: what it may learn from, what it must not raise, and that it says everything once."""

from itertools import pairwise

import numpy as np
import pytest

from tests.unit.analytics.made import advance_final, bars, judge, made_state, minutes_from, noise
from tests.unit.pitfalls.made import DAY_MS, MINUTE_MS, OPEN_MS, mark, trades
from volwatch.alerts import alert_id
from volwatch.analytics import detector
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.detector import Observation
from volwatch.analytics.engine import Engine
from volwatch.analytics.lifecycle import EXIT_FRACTION
from volwatch.analytics.results import FLAG_NAMES, Result, Transition
from volwatch.analytics.state import EngineState, restore, save
from volwatch.analytics.trades import Float64, Int64, Trades, concatenate

ENTER = EngineConfig().enter
COIN = "BINANCE:COIN"
SESSION = 390
SPIKE_MINUTES = range(75, 78)


def halves_of(spreads: list[Float64]) -> EngineState:
    """Return the state of a stock after sessions with such ranges, each in two calls."""
    state = made_state("XNYS")
    for day, spread in enumerate(spreads):
        starts = minutes_from(OPEN_MS + day * DAY_MS, len(spread))
        for half in np.array_split(np.arange(len(spread)), 2):
            advance_final(state, bars(starts[half], spread=spread[half]))
    return state


def test_pitfall_22_today_is_in_no_profile_of_today() -> None:
    """Mistake: today's spike is usual at its own time of day. Right: only sessions before today's count."""
    past = [np.exp(noise(day, SESSION)) for day in range(2)]
    quiet, wild = (np.exp(noise(2, SESSION)) * np.where(np.arange(SESSION) < 100, scale, 1.0) for scale in (1, 20))
    during = [halves_of([*past, today]).season.profile for today in (quiet, wild)]
    assert during[0].tobytes() == during[1].tobytes()
    tomorrow = [halves_of([*past, today, quiet[:2]]).season.profile for today in (quiet, wild)]
    assert np.abs(tomorrow[0] - tomorrow[1]).max() > 0.01


def test_pitfall_23_a_spike_does_not_raise_its_own_baseline() -> None:
    """Mistake: the baseline follows the spike, and the alert closes while it lasts. Right: z is clipped for it."""
    log_range = np.append(noise(23, 400), noise(24, 60) + 3.0)
    n, no = len(log_range), np.zeros(len(log_range), np.bool_)
    bar = Observation(
        OPEN_MS + MINUTE_MS * np.arange(n), log_range, np.zeros(n), np.zeros(n), np.full(n, 30), no, no, no
    )
    _, verdict = judge(detector.new_state(1), bar, ENTER, np.zeros(n, np.int64))
    exit_level = EXIT_FRACTION * ENTER
    assert followed(log_range, 3.0)[60:] == pytest.approx(verdict.z[60:], rel=1e-9)
    assert followed(log_range, np.inf)[-1] < exit_level < verdict.z[400:].min()
    assert np.flatnonzero(verdict.closed[400:]).tolist() == []


def followed(log_range: Float64, clip: float) -> Float64:
    """Return z of each bar against a baseline that learns from z up to a limit, as it is specified."""
    baseline, scale, found = float(log_range[0]), 0.5, [0.0]
    for n, y in enumerate(log_range[1:].tolist(), 1):
        z = (y - baseline) / scale
        found.append(z)
        learnt = min(max(z, -clip), clip)
        gain, scale_gain = max(1 - 2 ** (-1 / 60), 1 / (n + 1)), max(1 - 2 ** (-1 / 390), 1 / (n + 20))
        baseline += gain * learnt * scale
        scale = max(0.3, scale + scale_gain * (1.2533 * 1.01 * abs(learnt) * scale - scale))
    return np.array(found)


def u_shape() -> Float64:
    """Return the log of the usual shape of a session, by minute (the prior of the specification)."""
    t = (np.arange(SESSION) + 0.5) / SESSION
    shape = np.log(0.8 + 1.5 * np.exp(-t / 0.07) + 0.4 * np.exp(-(1 - t) / 0.06))
    level: Float64 = shape - shape.mean()
    return level


def test_pitfall_24_the_open_raises_no_storm() -> None:
    """Mistake: every day at 09:30 every symbol is three times as wild as "usual". Right: it is usual at that time."""
    symbols, sessions = 30, 4
    starts = np.concatenate([minutes_from(OPEN_MS + day * DAY_MS, SESSION) for day in range(sessions)])
    spread = np.exp([np.tile(u_shape(), sessions) + noise(24 + symbol, len(starts)) for symbol in range(symbols)])
    table = bars(
        np.tile(starts, symbols), spread=spread.ravel(), series=np.repeat(np.arange(symbols), len(starts)), trades=30
    )
    made = advance_final(made_state(*["XNYS"] * symbols), table)
    minute, day = made.bars.table.start % DAY_MS // MINUTE_MS - 870, made.bars.table.start // DAY_MS
    early = (minute < 15) & (day > OPEN_MS // DAY_MS)
    begins = minute == 0
    flat, no = np.zeros(len(minute)), np.zeros(len(minute), np.bool_)
    bar = Observation(table.start, made.signals.log_range, flat, flat, table.trades, begins, no, no)
    _, naive = judge(detector.new_state(symbols), bar, ENTER, table.series)
    opens = symbols * (sessions - 1)
    assert (naive.opened & early).sum() > opens // 3
    assert (made.episodes.opened & early).sum() < opens // 30


def flags(result: Result) -> list[list[str]]:
    return [[name for bit, name in FLAG_NAMES.items() if bits & bit] for bits in result.bars[0].table.flags.tolist()]


def walk(minutes: range, *, level: float = 100.0, seed: int = 1, spiking: bool = True) -> Trades:
    """Return ten prints a minute of a coin, a few of the minutes ten times as wild."""
    random = np.random.Generator(np.random.PCG64(seed))
    rows, price = [], level
    for minute in minutes:
        sigma = 2e-3 if spiking and minute in SPIKE_MINUTES else 2e-4
        for place in range(10):
            price *= float(np.exp(sigma * random.standard_normal()))
            rows.append((COIN, minute * MINUTE_MS + 6_000 * place, price, 1.0))
    return trades(rows)


@pytest.mark.parametrize(
    ("condition", "flag", "kinds"), [("gap", "source_gap", []), ("mark", "reopen", ["REOPEN"])], ids=["gap", "halt"]
)
def test_pitfall_25_catching_up_is_no_volatility(condition: str, flag: str, kinds: list[str]) -> None:
    """Mistake: the move of minutes that nobody saw, or without a trade, is one minute's. Right: after a gap nothing is
    raised, after a halt a REOPEN; and neither return is in a window."""
    before, after = walk(range(70), spiking=False), walk(range(77, 90), level=110.0, spiking=False)
    apart = mark(76 * MINUTE_MS, symbol=COIN, condition=condition)
    engine = Engine(EngineConfig(outlier_filter=False))
    result = engine.process(concatenate([before, apart, after, mark(200 * MINUTE_MS, symbol=COIN)]))
    assert flag in flags(result)[70]
    assert result.bars[0].log_return[70] > 0.08
    assert [step.kind for step in result.transitions if step.state == "OPEN"] == kinds
    volatility = result.volatility[0]
    ewma = volatility.value[:, volatility.estimators.index("ewma")]
    assert (ewma[70], ewma[71] < 2 * ewma[69]) == (ewma[69], True)


def spiked() -> Trades:
    return concatenate([walk(range(120)), mark(150 * MINUTE_MS, symbol=COIN)])


def run(engine: Engine, given: Trades, cuts: Int64) -> list[Transition]:
    edges = [0, *cuts.tolist(), len(given)]
    return [step for a, b in pairwise(edges) for step in engine.process(given.take(slice(a, b))).transitions]


def ids(steps: list[Transition], state: str) -> list[object]:
    return [alert_id(step.source, step.symbol, step.kind, step.onset) for step in steps if step.state == state]


def test_pitfall_26_a_restart_within_an_episode_opens_no_second_alert() -> None:
    """Mistake: the new process sees the spike for the first time. Right: the episode is in the state, and a run that
    was not committed opens, when it is repeated, the alert of the same id."""
    given, cut = spiked(), 10 * (SPIKE_MINUTES.start + 1) + 5
    engine = Engine(EngineConfig())
    first = run(engine, given.take(slice(0, cut)), np.array([10 * SPIKE_MINUTES.start]))
    saved = save(engine.state)
    assert (len(set(ids(first, "OPEN"))), ids(first, "CLOSED")) == (1, [])
    rest = given.take(slice(cut, None))
    restarts = (Engine(EngineConfig(), restore(saved)), Engine(EngineConfig(), restore(saved)), engine)
    once, again, without = (run(each, rest, np.array([5, 60])) for each in restarts)
    assert once == again == without
    assert set(ids(first + once, "OPEN")) == set(ids(first, "OPEN"))
    assert ids(once, "CLOSED") == ids(first, "OPEN")[:1]
    assert run(Engine(EngineConfig()), rest, np.array([5, 60])) == []  # without its state it does not even close


def test_pitfall_27_one_run_after_an_outage_says_what_thirty_runs_say() -> None:
    """Mistake: a run looks at the newest bar only, and what happened in between is lost. Right: every bar, in order."""
    given = spiked()
    warm, minute = given.take(slice(0, 700)), 10 * np.arange(1, 50)
    thirty, one = Engine(EngineConfig()), Engine(EngineConfig())
    for engine in (thirty, one):
        engine.process(warm)
    rest = given.take(slice(700, None))
    told = [step for step in run(thirty, rest, minute) if step.final]
    at_once = one.process(rest)
    assert [step for step in at_once.transitions if step.final] == told
    assert {step.state for step in told} >= {"OPEN", "CLOSED"}
    assert save(one.state) == save(thirty.state)
    newest = at_once.signals.statistic[at_once.signals.final][-1]
    assert newest < EXIT_FRACTION * ENTER
