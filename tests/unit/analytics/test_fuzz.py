"""The engine under fire: a hundred thousand short series of all that a feed may send, and of what it may not.

After each call the outputs are held against what they promise, and what came out of the engine against what went in.
"""

import json
import math
import warnings
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from tests.unit.analytics.fuzzed import CALM, EIGHT_DAYS, JUMPING, MINUTE_BY_MINUTE, QUARTER, World, calls, world
from tests.unit.analytics.made import SOURCE, START_MS, prints
from volwatch.alerts import explain
from volwatch.analytics import conditions
from volwatch.analytics.bars import MAX_PRICE, MAX_SIZE, MIN_PRICE, REASONS, bar_key, marks
from volwatch.analytics.calendars import MINUTE_MS, REGULAR, calendar_named
from volwatch.analytics.config import EngineConfig, min_obs
from volwatch.analytics.detector import KINDS, SEVERITIES, WARM_UP_BARS, DetectorState
from volwatch.analytics.engine import Engine
from volwatch.analytics.results import FLAG_CORPORATE_ACTION, FLAG_NAMES, Bars, Result, Signals, Transition, Volatility
from volwatch.analytics.rules.rule import KIND as RULE
from volwatch.analytics.state import restore, save
from volwatch.analytics.trades import Bool, Int64, Trades, concatenate
from volwatch.analytics.volatility import INSUFFICIENT_DATA, NULL_REASONS, log_ratio

CROWDS, CROWD = 12, 8_350

REFUSED = {"BAD_PRICE", "BAD_SIZE", "ZERO_SIZE", "TOO_OLD", "FUTURE", "LATE"}
MEASURED = {"INSUFFICIENT_DATA", "TOO_FEW_TRADES", "defined", "ohlc"}
LIVED = MEASURED | {"OPEN", "CLOSED", "VOLATILITY", "LOW", "HIGH"}


@dataclass
class Ledger:
    """What an engine was given, and what it gave, over its calls."""

    given: int = 0
    volume: float = 0.0
    volume_only: int = 0
    rejected: set[int] = field(default_factory=set)
    printed: int = 0
    barred_volume: float = 0.0
    keys: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    day_keys: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    seen: Counter[str] = field(default_factory=Counter)


def check_balance(given: Trades, result: Result, engine: Engine, ledger: Ledger) -> None:
    """Taken + rejected + held = given, in trades and in volume, and each trade and each bar is told once."""
    rejected, held = result.rejected.trades, engine.state.prints.held.take(np.flatnonzero(~engine.state.prints.dropped))
    for trades, sign in ((given.take(np.flatnonzero(~marks(given))), 1), (rejected, -1)):
        effect = conditions.effects(trades, engine.config.condition_tables)
        ledger.volume_only += sign * int((effect == conditions.VOLUME_ONLY).sum())
        ledger.volume += sign * float(trades.size[(trades.size >= 0) & (trades.size < MAX_SIZE)].sum())
    ledger.given += int((~marks(given)).sum())
    offsets = set(rejected.offset.tolist())
    assert len(offsets) == len(rejected)
    assert not offsets & ledger.rejected
    ledger.rejected |= offsets
    assert set(np.unique(result.rejected.reason).tolist()) <= set(range(1, len(REASONS)))
    final = [part.table.take(part.final) for part in result.bars if part.bar_seconds == 60]
    ledger.printed += sum(int(table.trades.sum()) for table in final)
    ledger.barred_volume += sum(float(table.volume.sum()) for table in [*final, result.unpriced])
    ledger.keys = np.concatenate([ledger.keys, *(table.key for table in [*final, result.unpriced])])
    assert len(np.unique(ledger.keys)) == len(ledger.keys)
    pending = engine.state.minute_bars
    taken = ledger.printed + int(pending.trades.sum()) + ledger.volume_only
    assert taken + len(ledger.rejected) + len(held) == ledger.given
    volume = ledger.barred_volume + float(pending.volume.sum()) + float(held.size.sum())
    assert volume == pytest.approx(ledger.volume, rel=1e-9)
    ledger.seen.update(REASONS[code] for code in np.unique(result.rejected.reason).tolist())


def check_bars(bars: Bars, ledger: Ledger) -> None:
    table, vwap = bars.table, bars.table.vwap
    for name in ("open", "high", "low", "close", "volume", "notional", "priced_volume"):
        assert np.isfinite(getattr(table, name)).all(), name
    assert np.array_equal(np.isnan(vwap), table.priced_volume == 0)
    assert (table.low <= np.fmin(np.minimum(table.open, table.close), vwap)).all()
    assert (table.high >= np.fmax(np.maximum(table.open, table.close), vwap)).all()
    assert ((table.low > 0) & (table.trades >= 1) & (table.revision >= 0) & (bars.elapsed >= 1)).all()
    assert ((table.volume >= table.priced_volume) & (table.priced_volume >= 0)).all()
    assert (np.diff(table.key) > 0).all()
    assert not (table.flags & ~sum(FLAG_NAMES)).any()
    assert not np.isinf(bars.log_return).any()
    if bars.bar_seconds == 60:
        assert np.array_equal(np.isnan(bars.log_return), bars.label != REGULAR)
        assert ((table.first_time >= table.start) & (table.last_time < table.start + MINUTE_MS)).all()
    else:
        known = np.isin(table.series, ledger.day_keys >> 33)
        first = ~known & (np.diff(table.series, prepend=-1) != 0)
        split = table.flags & FLAG_CORPORATE_ACTION != 0
        assert np.array_equal(np.isnan(bars.log_return), first | split)
        ledger.day_keys = np.append(ledger.day_keys, table.key)
        assert len(np.unique(ledger.day_keys)) == len(ledger.day_keys)
    ledger.seen.update(name for bit, name in FLAG_NAMES.items() if (table.flags & bit).any())


def check_volatility(part: Volatility, config: EngineConfig, seen: Counter[str]) -> None:
    """NaN exactly where there is a reason, INSUFFICIENT_DATA where terms are too few and only there."""
    assert np.array_equal(np.isnan(part.value), part.reason != 0)
    assert not np.isinf(part.value).any()
    assert set(np.unique(part.reason).tolist()) <= set(range(len(NULL_REASONS)))
    assert ((part.n_obs >= 0) & (part.revision >= 0)[:, None]).all()
    for column, name in enumerate(part.estimators):
        value, reason, error = part.value[:, column], part.reason[:, column], part.standard_error[:, column]
        if name == "sharpe":
            assert np.array_equal(np.isnan(error), np.isnan(value))
            assert (error[reason == 0] >= 0).all()
            assert not np.isinf(error).any()
            seen["sharpe"] += int((reason == 0).sum())
            continue
        assert (value[reason == 0] >= 0).all()
        assert np.isnan(error).all()
        least = min_obs(config.minute_window if part.bar_seconds == 60 else config.day_window)
        assert np.array_equal(part.n_obs[:, column] < least, reason == INSUFFICIENT_DATA)
    seen.update(NULL_REASONS[code] or "defined" for code in np.unique(part.reason).tolist())


def check_signals(signals: Signals, detector: DetectorState) -> None:
    """Statistic and z are NULL in warm-up, and only there."""
    cold = np.isnan(signals.statistic)
    assert np.array_equal(cold, np.isnan(signals.z))
    for values in (signals.statistic[~cold], signals.z[~cold], signals.log_range, signals.expected_log_range):
        assert np.isfinite(values).all()
    assert ((signals.cusum >= 0) & (signals.cusum < np.inf) & (signals.revision >= 0)).all()

    def rows(which: Bool) -> Int64:
        return np.bincount(signals.series[which], minlength=len(detector.bars))

    least, most = detector.bars - rows(signals.final), detector.bars + rows(~signals.final)
    assert not (cold & (least >= WARM_UP_BARS)[signals.series]).any()
    assert (cold | (most > WARM_UP_BARS - 1)[signals.series]).all()


def check_transitions(steps: tuple[Transition, ...], result: Result, bars: Int64, config: EngineConfig) -> None:
    """Each step belongs to a bar, is of a known kind, and can be told as the warehouse stores it."""
    place = {series: index for index, series in enumerate(result.series)}
    series = np.array([place[step.source, step.symbol] for step in steps], np.int64)
    for when in ("onset", "bar"):
        assert np.isin(bar_key(series, np.array([getattr(step, when) for step in steps], np.int64)), bars).all()
    for step in steps:
        assert step.state in ("OPEN", "ESCALATED", "CLOSED", "RETRACTED")
        assert (step.kind in (*KINDS, RULE), step.severity in SEVERITIES[1:]) == (True, True)
        assert np.isfinite(step.peak)
        assert (step.facts is None) == (step.state == "RETRACTED")
        if step.facts is not None:
            told = explain(step, step.facts, config.enter, "hash")
            json.dumps([told.why, told.volatility, told.expected_volatility, told.ratio], allow_nan=False)


def check(engine: Engine, given: Trades, result: Result, ledger: Ledger) -> None:
    check_balance(given, result, engine, ledger)
    for bars in result.bars:
        check_bars(bars, ledger)
    for part in result.volatility:
        check_volatility(part, engine.config, ledger.seen)
    check_signals(result.signals, engine.state.detector)
    known = np.concatenate([ledger.keys, engine.state.minute_bars.key])
    check_transitions(result.transitions, result, known, engine.config)
    ledger.seen.update(name for step in result.transitions for name in (step.state, step.kind, step.severity))


def through(made: World, saved_calls: slice) -> Counter[str]:
    """Take a world through an engine; after some calls it goes on from its saved state. Return what was met."""
    engine, ledger = Engine(made.config), Ledger()
    saving = set(range(len(made.plan))[saved_calls])
    for number, given in enumerate(calls(made)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = engine.process(given)
        check(engine, given, result, ledger)
        if number in saving:
            data = save(engine.state)
            engine = Engine(made.config, restore(data))
            assert save(engine.state) == data
    assert len(engine.state.minute_bars) == 0
    return ledger.seen


@pytest.fixture(scope="module", autouse=True)
def _calendars() -> None:
    """Make the calendars here: what the package that makes them warns of is not the engine's."""
    for name in ("XNYS", "XTKS", "24/5"):
        calendar_named(name)


@pytest.mark.parametrize("seed", range(CROWDS))
def test_a_crowd_of_anything_breaks_no_promise(seed: int) -> None:
    """Saving so many series takes as long as all else together: one crowd in four is saved, once."""
    made = world(seed, CROWD, 10, EIGHT_DAYS)
    seen = through(made, slice(2, 3) if seed % 4 == 0 else slice(0))
    assert seen.keys() >= REFUSED | MEASURED | {"OPEN", "CLOSED", "VOLATILITY", "reopen", "source_gap", "cusum"}
    assert ("OUTLIER" in seen, "suspect_prints" in seen) == ((seed % 3 > 0,) * 2)
    assert ("CONDITION" in seen) == (seed % 2 == 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_quarter_of_anything_breaks_no_promise(seed: int) -> None:
    seen = through(world(seed, 20, 60, QUARTER), slice(None))
    assert seen.keys() >= REFUSED | LIVED | {"sharpe", "ZERO_VARIANCE", "corporate_action", "reopen"}


def test_calls_of_a_minute_in_which_late_trades_disprove_alerts_break_no_promise() -> None:
    made = world(2, 20, 300, MINUTE_BY_MINUTE)
    config = replace(made.config, lateness_seconds=120, outlier_filter=True, enter=1.0)
    made = replace(made, odd=0.6, styles=(CALM, JUMPING, JUMPING), config=config)
    seen = through(made, slice(None, None, 4))
    assert seen.keys() >= REFUSED | LIVED | {"RETRACTED", "ESCALATED", "MEDIUM", "suspect_prints"}


def test_a_fall_from_the_largest_to_the_least_price_has_a_return() -> None:
    largest = np.nextafter(MAX_PRICE, 0)
    prices = np.array([MIN_PRICE, largest])
    assert log_ratio(prices, prices[::-1]).tolist() == pytest.approx([math.log(1e-18), math.log(1e18)], rel=1e-12)


def minutes_at(symbol: str, *price: float) -> Trades:
    """Return a print or two a minute, and what makes them final."""
    rows = [(START_MS + MINUTE_MS * minute, each, 1.0) for minute, each in enumerate(price)]
    rows += [(when + 30_000, each * 1.01, 1.0) for when, each, _ in rows]
    end = prints((START_MS + 10 * MINUTE_MS * len(price), 0.0, 0.0))
    given = concatenate([prints(*sorted(rows)), replace(end, conditions=(("mark",),))])
    return replace(given, series=((SOURCE, symbol),), offset=np.arange(len(given)))


def test_the_range_of_a_cheap_coin_is_not_hidden_by_half_a_cent() -> None:
    """One percent within a minute at a price of 0.00001: half a cent would be 500 times the price."""
    signals = Engine(EngineConfig(outlier_filter=False)).process(minutes_at("BINANCE:C", *[1e-5] * 3)).signals
    assert signals.log_range[:3].tolist() == pytest.approx([math.log(math.log(1.01))] * 3, rel=1e-9)


@pytest.mark.parametrize("symbol", ["S", "BINANCE:C", "OANDA:F"])
def test_an_alert_at_the_least_price_can_be_told(symbol: str) -> None:
    given = minutes_at(symbol, *[100 * MIN_PRICE] * 70, *[MIN_PRICE] * 5)
    steps = Engine(EngineConfig(outlier_filter=False)).process(given).transitions
    told = [explain(step, step.facts, 3.7, "hash").sentence for step in steps if step.facts is not None]
    assert all(sentence.startswith(f"{symbol} ") for sentence in told)
    assert told
