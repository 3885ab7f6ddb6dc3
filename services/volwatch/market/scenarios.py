"""Scenarios of the simulator: which kinds of calm market, which events, how often. Pure.

An event is a list of phases, each of which bends the price path of one symbol for some seconds: it multiplies the
volatility, adds a drift, jumps, or stops trading. Times are whole seconds since the market's start.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CALM_KINDS = ("gbm", "stochastic", "heston", "garch", "thin")

QUIET_SECONDS = 3_600
"""No event begins sooner: a detector has nothing to compare it with."""

PERIOD_SECONDS = 21_600
_SLOTS = 3
_LEAD_SECONDS = 600
_LONGEST_SECONDS = 1_800
_REST_SECONDS = 1_200


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in a simulated market. Kinds of calm are dealt to the symbols in turn.

    Attributes
    ----------
    events_per_symbol_day : float
        Mean number of events; a symbol has at most three in six hours.
    """

    summary: str
    calm_kinds: tuple[str, ...]
    event_kinds: tuple[str, ...] = ()
    events_per_symbol_day: float = 0.0


@dataclass(frozen=True, slots=True)
class Phase:
    """How one symbol's path is bent in [start_second, end_second)."""

    start_second: int
    end_second: int
    volatility_multiplier: float = 1.0
    log_drift_per_second: float = 0.0
    jump_sigmas: float = 0.0
    halted: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One departure from calm of one symbol, with what its label says."""

    symbol: int
    kind: str
    start_second: int
    end_second: int
    magnitude: float
    phases: tuple[Phase, ...]


Maker = Callable[[np.random.Generator, int, int, int], Event]


def stream(seed: int, purpose: str, place: int = 0) -> np.random.Generator:
    """Return the random numbers of one purpose at one place; no two share any."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode("ascii"), place])))


def burst(symbol: int, start_second: int, seconds: int, multiplier: float) -> Event:
    """Return a spell of multiplied volatility."""
    end = start_second + seconds
    phase = Phase(start_second, end, volatility_multiplier=multiplier)
    return Event(symbol, "burst", start_second, end, multiplier, (phase,))


def _burst(rng: np.random.Generator, symbol: int, start: int, _end: int) -> Event:
    multiplier, minutes = float(rng.choice((2, 3, 5))), int(rng.choice((5, 10, 15, 30)))
    return burst(symbol, start, minutes * 60, multiplier)


def _jump(rng: np.random.Generator, symbol: int, start: int, _end: int) -> Event:
    sigmas = float(rng.uniform(7.0, 25.0))
    phase = Phase(start, start + 1, jump_sigmas=sigmas * _sign(rng))
    return Event(symbol, "jump", start, start + 60, sigmas, (phase,))


def _flash(rng: np.random.Generator, symbol: int, start: int, _end: int) -> Event:
    depth = float(rng.uniform(0.02, 0.08))
    bottom = start + int(rng.integers(180, 421))
    end = bottom + int(rng.integers(480, 1_201))
    fall = Phase(start, bottom, 3.0, log_drift_per_second=-depth / (bottom - start))
    recovery = Phase(bottom, end, 3.0, log_drift_per_second=0.85 * depth / (end - bottom))
    return Event(symbol, "flash", start, end, depth, (fall, recovery))


def _regime(rng: np.random.Generator, symbol: int, start: int, end: int) -> Event:
    multiplier = float(rng.uniform(2.0, 3.5))
    return Event(symbol, "regime", start, end, multiplier, (Phase(start, end, multiplier),))


def _halt(rng: np.random.Generator, symbol: int, start: int, _end: int) -> Event:
    sigmas = float(rng.uniform(8.0, 20.0))
    reopening = start + int(rng.integers(300, 901))
    end = reopening + 600
    phases = (Phase(start, reopening, halted=True), Phase(reopening, end, 2.5, jump_sigmas=sigmas * _sign(rng)))
    return Event(symbol, "halt", reopening, end, sigmas, phases)


def _sign(rng: np.random.Generator) -> float:
    return 1.0 if rng.random() < 0.5 else -1.0


_MAKERS: dict[str, Maker] = {"burst": _burst, "jump": _jump, "flash": _flash, "regime": _regime, "halt": _halt}
EVENT_KINDS = tuple(_MAKERS)

SCENARIOS = {
    "calm": Scenario("every kind of calm market, no event", CALM_KINDS),
    "mixed": Scenario("every kind of calm market, every kind of event", CALM_KINDS, EVENT_KINDS, 4.0),
    "gbm": Scenario("constant volatility (geometric Brownian motion)", ("gbm",)),
    "stochastic": Scenario("slow and fast log-volatility, Student-t minutes", ("stochastic",)),
    "heston": Scenario("mean-reverting variance (Heston)", ("heston",)),
    "garch": Scenario("clustered volatility (GARCH(1,1) by the minute)", ("garch",)),
    "thin": Scenario("stochastic volatility seen through few trades", ("thin",)),
    "burst": Scenario("bursts ×2, ×3, ×5 of 5–30 minutes", ("stochastic",), ("burst",), 8.0),
    "jump": Scenario("jumps of 7–25 local one-minute sigmas", ("stochastic",), ("jump",), 8.0),
    "flash": Scenario("flash crashes of 2–8 %, most of it regained", ("stochastic",), ("flash",), 8.0),
    "regime": Scenario("volatility ×2–3.5 for an hour or more", ("stochastic",), ("regime",), 4.0),
    "halt": Scenario("trading halts of 5–15 minutes that reopen with a jump", ("stochastic",), ("halt",), 8.0),
}


def draw_event(kind: str, rng: np.random.Generator, symbol: int, start_second: int, end_second: int) -> Event:
    """Return an event of one of ``EVENT_KINDS``, its size drawn at random; a regime lasts to ``end_second``."""
    return _MAKERS[kind](rng, symbol, start_second, end_second)


def schedule(scenario: Scenario, seed: int, period: int, symbols: int) -> list[Event]:
    """Return the events of one period of six hours, in order of the phase that comes first.

    A symbol's events stand apart from one another, and none reaches into the next period.
    """
    if not scenario.event_kinds:
        return []
    rng = stream(seed, "schedule", period)
    mean = scenario.events_per_symbol_day * PERIOD_SECONDS / 86_400
    counts = np.minimum(rng.poisson(mean, symbols), _SLOTS).tolist()
    events = [
        _place(rng, scenario.event_kinds, symbol, period * PERIOD_SECONDS + slot * (PERIOD_SECONDS // count), count)
        for symbol, count in enumerate(counts)
        for slot in range(count)
    ]
    loud = [event for event in events if first_second(event) >= QUIET_SECONDS]
    return sorted(loud, key=lambda event: (first_second(event), event.symbol))


def first_second(event: Event) -> int:
    """Return when an event first bends the path (a halt does so before its label begins)."""
    return event.phases[0].start_second


def last_second(event: Event) -> int:
    """Return when an event has passed."""
    return event.phases[-1].end_second


def _place(rng: np.random.Generator, kinds: tuple[str, ...], symbol: int, slot_start: int, count: int) -> Event:
    slot_end = slot_start + PERIOD_SECONDS // count - _REST_SECONDS
    start = int(rng.integers(slot_start + _LEAD_SECONDS, slot_end - _LONGEST_SECONDS))
    return draw_event(str(rng.choice(kinds)), rng, symbol, start, slot_end)
