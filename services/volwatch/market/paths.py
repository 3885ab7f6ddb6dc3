"""The simulated market: price paths and the trades that show them, a block of seconds at a time. Pure.

A symbol's log price is a Brownian motion run on its own variance clock: between two trades it moves by a normal draw
whose variance is the integral of σ² over the time between, whatever calm and events make of σ. All random numbers
of a block come from (seed, block) alone and in a fixed number, so an event added in the middle of a block changes
only what follows it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from volwatch.market import calm
from volwatch.market.calm import CalmState, Floats, Integers
from volwatch.market.scenarios import CALM_KINDS, Event, Phase, Scenario, stream

_MINUTES_PER_YEAR = 365 * 1_440
_THIN_TRADES_PER_SECOND = 1.5 / 60
_MOST_LATENCY_MS = 40
_THIN = CALM_KINDS.index("thin")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a symbol is for good, each of shape (symbols,)."""

    kinds: Integers
    sigma_minute: Floats
    trades_per_second: Floats
    log_price: Floats


@dataclass(frozen=True, slots=True)
class State:
    """Where the market stands at the end of a block.

    Attributes
    ----------
    second : int
        Seconds since the market's start.
    log_price : (symbols,)
        As of the last trade, events since included.
    pending_variance : (symbols,)
        Variance that has run up since the last trade and that the next one will show.
    walked, spent : (symbols,)
        Diffusion shown in this minute so far, and the variance it used up.
    """

    second: int
    log_price: Floats
    pending_variance: Floats
    walked: Floats
    spent: Floats
    calm: CalmState
    variance_multiplier: Floats


@dataclass(frozen=True, slots=True)
class Ticks:
    """Trades as columns; times in milliseconds since the market's start."""

    symbol: Integers
    event_ms: Integers
    received_ms: Integers
    price: Floats
    size: Floats

    def __len__(self) -> int:
        return len(self.symbol)

    def __getitem__(self, rows: slice) -> "Ticks":
        return Ticks(self.symbol[rows], self.event_ms[rows], self.received_ms[rows], self.price[rows], self.size[rows])

    def merged(self, later: "Ticks") -> "Ticks":
        """Return both, ordered by the time of receipt."""
        pairs = zip(_columns(self), _columns(later), strict=True)
        symbol, event_ms, received_ms, price, size = (np.concatenate(pair) for pair in pairs)
        order = np.argsort(received_ms, kind="stable")
        return Ticks(symbol[order], event_ms[order], received_ms[order], price[order], size[order])


def _columns(ticks: Ticks) -> tuple[Integers, Integers, Integers, Floats, Floats]:
    return ticks.symbol, ticks.event_ms, ticks.received_ms, ticks.price, ticks.size


def no_ticks() -> Ticks:
    """Return no trades."""
    whole, real = np.empty(0, np.int64), np.empty(0)
    return Ticks(whole, whole, whole, real, real)


def draw_traits(scenario: Scenario, seed: int, symbols: int, rate: float) -> Traits:
    """Return the symbols of a market: 20–60 % volatility a year, and prices beside which a cent is small."""
    rng = stream(seed, "traits")
    kinds = np.array([CALM_KINDS.index(kind) for kind in scenario.calm_kinds])[
        np.arange(symbols) % len(scenario.calm_kinds)
    ]
    annual = rng.uniform(0.22, 0.58, symbols)
    price = np.exp(rng.uniform(np.log(150.0), np.log(450.0), symbols))
    activity = np.exp(0.3 * rng.standard_normal(symbols))
    return Traits(kinds, annual / np.sqrt(_MINUTES_PER_YEAR), _share_rate(kinds, activity, rate), np.log(price))


def _share_rate(kinds: Integers, activity: Floats, rate: float) -> Floats:
    """Return each symbol's trades per second: thin symbols take little, the others share the rest by their activity."""
    thin = kinds == _THIN
    if thin.all():
        return np.full(len(kinds), rate / len(kinds))
    shares = np.where(thin, min(_THIN_TRADES_PER_SECOND, rate / len(kinds)), 0.0)
    weights = np.where(thin, 0.0, activity)
    rates: Floats = shares + weights / weights.sum() * (rate - shares.sum())
    return rates


def begin(traits: Traits, seed: int) -> State:
    """Return the market at its start."""
    symbols = len(traits.kinds)
    zeros = np.zeros(symbols)
    hidden = calm.begin(stream(seed, "calm"), symbols)
    return State(0, traits.log_price, zeros, zeros, zeros, hidden, np.ones(symbols))


@dataclass(frozen=True, slots=True)
class _Grid:
    """What bends the paths within a block, second by second, each of shape (symbols, seconds).

    ``clock`` and ``drift`` are integrals up to the start of each second, with one column more for the block's end.
    """

    variance: Floats
    clock: Floats
    slope: Floats
    drift: Floats
    jump: Floats
    open: Floats


def make_block(traits: Traits, state: State, seconds: int, seed: int, events: Iterable[Event]) -> tuple[Ticks, State]:
    """Return the trades of the next ``seconds`` (a divisor of 60), by symbol and time, and the market after them."""
    if state.second % 60 == 0:
        state = _begin_minute(traits, state, seed)
    grid = _lay_grid(traits, state, seconds, events)
    rng = stream(seed, "block", state.second)
    counts = rng.poisson(traits.trades_per_second * seconds)
    span_ms = seconds * 1_000
    places = np.sort(np.repeat(np.arange(len(counts)), counts) * span_ms + rng.integers(0, span_ms, counts.sum()))
    symbol, time_ms = np.divmod(places, span_ms)
    draws = rng.standard_normal((2, len(places)))
    latency_ms = rng.integers(1, _MOST_LATENCY_MS + 1, len(places))

    second = time_ms // 1_000
    trading = grid.open[symbol, second] > 0
    symbol, time_ms, second, latency_ms = symbol[trading], time_ms[trading], second[trading], latency_ms[trading]
    log_price, after = _walk(state, grid, symbol, time_ms, draws[0, trading])
    # Volume runs with volatility: as the square root of the variance multiplier.
    surge = np.sqrt(grid.variance[symbol, second] / (traits.sigma_minute[symbol] ** 2 / 60))
    event_ms = state.second * 1_000 + time_ms
    price = np.maximum(np.rint(np.exp(log_price) * 100), 1) / 100
    size = np.floor(1 + surge * np.exp(3.5 + draws[1, trading]))
    return Ticks(symbol, event_ms, event_ms + latency_ms, price, size), replace(after, second=state.second + seconds)


def _begin_minute(traits: Traits, state: State, seed: int) -> State:
    rng = stream(seed, "minute", state.second // 60)
    surprise = np.divide(state.walked**2, state.spent, out=np.ones_like(state.spent), where=state.spent > 0)
    hidden = calm.step(state.calm, rng, surprise)
    zeros = np.zeros(len(surprise))
    multiplier = calm.variance_multiplier(hidden, rng, traits.kinds)
    return replace(state, walked=zeros, spent=zeros, calm=hidden, variance_multiplier=multiplier)


def _lay_grid(traits: Traits, state: State, seconds: int, events: Iterable[Event]) -> _Grid:
    local = traits.sigma_minute**2 * state.variance_multiplier
    shape = (len(local), seconds)
    variance = np.repeat(local[:, None] / 60, seconds, axis=1)
    slope, jump, trading = np.zeros(shape), np.zeros(shape), np.ones(shape)
    for event in events:
        for phase in event.phases:
            rows = _rows(phase, state.second, seconds)
            if rows.start >= rows.stop:
                continue
            variance[event.symbol, rows] *= phase.volatility_multiplier**2
            slope[event.symbol, rows] += phase.log_drift_per_second
            if phase.halted:
                trading[event.symbol, rows] = 0.0
            if phase.start_second >= state.second:
                jump[event.symbol, rows.start] += phase.jump_sigmas * np.sqrt(local[event.symbol])
    return _Grid(variance, _integral(variance * trading), slope, _integral(slope), jump, trading)


def _rows(phase: Phase, second: int, seconds: int) -> slice:
    return slice(max(phase.start_second - second, 0), min(phase.end_second - second, seconds))


def _integral(per_second: Floats) -> Floats:
    return np.concatenate([np.zeros((len(per_second), 1)), np.cumsum(per_second, axis=1)], axis=1)


def _walk(state: State, grid: _Grid, symbol: Integers, time_ms: Integers, draws: Floats) -> tuple[Floats, State]:
    """Return the log price at each trade (ordered by symbol, then time), and the state after the block."""
    second, fraction = time_ms // 1_000, time_ms % 1_000 / 1_000
    clock = grid.clock[symbol, second] + grid.variance[symbol, second] * fraction
    first = np.flatnonzero(np.diff(symbol, prepend=-1))
    last = np.append(first[1:], len(symbol))[: len(first)] - 1
    traded = symbol[first]

    before = np.concatenate([[0.0], clock[:-1]])[: len(clock)]
    before[first] = -state.pending_variance[traded]
    steps = np.sqrt(np.maximum(clock - before, 0.0)) * draws
    walk = np.cumsum(steps)
    walk -= np.repeat(walk[first] - steps[first], last - first + 1)

    moved, used = np.zeros(len(state.log_price)), np.zeros(len(state.log_price))
    moved[traded] = walk[last]
    used[traded] = clock[last] + state.pending_variance[traded]
    jumped = np.cumsum(grid.jump, axis=1)
    log_price = state.log_price[symbol] + walk + jumped[symbol, second]
    log_price += grid.drift[symbol, second] + grid.slope[symbol, second] * fraction
    after = replace(
        state,
        log_price=state.log_price + moved + jumped[:, -1] + grid.drift[:, -1],
        pending_variance=state.pending_variance + grid.clock[:, -1] - used,
        walked=state.walked + moved,
        spent=state.spent + used,
    )
    return log_price, after
