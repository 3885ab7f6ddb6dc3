"""What sale conditions do, by the tables, by hand."""

import numpy as np
import pytest

from tests.unit.analytics.made import START_MS
from volwatch.analytics.conditions import (
    DROPPED,
    FINNHUB,
    NONE,
    SIP,
    SIP_ROUND_LOTS,
    TABLES,
    VOLUME_ONLY,
    effects,
    unknown,
)
from volwatch.analytics.trades import Trades


def trades_of(*records: tuple[str, tuple[str, ...]]) -> Trades:
    """Return trades of sources with conditions."""
    series = tuple({(source, "S0"): None for source, _ in records})
    conditions = tuple({codes: None for _, codes in records})
    n = len(records)
    return Trades(
        series=series,
        code=np.array([series.index((source, "S0")) for source, _ in records], np.int32),
        event_time=np.full(n, START_MS),
        received_at=np.full(n, START_MS),
        price=np.ones(n),
        size=np.ones(n),
        conditions=conditions,
        condition_code=np.array([conditions.index(codes) for _, codes in records], np.int32),
        offset=np.arange(n),
    )


def effect_of(table_name: str, *codes: str) -> int:
    return int(effects(trades_of(("feed", codes)), {"feed": table_name})[0])


@pytest.mark.parametrize(
    ("codes", "effect"),
    [
        ((), NONE),
        (("@",), NONE),
        (("@", "F", "I"), NONE),
        (("X",), NONE),
        (("@", "T"), VOLUME_ONLY),
        (("U",), VOLUME_ONLY),
        (("W",), VOLUME_ONLY),
        (("7", "V"), VOLUME_ONLY),
        (("Z",), VOLUME_ONLY),
        (("4", "I"), VOLUME_ONLY),
        (("M",), DROPPED),
        (("T", "Q"), DROPPED),
        (("9", "@"), DROPPED),
        (("nothing known",), NONE),
    ],
)
def test_the_strongest_of_a_trades_codes_decides(codes: tuple[str, ...], effect: int) -> None:
    assert effect_of("sip", *codes) == effect


def test_odd_lots_make_prices_by_one_table_and_volume_alone_by_the_other() -> None:
    assert (effect_of("sip", "I"), effect_of("sip-round-lots", "I")) == (NONE, VOLUME_ONLY)
    assert {code for code in SIP if SIP[code] != SIP_ROUND_LOTS[code]} == {"I"}


def test_every_letter_of_the_plans_stands_in_one_group() -> None:
    """As listed in the specification: 10 by plan, 4 by policy, 3 no trades, 9 regular and the odd lot."""
    by_effect = [sorted(code for code, effect in SIP.items() if effect == wanted) for wanted in range(3)]
    assert by_effect == [sorted(["", *" @FEXO56I"]), sorted("TUWB7VHCNRZGP4"), sorted("MQ9")]


def test_finnhub_excludes_nothing() -> None:
    assert set(FINNHUB.values()) == {NONE}


def test_each_source_is_read_by_its_own_table_and_others_are_left_alone() -> None:
    trades = trades_of(("a", ("M",)), ("b", ("M",)), ("c", ("M",)), ("a", ("W",)))
    assert effects(trades, {"a": "sip", "b": "finnhub"}).tolist() == [DROPPED, NONE, NONE, VOLUME_ONLY]
    assert effects(trades, {}).tolist() == [NONE] * 4


def test_codes_that_a_table_does_not_know_are_counted_once_a_trade() -> None:
    trades = trades_of(("a", ("?", "@")), ("a", ("?", "?", "!")), ("a", ("@",)), ("b", ("?",)), ("c", ("24", "77")))
    assert unknown(trades, {"a": "sip", "c": "finnhub"}) == {"!": 1, "77": 1, "?": 2}
    assert unknown(trades, {}) == {}


def test_the_platforms_own_conditions_are_not_unknown() -> None:
    trades = trades_of(("a", ("ohlc",)), ("a", ("mark",)), ("a", ("gap",)))
    assert unknown(trades, dict.fromkeys("a", "sip")) == {}


def test_nothing_given_is_nothing_excluded() -> None:
    assert (effects(trades_of(), {"a": "sip"}).tolist(), unknown(trades_of(), {"a": "sip"})) == ([], {})


def test_a_table_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        effects(trades_of(("a", ())), {"a": "none"})
    assert sorted(TABLES) == ["finnhub", "sip", "sip-round-lots"]
