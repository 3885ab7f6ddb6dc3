"""Pitfalls of trades on their way into bars: what is no trade, when it was, and what a bar of few prints can say."""

import json

import numpy as np
import pytest

from tests.oracle import DATA
from tests.unit.pitfalls.made import (
    MINUTE_MS,
    OPEN_MS,
    calm,
    mark,
    reasons,
    table,
    trades,
    values,
)
from volwatch import finnhub
from volwatch.analytics.bars import REASONS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.duplicates import Duplicates
from volwatch.analytics.engine import Engine
from volwatch.analytics.measures import jumps, realised
from volwatch.analytics.results import Result
from volwatch.analytics.trades import concatenate, from_records
from volwatch.analytics.volatility import TOO_FEW_TRADES
from volwatch.errors import BadTrade
from volwatch.trade import Trade
from volwatch.warehouse.frames import bars_frame

NOW = OPEN_MS + 30_000
CLOSE_MINUTE = 390


def message(*prints: str) -> bytes:
    return b'{"type": "trade", "data": [' + ",".join(prints).encode() + b"]}"


def print_of(price: str = "191.86", time: int = NOW, size: str = "5") -> str:
    return f'{{"s": "AAPL", "p": {price}, "t": {time}, "v": {size}, "c": null}}'


def rejected(result: Result) -> list[str]:
    return [REASONS[code] for code in result.rejected.reason.tolist()]


def judged(*prints: str) -> list[str]:
    """Return why trades of a message are refused, by their decoder or by the engine."""
    found = finnhub.decode(message(*prints), NOW, 0)
    result = Engine(EngineConfig()).process(from_records(found.trades))
    return [each.reason for each in found.rejects] + rejected(result)


def test_pitfall_05_minutes_without_a_trade_are_no_bars_and_no_zero_returns() -> None:
    """Mistake: fill them with the last price; of days without a jump the 1 % test then rejects most. Right: no row, and
    no test where more than 5 % of returns are 0."""
    sparse = [row for row in calm(30) if row[1] // MINUTE_MS % 3 == 0]
    result = Engine(EngineConfig()).process(concatenate([trades(sparse), mark(60 * MINUTE_MS)]))
    assert ((result.bars[0].table.start - OPEN_MS) // MINUTE_MS).tolist() == list(range(0, 30, 3))
    days = table("sim_intraday_1min_A.csv")
    calm_days = np.flatnonzero((days["jump"].to_numpy(np.float64).reshape(60, 390) == 0).all(axis=1))
    path = days["log_return"].to_numpy(np.float64).reshape(60, 390)[calm_days].cumsum(axis=1)
    missing = np.random.Generator(np.random.PCG64(5)).random(path.shape) < 0.15
    last = np.maximum.accumulate(np.where(missing, 0, np.arange(390)), axis=1)
    filled = np.diff(np.take_along_axis(path, last, axis=1), axis=1)
    variance, bipower = realised.realised_variance(filled), realised.bipower_variance(filled)
    naive = jumps.ratio_statistic(variance, bipower, realised.tripower_quarticity(filled), filled.shape[1])
    assert (jumps.one_sided_p(naive) < 0.01).mean() > 0.75
    assert realised.jump_test(filled).reason.tolist() == [TOO_FEW_TRADES] * len(calm_days)


def test_pitfall_12_bars_of_one_price_are_no_calm() -> None:
    """Mistake: H = L in each bar, so Parkinson says 0 % and ln(H/L) −∞. Right: too few trades, and a finite range."""
    rows = [("S", minute * MINUTE_MS, 100.0 + 0.2 * (minute % 2), 10.0) for minute in range(70)]
    config = EngineConfig(outlier_filter=False)
    result = Engine(config).process(concatenate([trades(rows), mark(90 * MINUTE_MS)]))
    bars = result.bars[0].table
    assert (bars.high == bars.low).all()
    for estimator in ("parkinson", "garman-klass", "rogers-satchell"):
        assert reasons(result, estimator)[-1] == "TOO_FEW_TRADES"
    assert values(result, "cc0")[-1] == pytest.approx(0.002 * np.sqrt(98_280), rel=1e-2)
    final = result.signals.final
    assert result.signals.log_range[final][1:] == pytest.approx(np.log(np.log(1.002)), rel=1e-9)


def test_pitfall_16_a_late_trade_does_not_become_the_close() -> None:
    """Mistake: the last to arrive closes the bar. Right: the last by (time, arrival), and the bar's revision rises."""
    engine = Engine(EngineConfig())
    engine.process(trades([("S", 10_000, 100.0, 1.0), ("S", 50_000, 100.2, 1.0)]))
    engine.process(trades([("S", 20_000, 100.1, 1.0)], delay_ms=60_000))
    bar = engine.state.minute_bars
    assert (bar.close.tolist(), bar.trades.tolist(), bar.revision.tolist()) == ([100.2], [3], [1])
    engine.process(trades([("S", 50_000, 100.3, 1.0)], delay_ms=60_000))
    assert engine.state.minute_bars.close.tolist() == [100.3]


def test_pitfall_17_a_replayed_message_is_dropped_and_a_twin_print_is_not() -> None:
    """Mistake: drop equal (s, t, p, v), which loses volume, or nothing. Right: drop messages that came before."""
    lines = [line for line in map(json.loads, dirty_lines()) if line["message"]["type"] == "trade"]
    known, resent = Duplicates(lateness_seconds=120), 0
    kept: list[Trade] = []
    for line in lines:
        found = finnhub.decode(json.dumps(line["message"]), line["arrival_ms"], len(kept))
        again = known.is_resent(found.trades, [each.raw for each in found.rejects], line["arrival_ms"])
        resent += again
        kept += [] if again else found.trades
    assert resent == json.loads(dirty("dirty_trades_expected.json"))["resent_messages"]
    twins = len(kept) - len({(each.symbol, each.event_time, each.price, each.size) for each in kept})
    assert twins > 0


def dirty(name: str) -> str:
    return (DATA / name).read_text("utf-8")


def dirty_lines() -> list[str]:
    return dirty("dirty_trades.jsonl").splitlines()


def test_pitfall_18_nan_and_infinity_in_json_are_refused_and_their_neighbours_are_not() -> None:
    """Mistake: a lenient reader lets NaN through, a strict one drops the message. Right: that one trade is refused."""
    found = finnhub.decode(message(print_of("NaN"), print_of(), print_of("-Infinity"), print_of(size="NaN")), NOW, 0)
    assert [each.reason for each in found.rejects] == ["BAD_PRICE", "BAD_PRICE", "BAD_SIZE"]
    assert [each.price for each in found.trades] == [191.86]
    prints = trades([("S", 0, float("nan"), 1.0), ("S", 1, float("inf"), 1.0), ("S", 2, 100.0, float("nan"))])
    assert rejected(Engine(EngineConfig()).process(prints)) == ["BAD_PRICE", "BAD_PRICE", "BAD_SIZE"]


@pytest.mark.parametrize(
    ("time", "why"), [(NOW, []), (NOW // 1_000, ["TOO_OLD"]), (NOW * 1_000, ["FUTURE"]), (NOW * 10**6, ["FUTURE"])]
)
def test_pitfall_19_a_time_is_in_milliseconds_and_its_unit_is_never_guessed(time: int, why: list[str]) -> None:
    """Mistake: seconds are of January 1970, microseconds of the year 57985. Right: both are refused, not converted."""
    assert judged(print_of(time=time)) == why


def test_pitfall_20_the_zeros_of_an_unknown_symbol_are_no_price() -> None:
    """Mistake: Finnhub's answer of 200 and c = 0 is a price of 0. Right: there is no such symbol, and 0 is no price."""
    with pytest.raises(BadTrade) as told:
        finnhub.decode_quote(b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}', "NOPE", NOW, 0)
    assert told.value.reason == "UNKNOWN_SYMBOL"
    quotes = trades([("S", 0, 0.0, 0.0)], source=finnhub.QUOTE_SOURCE)
    assert rejected(Engine(EngineConfig()).process(quotes)) == ["BAD_PRICE"]


def test_pitfall_30_a_time_in_the_future_does_not_move_the_watermark() -> None:
    """Mistake: after one trade of the year 2101 all others are late. Right: only arrivals move the watermark."""
    engine, century = Engine(EngineConfig()), 75 * 365 * 86_400_000
    ahead = trades([("S", 1_000 + century, 100.0, 1.0)], delay_ms=-century)
    assert rejected(engine.process(ahead)) == ["FUTURE"]
    assert engine.state.watermarks == {"feed": OPEN_MS + 1_000}
    assert rejected(engine.process(trades(calm(3)))) == []


def test_pitfall_31_without_volume_there_is_no_vwap() -> None:
    """Mistake: Σpv/Σv is 0/0 for a minute of quotes. Right: NULL, no warning, and a bar all the same."""
    quotes = trades([("S", 0, 100.0, 0.0), ("S", 1_000, 100.1, 0.0)], source=finnhub.QUOTE_SOURCE)
    result = Engine(EngineConfig()).process(concatenate([quotes, mark(10 * MINUTE_MS, source=finnhub.QUOTE_SOURCE)]))
    row = bars_frame(result, result.bars[0], 0).iloc[0]
    assert (row["volume"], row["high"], row["trades"]) == (0.0, 100.1, 2)
    assert np.isnan(row["vwap"])
    both = trades([("S", 0, 100.0, 0.0), ("S", 1_000, 101.0, 3.0)], source=finnhub.QUOTE_SOURCE)
    engine = Engine(EngineConfig())
    engine.process(both)
    assert engine.state.minute_bars.vwap.tolist() == [101.0]


def test_pitfall_32_ranges_of_two_trades_are_no_ranges() -> None:
    """Mistake: Parkinson on bars of two trades, a third of the variance that is there. Right: NULL below 20 a bar."""
    assert table("range_bias_few_trades.csv").set_index("trades_per_bar")["parkinson"][2] < 0.4
    random = np.random.Generator(np.random.PCG64(32))
    for count, known in ((2, False), (24, True)):
        steps = 100.0 * np.exp(np.cumsum(random.normal(0, 2e-4, 40 * count)))
        rows = [
            ("S", place // count * MINUTE_MS + place % count * 2_000, price, 1.0)
            for place, price in enumerate(steps.tolist())
        ]
        result = Engine(EngineConfig()).process(concatenate([trades(rows), mark(60 * MINUTE_MS)]))
        assert reasons(result, "cc0")[-1] == ""
        assert reasons(result, "parkinson")[-1] == ("" if known else "TOO_FEW_TRADES")
