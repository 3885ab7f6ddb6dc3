import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.trades import from_records
from volwatch.analytics.volatility import MINUTE_ESTIMATORS, RANGE_ESTIMATORS, TOO_FEW_TRADES
from volwatch.errors import Misconfigured, Transient
from volwatch.finnhub import QUOTE_SOURCE
from volwatch.pipeline.call_budget import OutOfTime
from volwatch.pipeline.finnhub_rest import NotAllowed
from volwatch.pipeline.quotes import Round, ask, turn
from volwatch.trade import Trade

NOW = datetime(2026, 1, 5, 15, 0, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1_000


def answer(price: object = 101.25, seconds_ago: int = 1) -> bytes:
    return json.dumps({"c": price, "t": NOW_MS // 1_000 - seconds_ago}).encode()


class Answers:
    """Answers in turn, or fails."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = deque(answers)
        self.asked: list[str] = []

    def quote(self, symbol: str) -> bytes:
        self.asked.append(symbol)
        found = self._answers.popleft()
        if isinstance(found, Exception):
            raise found
        return found


def asked(**answers: bytes | Exception) -> Round:
    return ask(Answers(*answers.values()), list(answers), lambda: NOW)


def test_a_quote_is_a_price_without_size_at_the_time_of_the_last_trade() -> None:
    found = asked(AAPL=answer(), MSFT=answer(410, 2))
    assert list(found.trades.values()) == [
        Trade(QUOTE_SOURCE, "AAPL", NOW_MS - 1_000, 101.25, 0.0, (), None, NOW_MS, NOW_MS * 1_000),
        Trade(QUOTE_SOURCE, "MSFT", NOW_MS - 2_000, 410.0, 0.0, (), None, NOW_MS, NOW_MS * 1_000 + 1),
    ]
    assert (found.fetched, found.outcomes) == (2, {})


@pytest.mark.parametrize(
    ("given_answer", "outcome", "fetched"),
    [
        (b'{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}', "UNKNOWN", 1),
        (answer(seconds_ago=151), "STALE", 1),  # of 14:57, whose bar is final 120 s after its end
        (answer(seconds_ago=3 * 86_400), "STALE", 1),
        (answer(seconds_ago=-6), "FAILED", 1),
        (answer(-1.0), "FAILED", 1),
        (answer("dear"), "FAILED", 1),
        (b"<html>Bad Gateway</html>", "FAILED", 1),
        (Transient("HTTP 502"), "FAILED", 0),
        (NotAllowed("HTTP 403"), "FAILED", 0),
    ],
)
def test_what_is_no_new_price_is_told_and_the_others_go_on(
    given_answer: bytes | Exception, outcome: str, fetched: int
) -> None:
    found = asked(BAD=given_answer, MSFT=answer())
    assert (found.outcomes, list(found.trades)) == ({"BAD": outcome}, ["MSFT"])
    assert found.fetched == 1 + fetched
    assert set(found.asked) == {"BAD", "MSFT"}
    assert (set(found.faults) == {"BAD"}) == (outcome == "FAILED")


def test_the_oldest_quote_that_can_still_be_in_a_bar_is_taken() -> None:
    assert list(asked(AAPL=answer(seconds_ago=150)).trades) == ["AAPL"]


def test_when_the_time_is_over_the_rest_is_left() -> None:
    source = Answers(answer(), OutOfTime("over"))
    found = ask(source, ["AAPL", "MSFT", "NVDA"], lambda: NOW)
    assert (list(found.asked), source.asked) == (["AAPL"], ["AAPL", "MSFT"])


def test_a_token_that_is_refused_ends_it_at_once() -> None:
    source = Answers(Misconfigured(["no"]))
    with pytest.raises(Misconfigured):
        ask(source, ["AAPL", "MSFT"], lambda: NOW)
    assert source.asked == ["AAPL"]


@given(st.integers(1, 200), st.integers(1, 60))
def test_all_have_their_turn_before_one_has_a_second(count: int, most: int) -> None:
    symbols = [f"S{number}" for number in range(count)]
    times: Mapping[str, datetime] = {}
    seen: list[str] = []
    for minute in range(-(-count // most)):
        chosen = turn(symbols, times, most)
        assert len(chosen) == min(most, count)
        times = {**times, **dict.fromkeys(chosen, NOW + timedelta(minutes=minute))}
        seen += chosen
    assert set(seen[:count]) == set(symbols)


def test_whoever_was_asked_longest_ago_comes_first_and_new_ones_before_all() -> None:
    times = {"A": NOW, "B": NOW - timedelta(minutes=2), "C": NOW - timedelta(minutes=1)}
    assert turn(["A", "B", "C", "NEW"], times, 3) == ["NEW", "B", "C"]


def test_to_the_engine_a_quote_is_neither_volume_nor_a_sample_of_a_range() -> None:
    """A quote a minute makes bars of prices alone, and of no estimator that needs a range of prints."""
    quotes = [
        Trade(QUOTE_SOURCE, "BINANCE:BTCUSDT", at, 100.0 + at % 7, 0.0, (), None, at, number)
        for number, at in enumerate(range(NOW_MS, NOW_MS + 40 * 60_000, 60_000))
    ]
    result = Engine(EngineConfig()).process(from_records(quotes))
    bars, volatility = result.bars[0].table, result.volatility[0]
    assert (len(result.rejected.trades), len(bars)) == (0, 37)  # those that are final
    assert bars.volume.tolist() == [0.0] * 37
    assert np.isnan(bars.vwap).all()
    ranged = [place for place, name in enumerate(MINUTE_ESTIMATORS) if name in RANGE_ESTIMATORS]
    assert len(ranged) == 3
    assert np.isnan(volatility.value[:, ranged]).all()
    assert set(volatility.reason[-1, ranged].tolist()) == {TOO_FEW_TRADES}
