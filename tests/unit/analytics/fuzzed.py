"""Trades to fuzz the engine with, all from a seed: prices and sizes that are none, times of any century and any order,
conditions that are known and that are not, markets of four calendars.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.bars import MAX_PRICE, MAX_SIZE, MIN_PRICE
from volwatch.analytics.calendars import DAY_MS, MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.rules.rule import Move, VolatilityAbove
from volwatch.analytics.trades import Float64, Int64, Trades

DAY = 1_440  # minutes
# Calls as (minutes from a Monday 00:00 UTC, minutes). Tokyo's morning and lunch, its close, New York's open and close,
# the next open, the end of the currencies' week, its beginning, a day of the week after.
EIGHT_DAYS = (
    (0.0, 160.0), (205.0, 190.0), (865.0, 60.0), (1235.0, 70.0), (DAY + 865.0, 50.0), (4 * DAY + 1250.0, 90.0),
    (6 * DAY + 1290.0, 60.0), (8.0 * DAY, 40.0),
)  # fmt: skip
QUARTER = tuple((7.0 * DAY * week, 7.0 * DAY) for week in range(14))
MINUTE_BY_MINUTE = ((785.0, 64.5), *((849.5 + minute, 1.0) for minute in range(56)))
MONDAYS = ("2026-01-05", "2026-03-02", "2025-10-27", "1970-01-05", "1998-12-28", "2050-12-26", "9990-01-01")

TABLES = {"feed": "sip", "finnhub": "finnhub", "lots": "sip-round-lots"}
SOURCES = (*TABLES, "finnhub-quote")
FORMS = ("S{}", "BINANCE:C.{}", "OANDA:F_{}", "T{}")
CONDITIONS = (
    ((), 60), (("@",), 8), (("@", "F"), 5), (("T",), 4), (("I", "Z"), 3), (("M",), 1), (("1", "12"), 4), (("24",), 2),
    (("?",), 3), (("ohlc",), 6), (("ohlc", "T"), 1), (("mark",), 1), (("mark", "M", "ohlc"), 1), (("gap",), 0),
)  # fmt: skip
BAD_PRICES = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 5e-324, 1e308, MIN_PRICE, MAX_PRICE])
BAD_PRICES = np.append(BAD_PRICES, np.nextafter([MIN_PRICE, MAX_PRICE], 0))
BAD_SIZES = np.array([0.0, -0.0, -1.0, np.nan, np.inf, 5e-324, 1e308, MAX_SIZE, np.nextafter(MAX_SIZE, 0)])
CALM, JUMPING = 0, 6
RULES = (Move("near", percent=0.5, minutes=1), Move("far", percent=3.0, minutes=45), VolatilityAbove("wild"))


@dataclass(frozen=True)
class World:
    """The series of an engine: a crowd with a few trades in each call, and some that trade steadily; and its settings.

    ``odd`` is the share of trades of another time, ``styles`` are those of ``prices`` that occur.
    """

    seed: int
    crowd: int
    steady: int
    plan: tuple[tuple[float, float], ...]
    config: EngineConfig
    odd: float = 0.08
    styles: tuple[int, ...] = tuple(range(7))

    @property
    def series(self) -> tuple[tuple[str, str], ...]:
        numbers = range(self.crowd + self.steady)
        return tuple((SOURCES[number // 4 % 4], FORMS[number % 4].format(number)) for number in numbers)

    @property
    def monday_ms(self) -> int:
        return int(np.datetime64(MONDAYS[self.seed % len(MONDAYS)], "ms").astype(np.int64))


def world(seed: int, crowd: int, steady: int, plan: tuple[tuple[float, float], ...]) -> World:
    random = np.random.Generator(np.random.PCG64(seed))
    config = EngineConfig(
        lateness_seconds=int(random.choice([0, 30, 120])),
        minute_window=int(random.choice([10, 30, 64])),
        day_window=int(random.choice([10, 20])),
        minute_half_life=float(random.choice([0.5, 30.0])),
        enter=float(random.choice([1.0, 3.7])),
        risk_free_rate=0.02,
        outlier_filter=bool(seed % 3),
        condition_tables=TABLES if seed % 2 else {},
        rules=RULES if seed % 2 else (),
        calendar_names={FORMS[3].format(number): "XTKS" for number in range(3, crowd + steady, 4)},
    )
    return World(seed, crowd, steady, plan, config)


def prices(random: np.random.Generator, style: Int64, minute: Float64) -> Float64:
    """Return prices: calm, the least, the largest, anything, constant, halved every other day, jumping, some none."""
    n = len(style)
    normal = random.standard_normal(n)
    made = [
        100 * np.exp(1e-4 * normal),
        MIN_PRICE * (1 + random.integers(0, 3, n)),
        MAX_PRICE * (1 - 1e-9 * random.integers(1, 3, n)),
        10.0 ** random.uniform(-8, 10, n),
        np.full(n, 7.0),
        np.round(100 * 0.5 ** (minute // (2 * DAY) % 9), 2),
        np.round(100 * 1.05 ** (minute // 25 % 2) * np.exp(5e-4 * normal), 2),
    ]
    return np.where(random.random(n) < 0.05, random.choice(BAD_PRICES, n), np.choose(style, made))


def event_times(random: np.random.Generator, at: Int64, share: float) -> Int64:
    """Return when trades happened that come ``at``: a moment before, or, a share of them, at an odd time."""
    n, minute = len(at), at // MINUTE_MS * MINUTE_MS
    never, back = np.zeros(n, np.int64), random.integers(0, 130_000, n)
    limits = (at - DAY_MS, at - DAY_MS + 1, at + 5_000, at + 5_001, minute, minute - 1)
    others = (never, never + 1, at * 1_000, at // 1_000, at - 200_000, at - back, np.roll(at, 1))
    odd = np.stack([*limits, *others])[random.integers(0, len(limits) + len(others), n), np.arange(n)]
    return np.maximum(np.where(random.random(n) < share, odd, at - random.integers(0, 900, n)), 0)


def calls(made: World) -> Iterator[Trades]:
    """Yield the trades of each call in order of arrival; the last are marks that make everything final."""
    random = np.random.Generator(np.random.PCG64(made.seed))
    every, offset = np.arange(made.crowd + made.steady), 0
    for start, minutes in made.plan:
        some = np.repeat(every[: made.crowd], random.poisson(1.1, made.crowd))
        near = random.uniform(0, minutes, made.crowd)[some] + random.exponential(2.0, len(some))
        pace = np.arange(0, minutes, 1 if minutes < DAY else DAY // 4)
        steady = np.repeat(every[made.crowd :], 2 * len(pace))
        paced = np.tile(np.repeat(pace, 2), made.steady) + random.uniform(0, 1 if minutes < DAY else 2, len(steady))
        code, when = np.concatenate([some, steady]), start + np.append(near % minutes, paced)
        order = np.argsort(when, kind="stable")
        given = some_trades(random, made, code[order], when[order], offset)
        offset += len(given)
        yield given
    end = np.full(min(16, len(every)), made.plan[-1][0] + made.plan[-1][1] + 9 * DAY)
    last = some_trades(random, made, every[: len(end)], end, offset)
    yield replace(last, conditions=(("mark",),), condition_code=np.zeros(len(end), np.int32))


def some_trades(random: np.random.Generator, made: World, code: Int64, minute: Float64, offset: int) -> Trades:
    n, at = len(code), made.monday_ms + (minute * MINUTE_MS).astype(np.int64)
    weights = np.array([weight for _, weight in CONDITIONS]) / sum(weight for _, weight in CONDITIONS)
    condition = random.choice(len(CONDITIONS), n, p=weights)
    condition[random.integers(0, n, 2)] = len(CONDITIONS) - 1  # few gaps: each may cut the call in two
    return Trades(
        series=made.series,
        code=code.astype(np.int32),
        event_time=event_times(random, at, made.odd),
        received_at=np.maximum(at - np.where(random.random(n) < 0.02, 3_000, 0), 0),
        price=prices(random, np.array(made.styles)[code % len(made.styles)], minute),
        size=np.where(random.random(n) < 0.04, random.choice(BAD_SIZES, n), random.integers(1, 500, n)),
        conditions=tuple(codes for codes, _ in CONDITIONS),
        condition_code=condition.astype(np.int32),
        offset=np.arange(offset, offset + n, dtype=np.int64),
    )
