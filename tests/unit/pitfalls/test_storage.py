"""Pitfalls of what is stored, named and shown: NULL in SQL, separators in names, and years that differ."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from dashboard import figures
from dashboard.pages.symbol import asked_series
from tests.dashboard.fakes import NOW, some_estimates
from tests.unit.pitfalls.made import OPEN_MS, calm, mark, trades
from volwatch.alerts import alert_id
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.state import restore, save
from volwatch.analytics.trades import concatenate
from volwatch.rawzone.decode import decode_object
from volwatch.rawzone.encode import encode_object
from volwatch.rawzone.keys import ObjectKey
from volwatch.trade import Trade, decode, encode
from volwatch.warehouse.frames import bars_frame, volatility_frame
from volwatch.warehouse.readings import Series

ROOT = Path(__file__).parents[3]
QUERIES = [*(ROOT / "services/volwatch/warehouse").glob("*.py"), *(ROOT / "sql").glob("*.sql")]
NULLABLE = r"value|standard_error|statistic|z|log_return|vwap|volatility|expected_volatility|volatility_next"
# What drops NULL rows without a word, or turns NULL into a number.
SILENT = (
    re.compile(
        rf"\b(avg|sum|min|max|stddev\w*|var\w*|percentile_\w+|count)\s*\(\s*(distinct\s+)?(\w+\.)?({NULLABLE})\b", re.I
    ),
    re.compile(rf"\bcoalesce\s*\(\s*(\w+\.)?({NULLABLE})\s*,\s*'?[-\d]", re.I),
)
SYMBOLS = ("BRK.B", "BINANCE:BTCUSDT", "OANDA:EUR_USD", "A/B", "..", "Ω,\"'", "a b")


def silent(statement: str) -> list[str]:
    return [found.group() for pattern in SILENT for found in pattern.finditer(statement)]


def test_pitfall_28_no_query_averages_over_what_is_null_or_calls_it_zero() -> None:
    """Mistake: AVG skips NULL, so an average is of the easy minutes; coalesce(x, 0) is worse. Right: no query does."""
    assert silent("SELECT avg(estimate.value) FROM t") == ["avg(estimate.value"]
    assert silent("SELECT coalesce(log_return, 0) FROM t") == ["coalesce(log_return, 0"]
    assert len(QUERIES) > 10
    assert {path.name: found for path in QUERIES if (found := silent(path.read_text("utf-8")))} == {}


def test_pitfall_28_what_is_undefined_is_stored_as_null_with_a_reason() -> None:
    """Mistake: NaN or 0 goes into the column, and every aggregate is NaN or too low. Right: an empty field of COPY."""
    result = Engine(EngineConfig()).process(concatenate([trades(calm(20)), mark(30 * 60_000)]))
    frame = volatility_frame(result, result.volatility[0])
    undefined = frame["value"].isna()
    assert 0 < undefined.sum() < len(frame)
    assert frame["null_reason"].notna().tolist() == undefined.tolist()
    fields = frame["value"].to_csv(index=False, header=False).splitlines()
    assert [field.strip('"') == "" for field in fields] == undefined.tolist()


def trade_of(symbol: str) -> Trade:
    return Trade("feed", symbol, OPEN_MS, 100.0, 1.0, (), None, OPEN_MS, 0)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_pitfall_29_any_symbol_goes_through_keys_and_paths(symbol: str) -> None:
    """Mistake: the symbol is part of a path or of a joined key. Right: no object is named by it, and it comes back."""
    trade = trade_of(symbol)
    assert decode(encode(trade)) == trade
    key = ObjectKey(datetime(2026, 1, 5, 14, tzinfo=UTC), 3, 7, 7)
    assert (ObjectKey.parse(str(key)), symbol in str(key)) == (key, False)
    assert decode_object(encode_object(3, [(7, trade)]), key).records() == [trade]
    engine = Engine(EngineConfig())
    engine.process(trades([(symbol, 0, 100.0, 1.0)]))
    assert restore(save(engine.state)).series == [("feed", symbol)]
    assert asked_series([Series("feed", "x"), Series("feed", symbol)], symbol, "feed") == Series("feed", symbol)


def test_pitfall_29_names_that_hold_a_separator_are_not_mixed_up() -> None:
    """Mistake: "a:b" + ":" + "c" is "a" + ":" + "b:c", and two alerts are one. Right: all ids differ."""
    names = [("a", "b:c"), ("a:b", "c"), ("a", "b.c"), ("a.b", "c"), ("a", "b"), ("ab", ""), ("a:1", "b")]
    assert len({alert_id(source, symbol, "VOLATILITY", OPEN_MS) for source, symbol in names}) == len(names)


def test_pitfall_34_a_chart_has_one_annualisation() -> None:
    """Mistake: 20 % of 252 days of 390 minutes beside 20 % of 365 whole days, in one chart. Right: it is refused."""
    stock, coin = some_estimates(annualisation="US_RTH_1M"), some_estimates(annualisation="CRYPTO_1M")
    shown = (NOW, NOW)
    with pytest.raises(ValueError, match=r"CRYPTO_1M.*US_RTH_1M"):
        figures.volatility_figure(pd.concat([stock, coin]), shown, "r")
    for one in (stock, coin):
        assert figures.volatility_figure(one, shown, "r").data[0].name.startswith("Close-to-close")


def test_pitfall_34_every_stored_value_names_its_annualisation() -> None:
    """Mistake: a number without its year. Right: a stock and a coin in one engine have codes of their own."""
    rows = [*calm(20), *calm(20, symbol="BINANCE:C"), *calm(20, symbol="OANDA:F")]
    result = Engine(EngineConfig()).process(trades(sorted(rows, key=lambda row: row[1])))
    frame = volatility_frame(result, result.volatility[0])
    codes = frame.groupby("symbol")["annualisation"].unique().map(list).to_dict()
    assert codes == {"S": ["US_RTH_1M"], "BINANCE:C": ["CRYPTO_1M"], "OANDA:F": ["FX_1M"]}
    assert set(bars_frame(result, result.bars[0], 0)["symbol"]) == set(codes)
