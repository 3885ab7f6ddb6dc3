from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from volwatch.market.calm import Floats
from volwatch.market.paths import State, Ticks, Traits, begin, draw_traits, make_block
from volwatch.market.scenarios import CALM_KINDS, SCENARIOS, Event, Phase, burst

MINUTES = 240


def run(traits: Traits, minutes: int, events: Sequence[Event] = (), seed: int = 1) -> tuple[list[Ticks], State]:
    state, blocks = begin(traits, seed), []
    for _ in range(minutes):
        ticks, state = make_block(traits, state, 60, seed, events)
        blocks.append(ticks)
    return blocks, state


def sampled(blocks: list[Ticks], symbol: int, every_ms: int, minutes: int) -> Floats:
    """Last log price of a symbol in each interval, the last before it where it did not trade."""
    bounds = [np.searchsorted(ticks.symbol, (symbol, symbol + 1)) for ticks in blocks]
    time = np.concatenate([ticks.event_ms[a:b] for ticks, (a, b) in zip(blocks, bounds, strict=True)])
    price = np.concatenate([ticks.price[a:b] for ticks, (a, b) in zip(blocks, bounds, strict=True)])
    ends = np.arange(every_ms, minutes * 60_000 + 1, every_ms)
    rows = np.maximum(np.searchsorted(time, ends) - 1, 0)
    logs: Floats = np.log(price[rows])
    return logs


def variance_ratio(blocks: list[Ticks], traits: Traits, symbol: int, minutes: int) -> Floats:
    """Squared ten-second returns over their nominal variance."""
    moves = np.diff(sampled(blocks, symbol, 10_000, minutes))
    ratio: Floats = moves**2 / (traits.sigma_minute[symbol] ** 2 / 6)
    return ratio


@pytest.mark.parametrize("kind", [kind for kind in CALM_KINDS if kind != "thin"])
def test_a_calm_market_shows_its_nominal_volatility(kind: str) -> None:
    traits = draw_traits(SCENARIOS[kind], 3, 60, 60.0)
    blocks, _ = run(traits, MINUTES)
    ratios = [variance_ratio(blocks, traits, symbol, MINUTES).mean() for symbol in range(60)]
    # Slow volatility is shared by a symbol's whole run: the mean over symbols is what is near one.
    assert np.sqrt(np.mean(ratios)) == pytest.approx(1.0, abs=0.02 if kind == "gbm" else 0.10)


def test_a_thin_market_shows_its_nominal_volatility_from_trade_to_trade() -> None:
    traits = replace(draw_traits(SCENARIOS["thin"], 3, 100, 2.5), kinds=np.zeros(100, np.int64))
    blocks, _ = run(traits, MINUTES)
    hours = [
        np.diff(sampled(blocks, symbol, 1_200_000, MINUTES)) / traits.sigma_minute[symbol] for symbol in range(100)
    ]
    assert np.sqrt(np.mean(np.square(hours)) / 20) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("multiplier", [2.0, 3.0, 5.0, 8.0])
def test_a_burst_multiplies_the_realised_volatility_of_its_symbol_only(multiplier: float) -> None:
    traits = draw_traits(SCENARIOS["gbm"], 5, 2, 20.0)
    blocks, _ = run(traits, 120, [burst(0, 3_600, 1_800, multiplier)])
    own, other = (variance_ratio(blocks, traits, symbol, 120) for symbol in (0, 1))
    inside = slice(360, 539)
    assert np.sqrt(own[inside].mean()) == pytest.approx(multiplier, rel=0.12)
    assert np.sqrt(own[:359].mean()) == pytest.approx(1.0, rel=0.12)
    assert np.sqrt(own[540:].mean()) == pytest.approx(1.0, rel=0.12)
    assert np.sqrt(other.mean()) == pytest.approx(1.0, rel=0.12)


def test_a_jump_moves_the_price_by_its_sigmas_between_two_trades() -> None:
    traits = draw_traits(SCENARIOS["gbm"], 5, 1, 20.0)
    event = Event(0, "jump", 1_800, 1_860, 20.0, (Phase(1_800, 1_801, jump_sigmas=-20.0),))
    blocks, _ = run(traits, 60, [event])
    price = np.concatenate([ticks.price for ticks in blocks])
    time = np.concatenate([ticks.event_ms for ticks in blocks])
    moves = np.diff(np.log(price)) / traits.sigma_minute[0]
    assert time[1:][np.argmin(moves)] // 1_000 == 1_800
    assert moves.min() == pytest.approx(-20.0, abs=0.5)


def test_a_flash_crash_falls_by_its_depth_and_regains_most_of_it() -> None:
    traits = draw_traits(SCENARIOS["gbm"], 6, 1, 20.0)
    traits = replace(traits, sigma_minute=traits.sigma_minute / 100)
    fall = Phase(600, 900, log_drift_per_second=-0.06 / 300)
    recovery = Phase(900, 1_500, log_drift_per_second=0.85 * 0.06 / 600)
    blocks, _ = run(traits, 30, [Event(0, "flash", 600, 1_500, 0.06, (fall, recovery))])
    path = sampled(blocks, 0, 60_000, 30) - traits.log_price[0]
    assert path[[9, 14, 24, 29]] == pytest.approx([0.0, -0.06, -0.009, -0.009], abs=0.001)


def test_nothing_trades_in_a_halt_and_it_reopens_with_the_jump() -> None:
    traits = draw_traits(SCENARIOS["gbm"], 7, 2, 20.0)
    phases = (Phase(600, 1_200, halted=True), Phase(1_200, 1_800, jump_sigmas=15.0))
    blocks, _ = run(traits, 40, [Event(0, "halt", 1_200, 1_800, 15.0, phases)])
    own = [ticks.event_ms[ticks.symbol == 0] // 1_000 for ticks in blocks]
    other = [ticks.event_ms[ticks.symbol == 1] // 1_000 for ticks in blocks]
    assert [len(seconds) > 0 for seconds in own] == [True] * 10 + [False] * 10 + [True] * 20
    assert all(len(seconds) > 0 for seconds in other)
    path = sampled(blocks, 0, 60_000, 40)
    assert (path[20] - path[19]) / traits.sigma_minute[0] == pytest.approx(15.0, abs=3.0)


def test_a_halt_lets_no_variance_run_up() -> None:
    traits = draw_traits(SCENARIOS["gbm"], 7, 60, 60.0)
    halts = [Event(symbol, "halt", 1_200, 1_800, 0.0, (Phase(600, 1_200, halted=True),)) for symbol in range(60)]
    blocks, _ = run(traits, 21, halts)
    paths = np.array([sampled(blocks, symbol, 60_000, 21) for symbol in range(60)])
    over_the_halt = (paths[:, 20] - paths[:, 9]) / traits.sigma_minute
    assert np.sqrt(np.mean(over_the_halt**2)) == pytest.approx(1.0, abs=0.25)


def test_a_calm_minute_spans_many_cents() -> None:
    traits = draw_traits(SCENARIOS["calm"], 1, 1_000, 5_000.0)
    annual = traits.sigma_minute * np.sqrt(365 * 1_440)
    assert (annual.min() > 0.20, annual.max() < 0.60) == (True, True)
    expected_range = np.sqrt(8 / np.pi) * traits.sigma_minute * np.exp(traits.log_price)
    assert expected_range.min() > 0.06


def test_the_total_rate_is_the_one_asked_for_however_thin_some_symbols_are() -> None:
    for name in ("calm", "gbm", "thin"):
        assert draw_traits(SCENARIOS[name], 1, 50, 400.0).trades_per_second.sum() == pytest.approx(400.0)
    blocks, _ = run(draw_traits(SCENARIOS["calm"], 1, 10, 100.0), 20)
    assert sum(map(len, blocks)) == pytest.approx(120_000, rel=0.01)


def test_prices_are_whole_cents_and_sizes_whole_and_positive() -> None:
    blocks, _ = run(draw_traits(SCENARIOS["calm"], 1, 10, 100.0), 2)
    price, size = (np.concatenate([getattr(ticks, name) for ticks in blocks]) for name in ("price", "size"))
    assert (price == np.round(price, 2)).all()
    assert (size == np.floor(size)).all()
    assert size.min() >= 1


def test_volume_runs_with_volatility() -> None:
    traits = draw_traits(SCENARIOS["gbm"], 2, 1, 50.0)
    blocks, _ = run(traits, 2, [burst(0, 60, 60, 8.0)])
    calm, wild = (ticks.size.mean() for ticks in blocks)
    assert wild / calm == pytest.approx(8.0, rel=0.15)
