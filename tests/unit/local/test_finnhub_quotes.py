"""The quotes of Finnhub's double, without a socket: calls as the library hands them over."""

import json

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from volwatch.local.finnhub_quotes import TOKEN_HEADER, Answer, Quotes

TOKEN = "s3cret"


def call(quotes: Quotes, path: str = "/api/v1/quote?symbol=AAPL", token: str | None = TOKEN) -> tuple[int, bytes]:
    headers = Headers({} if token is None else {TOKEN_HEADER: token})
    response = quotes.answer(Request(path, headers))
    return response.status_code, bytes(response.body)


def test_a_price_is_told_with_the_second_of_its_trade() -> None:
    quotes = Quotes(TOKEN)
    quotes.set("BINANCE:BTCUSDT", 64_001.5, 1_767_625_200_999)
    status, body = call(quotes, "/api/v1/quote?symbol=BINANCE%3ABTCUSDT")
    told = json.loads(body)
    assert (status, told["c"], told["t"]) == (200, 64_001.5, 1_767_625_200)
    assert told.keys() == {"c", "d", "dp", "h", "l", "o", "pc", "t"}


def test_an_unknown_symbol_is_answered_with_zeros() -> None:
    status, body = call(Quotes(TOKEN))
    assert status == 200
    assert json.loads(body) == {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}


@pytest.mark.parametrize(
    ("knows", "token", "status"), [(TOKEN, "other", 401), (TOKEN, None, 401), (None, None, 401), (None, "other", 200)]
)
def test_a_key_in_the_header_is_what_it_takes(knows: str | None, token: str | None, status: int) -> None:
    assert call(Quotes(knows), token=token)[0] == status


def test_another_page_is_not_there() -> None:
    assert call(Quotes(TOKEN), "/api/v1/stock/candle?symbol=AAPL")[0] == 404


def test_above_the_limit_of_a_second_it_refuses() -> None:
    quotes = Quotes(TOKEN)
    assert [call(quotes)[0] for _ in range(31)] == [200] * 30 + [429]
    assert (quotes.refused, len(quotes.calls)) == (1, 31)
    unlimited = Quotes(TOKEN, limited=False)
    assert {call(unlimited)[0] for _ in range(100)} == {200}


def test_faults_that_were_ordered_come_first_and_once() -> None:
    quotes = Quotes(TOKEN)
    quotes.answers += [Answer(500), Answer(body=b"<html>")]
    assert [call(quotes)[:2] for _ in range(2)] == [(500, b""), (200, b"<html>")]
    assert call(quotes)[0] == 200


def test_nobody_is_kept_waiting_after_its_end() -> None:
    quotes = Quotes(TOKEN)
    quotes.answers.append(Answer(stall=True))
    quotes.end()
    assert call(quotes) == (200, b"")
