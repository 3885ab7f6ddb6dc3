"""A seeded hour in which everything happens that a detector must tell apart, behind an hour that warms it up."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tests.integration.worlds import MINUTE_MS, START_MS, end_mark, print_of
from volwatch.market import paths
from volwatch.market.paths import Ticks
from volwatch.market.scenarios import SCENARIOS, Event, Phase, burst, draw_event, stream
from volwatch.producer.simulator import symbol_names
from volwatch.trade import Trade

SEED = 7
SYMBOLS = 24
PARTITIONS = 3
WARM_MINUTES, MINUTES = 62, 122
RATE = 5.0
SOURCE = "simulator"

SPLIT, BAD_PRINTS, LATE, REJECTED = 5, 6, 7, 21
"""Symbols, by their place, of which something is wrong that is no volatility."""
WAVE = tuple(range(8, 20))
"""Symbols that burst at once."""
_SPLIT_MINUTE, _WAVE_MINUTE = 80, 105

Partitions = Mapping[int, Sequence[Trade]]


def everything() -> Partitions:
    """Return the trades of all that happens, by partition, in order of arrival, up to a mark that makes them final."""
    names = symbol_names(SYMBOLS)
    traits = paths.draw_traits(SCENARIOS["calm"], SEED, SYMBOLS, RATE)
    state, happening = paths.begin(traits, SEED), events()
    trades: list[Trade] = []
    for _ in range(MINUTES):
        ticks, state = paths.make_block(traits, state, 60, SEED, happening)
        trades += _records(ticks, names, len(trades))
    trades = sorted(disturbed(trades, names), key=lambda trade: trade.received_at)
    of: dict[int, list[Trade]] = {partition: [] for partition in range(PARTITIONS)}
    for trade in trades:
        of[names.index(trade.symbol) % PARTITIONS].append(trade)
    return {partition: [*rows, end_mark(trades[-1])] for partition, rows in of.items()}


def events() -> list[Event]:
    """Return a burst, a jump, a flash crash, a regime, two halts, and a wave that goes through half of the market."""
    rng = stream(SEED, "scene")
    end = (_WAVE_MINUTE - 5) * 60
    drawn = {1: ("jump", 66), 2: ("flash", 68), 22: ("regime", 70), 23: ("halt", 75)}
    return [
        burst(0, 64 * 60, 600, 5.0),
        burst(20, 66 * 60, 300, 3.0),
        burst(20, 90 * 60, 300, 8.0),
        _halt(3, 72 * 60),
        *(draw_event(kind, rng, symbol, minute * 60 + 17, end) for symbol, (kind, minute) in drawn.items()),
        *(burst(symbol, _WAVE_MINUTE * 60 + symbol, 240, 9.0) for symbol in WAVE),
    ]


def _halt(symbol: int, start_second: int) -> Event:
    """Return seven minutes without a trade, and a jump behind them that is beyond what so many would have moved."""
    reopening = start_second + 420
    phases = (
        Phase(start_second, reopening, halted=True),
        Phase(reopening, reopening + 300, 2.5, jump_sigmas=40.0),
    )
    return Event(symbol, "halt", reopening, reopening + 300, 40.0, phases)


def disturbed(trades: Iterable[Trade], names: Sequence[str]) -> list[Trade]:
    """Return the trades with a split, with bad prints, and with some that come late, too late, or are none."""
    made: list[Trade] = []
    for number, trade in enumerate(trades):
        place = names.index(trade.symbol)
        minute = (trade.event_time - START_MS) // MINUTE_MS
        if place == SPLIT and minute >= _SPLIT_MINUTE:
            trade = print_of(trade, price=round(trade.price / 2, 2))  # noqa: PLW2901 - it goes on as that
        made.append(trade)
        if minute < WARM_MINUTES:
            continue
        if place == BAD_PRINTS and number % 7 == 0:
            made.append(print_of(trade, price=round(trade.price * 1.06, 2)))
        if place == LATE and number % 5 == 0:
            # Within what is waited for, and beyond it, each by so much that no other partition decides.
            made.append(print_of(trade, event_time=trade.event_time - (90_000 if number % 2 else 300_000)))
        if place == REJECTED and number % 5 == 0:
            made.append(print_of(trade, price=-1.0))
    return made


def _records(ticks: Ticks, names: Sequence[str], first_seq: int) -> list[Trade]:
    order = np.argsort(ticks.received_ms, kind="stable")
    columns = zip(
        *(
            column[order].tolist()
            for column in (ticks.symbol, ticks.event_ms, ticks.price, ticks.size, ticks.received_ms)
        ),
        strict=True,
    )
    return [
        Trade(
            SOURCE, names[symbol], START_MS + event_ms, price, size, (), None, START_MS + received_ms, first_seq + row
        )
        for row, (symbol, event_ms, price, size, received_ms) in enumerate(columns)
    ]
