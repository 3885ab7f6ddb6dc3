from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import SecretStr
from urllib3 import BaseHTTPResponse, HTTPResponse, Timeout
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from tests.unit.pipeline.timing import Time
from volwatch.errors import Misconfigured, Transient
from volwatch.pipeline.call_budget import CallBudget, OutOfTime
from volwatch.pipeline.finnhub_rest import FinnhubRest, NotAllowed

TOKEN = "s3cret-t0ken"
GOOD = HTTPResponse(b'{"c":1}', status=200, preload_content=True)


class Server:
    """Answers with what it was given, in turn, or fails as that says."""

    def __init__(self, *answers: HTTPResponse | Exception) -> None:
        self._answers = deque(answers)
        self.asked: list[tuple[str, Mapping[str, str], Mapping[str, str]]] = []

    def request(
        self,
        method: str,
        url: str,
        *,
        fields: Mapping[str, str],
        headers: Mapping[str, str],
        timeout: Timeout,
        retries: bool,
        redirect: bool,
    ) -> BaseHTTPResponse:
        assert (method, retries, redirect) == ("GET", False, False)
        assert timeout.read_timeout == 5.0
        self.asked.append((url, fields, headers))
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer


def status(code: int, **headers: str) -> HTTPResponse:
    return HTTPResponse(b"", status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})


def client(server: Server, time: Time, token: str = TOKEN) -> FinnhubRest:
    budget = CallBudget(50, 45.0, time.clock, time.sleep)
    return FinnhubRest("https://finnhub.example/api/v1/", SecretStr(token), server, budget)


def test_the_token_is_in_a_header_and_in_no_address() -> None:
    server = Server(GOOD)
    assert client(server, Time()).quote("BINANCE:BTCUSDT") == b'{"c":1}'
    assert server.asked == [
        ("https://finnhub.example/api/v1/quote", {"symbol": "BINANCE:BTCUSDT"}, {"X-Finnhub-Token": TOKEN})
    ]


@pytest.mark.parametrize(
    "fault",
    [status(500), status(503), status(524), ProtocolError("reset"), ReadTimeoutError(None, "/quote", "slow")],  # type: ignore[arg-type]
)
def test_what_may_pass_is_tried_again_twice_after_a_wait(fault: HTTPResponse | Exception) -> None:
    time, server = Time(), Server(fault, fault, GOOD)
    assert client(server, time).quote("AAPL") == b'{"c":1}'
    assert len(server.asked) == 3
    first, second = time.sleeps
    assert 0 <= first <= 1
    assert 0 <= second <= 2


def test_after_three_tries_it_is_left_to_the_next_run() -> None:
    server = Server(*[status(502)] * 3)
    with pytest.raises(Transient, match="HTTP 502"):
        client(server, Time()).quote("AAPL")
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry_After": "7"}, 7.0), ({}, 5.0), ({"Retry_After": "soon"}, 5.0), ({"Retry_After": "9" * 5_000}, 5.0)],
)
def test_too_many_requests_are_answered_with_the_wait_that_is_asked_for(
    headers: dict[str, str], seconds: float
) -> None:
    time = Time()
    client(Server(status(429, **headers), GOOD), time).quote("AAPL")
    assert time.sleeps == [seconds]


def test_a_wait_may_be_told_as_a_date() -> None:
    time = Time()
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    client(Server(status(429, Retry_After=then), GOOD), time).quote("AAPL")
    assert time.sleeps == [pytest.approx(30.0, abs=3.0)]


def test_a_wait_that_is_longer_than_the_run_ends_the_run() -> None:
    time = Time()
    with pytest.raises(OutOfTime):
        client(Server(status(429, Retry_After="3600")), time).quote("AAPL")
    assert time.sleeps == []


def test_a_token_that_finnhub_does_not_know_is_for_good() -> None:
    server = Server(status(401))
    with pytest.raises(Misconfigured) as caught:
        client(server, Time()).quote("AAPL")
    assert "VOLWATCH_FINNHUB_TOKEN: Finnhub does not know it (HTTP 401)" in caught.value.faults[0]
    assert TOKEN not in repr(caught.value)


def test_a_symbol_that_the_account_may_not_ask_for_is_not_tried_again() -> None:
    server = Server(status(403))
    with pytest.raises(NotAllowed, match="HTTP 403"):
        client(server, Time()).quote("0700.HK")
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [301, 404])
def test_any_other_status_is_not_tried_again(code: int) -> None:
    """A redirection neither: it would take the token elsewhere."""
    server = Server(status(code, Location="https://elsewhere.example"))
    with pytest.raises(Transient, match=f"HTTP {code}"):
        client(server, Time()).quote("AAPL")
    assert len(server.asked) == 1


@pytest.mark.parametrize("token", ["s3cret\nt0ken", "s3crét", " s3cret", "s3cret\x00"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_not_told(token: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        client(Server(), Time(), token)
    assert "VOLWATCH_FINNHUB_TOKEN" in caught.value.faults[0]
    assert "s3cr" not in repr(caught.value)
