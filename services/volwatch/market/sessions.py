"""A labelled market of trading sessions: symbols that each follow one scenario, and the minute bars of their trades.

The first sessions are calm; events come in the last ones only. The trades are those of ``paths``, under a volatility
that has a shape over the day, and the bars are made of them by the engine's own rules. Pure: a function of the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.bars import BarTable, add_trades, empty_table
from volwatch.analytics.trades import Int64, Trades
from volwatch.market import paths
from volwatch.market.calm import Floats
from volwatch.market.paths import State, Ticks, Traits
from volwatch.market.scenarios import CALM_KINDS, Event, burst, draw_event, first_second, last_second, stream

SOURCE = "market"
SESSION_MINUTES = 390
_SESSION_SECONDS = SESSION_MINUTES * 60
_MINUTES_PER_YEAR = 252 * SESSION_MINUTES

NULLS = {
    "null_gbm": "gbm",
    "null_sv_t": "stochastic",
    "null_heston": "heston",
    "null_garch": "garch",
    "null_thin": "thin",
}
"""Scenarios without events, and the kind of calm that each one is."""
EVENTFUL = ("burst_x2", "burst_x3", "burst_x5", "jump", "flash", "regime", "halt")
SCENARIOS = (*NULLS, *EVENTFUL)

_BURST_MINUTES = (5, 10, 15, 30)
_MOST_A_SESSION = {"burst_x2": 2, "burst_x3": 2, "burst_x5": 2, "jump": 3}
_CHANCE_A_SESSION = {"flash": 0.6, "regime": 0.7, "halt": 0.7}
_LEAD_MINUTES, _LONGEST_MINUTES, _REST_MINUTES = 20, 30, 20
_REGIME_FROM, _REGIME_UNTIL = 60, 250

_TRADES_PER_MINUTE, _THIN_TRADES_PER_MINUTE = 40.0, 1.2
_TILT_SD = 0.15
_OVERNIGHT_SHARE = 0.6  # of a session's standard deviation

_SHAPES = {
    "u": (0.75, 1.7, 0.06, 0.5, 0.05),
    "flat": (1.0, 0.0, 1.0, 0.0, 1.0),
    "open": (0.6, 3.0, 0.03, 0.8, 0.03),
    "close": (0.8, 0.5, 0.10, 1.8, 0.08),
}
"""Level, height and decay of the open, height and decay of the close; decays in sessions."""
_LUNCH_DEPTH, _LUNCH_WIDTH = 0.4, 0.12
SHAPE_NAMES = (*_SHAPES, "lunch")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which market to make.

    Attributes
    ----------
    symbols_per_scenario : int
        Symbols follow ``SCENARIOS`` in their order, so many each.
    history, evaluated : int
        Sessions before the first event, and those that hold events.
    mixed : bool
        Whether symbols have shapes of the day of many kinds, or all a U.
    """

    seed: int
    symbols_per_scenario: int
    history: int
    evaluated: int
    mixed: bool

    @property
    def scenario(self) -> tuple[str, ...]:
        """The scenario of each symbol."""
        return tuple(name for name in SCENARIOS for _ in range(self.symbols_per_scenario))

    @property
    def sessions(self) -> int:
        """All of them."""
        return self.history + self.evaluated


@dataclass(frozen=True, slots=True)
class Session:
    """A session's bars, the index of a symbol as their series, the trades that make them, in order of arrival, and the
    events that begin in it.

    The seconds of its events count from the first session's open, without the nights.
    """

    bars: BarTable
    trades: Trades
    events: tuple[Event, ...]


def shape_of_day(name: str) -> Floats:
    """Return volatility over its mean by the minute of a session, shape (SESSION_MINUTES,); its mean square is 1."""
    t = (np.arange(SESSION_MINUTES) + 0.5) / SESSION_MINUTES
    level, opening, opening_decay, closing, closing_decay = _SHAPES["u" if name == "lunch" else name]
    shape = level + opening * np.exp(-t / opening_decay) + closing * np.exp(-(1 - t) / closing_decay)
    if name == "lunch":
        shape -= _LUNCH_DEPTH * np.exp(-(((t - 0.5) / _LUNCH_WIDTH) ** 2))
    scaled: Floats = shape / np.sqrt(np.mean(shape**2))
    return scaled


def make_sessions(plan: Plan, open_ms: Int64) -> Iterator[Session]:
    """Yield the sessions, one after the other.

    Parameters
    ----------
    open_ms : int64, shape (plan.sessions,)
        When each opens, epoch milliseconds.
    """
    traits, shapes = _traits(plan), _shapes(plan)
    state = paths.begin(traits, plan.seed)
    for session in range(plan.sessions):
        events = _events(plan, session) if session >= plan.history else ()
        state = _open(plan, traits, state, session)
        blocks, state = _trade(plan, traits, state, _shape_today(plan, shapes, session), events)
        moved = int(open_ms[session]) - session * _SESSION_SECONDS * 1_000
        trades = _trades(blocks, moved, len(plan.scenario))
        bars = add_trades(empty_table(), trades, trades.code.astype(np.int64), np.zeros(len(trades), np.int64))
        arrived = np.argsort(trades.received_at, kind="stable")
        yield Session(bars, replace(trades.take(arrived), offset=trades.offset), events)


def event_minutes(event: Event) -> tuple[int, int]:
    """Return the first and the last bar of an event's label, in minutes of trading since the first session's open."""
    return event.start_second // 60, (event.end_second - 1) // 60


def _traits(plan: Plan) -> Traits:
    """Return the symbols: 15–60 % volatility a year in trading hours, prices of 25 to 400."""
    rng, symbols = stream(plan.seed, "session traits"), len(plan.scenario)
    kinds = np.array([CALM_KINDS.index(NULLS.get(name, "stochastic")) for name in plan.scenario])
    annual = np.exp(rng.uniform(np.log(0.15), np.log(0.60), symbols))
    price = np.exp(rng.uniform(np.log(25.0), np.log(400.0), symbols))
    per_minute = np.where(kinds == CALM_KINDS.index("thin"), _THIN_TRADES_PER_MINUTE, _TRADES_PER_MINUTE)
    return Traits(kinds, annual / np.sqrt(_MINUTES_PER_YEAR), per_minute / 60, np.log(price))


def _shapes(plan: Plan) -> Floats:
    """Return the shape of each symbol's usual day, shape (symbols, SESSION_MINUTES)."""
    symbols = len(plan.scenario)
    if not plan.mixed:
        return np.tile(shape_of_day("u"), (symbols, 1))
    chosen = stream(plan.seed, "session shapes").choice(SHAPE_NAMES, symbols)
    return np.array([shape_of_day(str(name)) for name in chosen])


def _shape_today(plan: Plan, shapes: Floats, session: int) -> Floats:
    """Return the shapes of one day: they tilt from day to day, but for those of a constant volatility."""
    tilt = _TILT_SD * stream(plan.seed, "session tilt", session).standard_normal(len(shapes))
    tilt[[name == "null_gbm" for name in plan.scenario]] = 0.0
    today: Floats = shapes * np.exp(tilt[:, None] * np.linspace(1, -1, SESSION_MINUTES))
    return today


def _open(plan: Plan, traits: Traits, state: State, session: int) -> State:
    """Return the market after the night: each price has moved."""
    if not session:
        return state
    night = stream(plan.seed, "session night", session).standard_normal(len(traits.kinds))
    moves = _OVERNIGHT_SHARE * traits.sigma_minute * np.sqrt(SESSION_MINUTES) * night
    return replace(state, log_price=state.log_price + moves)


def _trade(
    plan: Plan, traits: Traits, state: State, shape: Floats, events: tuple[Event, ...]
) -> tuple[list[Ticks], State]:
    blocks = []
    for minute in range(SESSION_MINUTES):
        level = shape[:, minute]
        now = replace(
            traits,
            sigma_minute=traits.sigma_minute * level,
            trades_per_second=traits.trades_per_second * level,
        )
        begun, ended = state.second, state.second + 60
        present = [event for event in events if first_second(event) < ended and last_second(event) > begun]
        ticks, state = paths.make_block(now, state, 60, plan.seed, present)
        blocks.append(ticks)
    return blocks, state


def _trades(blocks: list[Ticks], moved_ms: int, symbols: int) -> Trades:
    """Return a session's trades, minute by minute."""
    columns = {
        name: np.concatenate([getattr(ticks, name) for ticks in blocks])
        for name in ("symbol", "event_ms", "received_ms", "price", "size")
    }
    n = len(columns["symbol"])
    return Trades(
        series=tuple((SOURCE, str(number)) for number in range(symbols)),
        code=columns["symbol"].astype(np.int32),
        event_time=columns["event_ms"] + moved_ms,
        received_at=columns["received_ms"] + moved_ms,
        price=columns["price"],
        size=columns["size"],
        conditions=((),),
        condition_code=np.zeros(n, np.int32),
        offset=np.arange(n, dtype=np.int64),
    )


def _events(plan: Plan, session: int) -> tuple[Event, ...]:
    """Return the events of a session, each at a full minute."""
    rng = stream(plan.seed, "session events", session)
    opened = session * SESSION_MINUTES
    return tuple(
        _event(name, rng, symbol, opened + minute, opened + SESSION_MINUTES)
        for symbol, name in enumerate(plan.scenario)
        if name not in NULLS
        for minute in _onsets(name, rng)
    )


def _onsets(name: str, rng: np.random.Generator) -> list[int]:
    """Return the minutes of a session at which a symbol's events begin; they stand apart from one another."""
    most = _MOST_A_SESSION.get(name)
    count = int(rng.random() < _CHANCE_A_SESSION[name]) if most is None else int(rng.integers(1, most + 1))
    if name == "regime":
        return [int(rng.integers(_REGIME_FROM, _REGIME_UNTIL)) for _ in range(count)]
    slot = (SESSION_MINUTES - _LEAD_MINUTES) // max(count, 1)
    latest = slot - _LONGEST_MINUTES - _REST_MINUTES
    return [_LEAD_MINUTES + place * slot + int(rng.integers(0, latest)) for place in range(count)]


def _event(name: str, rng: np.random.Generator, symbol: int, minute: int, end_minute: int) -> Event:
    if name.startswith("burst_x"):
        return burst(symbol, minute * 60, int(rng.choice(_BURST_MINUTES)) * 60, float(name.removeprefix("burst_x")))
    return draw_event(name, rng, symbol, minute * 60, end_minute * 60)
