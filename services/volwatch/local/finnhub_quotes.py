"""The quotes of Finnhub's double: what ``/api/v1/quote`` answers, its limits, and faults on demand.

As quant.md section 7 has it: a symbol that it does not know is answered with zeros and 200; above 60 calls a minute or
30 a second comes 429.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import takewhile
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

API = "/api/v1"
TOKEN_HEADER = "X-Finnhub-Token"  # noqa: S105 - the name of the header
LIMITS = {60.0: 60, 1.0: 30}
"""Most calls in so many seconds."""
_LIMITED = b'{"error":"API limit reached. Please try again later. Remaining Limit: 0"}'
_NO_KEY = b'{"error":"Invalid API key."}'
_ZEROS = {"c": 0, "d": None, "dp": None, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0}
_LONGEST_STALL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with; ``stall`` says nothing for as long as the client has patience."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    stall: bool = False


class Quotes:
    """Prices by symbol, and who asked for them.

    Parameters
    ----------
    token : str or None
        The one it knows, in its header; None: every one.
    limited : bool
        Whether it keeps to ``LIMITS``.

    Attributes
    ----------
    prices : dict of str to (float, int)
        Price of each symbol, and the second of its last trade.
    answers : deque of Answer
        What the next calls are answered with instead, in their order.
    paths : list of str
        What was asked for, in order: the address without the host.
    calls : list of float
        When, on a monotonic clock.
    refused : int
        Calls above the limits.
    """

    def __init__(self, token: str | None, *, limited: bool = True) -> None:
        self._token = token
        self._limited = limited
        self._lock = threading.Lock()
        self.prices: dict[str, tuple[float, int]] = {}
        self._ended = threading.Event()
        self.answers: deque[Answer] = deque()
        self.paths: list[str] = []
        self.calls: list[float] = []
        self.refused = 0

    def set(self, symbol: str, price: float, event_time: int) -> None:
        """Let a symbol have a price, at a time in epoch milliseconds; only its second is told."""
        self.prices[symbol] = (price, event_time // 1_000)

    def end(self) -> None:
        """Let go of whoever is kept waiting."""
        self._ended.set()

    def answer(self, request: Request) -> Response:
        """Return what a call is answered with."""
        with self._lock:
            self.paths.append(request.path)
            self.calls.append(time.monotonic())
            answer = self.answers.popleft() if self.answers else self._honest(request)
        if answer.stall:
            self._ended.wait(_LONGEST_STALL_SECONDS)
        return respond(answer)

    def _honest(self, request: Request) -> Answer:
        given = request.headers.get(TOKEN_HEADER)
        if not given or self._token not in (None, given):
            return Answer(HTTPStatus.UNAUTHORIZED, body=_NO_KEY)
        if self._limited and self._is_above():
            self.refused += 1
            return Answer(HTTPStatus.TOO_MANY_REQUESTS, body=_LIMITED)
        address = urlsplit(request.path)
        if address.path != f"{API}/quote":
            return Answer(HTTPStatus.NOT_FOUND)
        symbol = parse_qs(address.query).get("symbol", [""])[0]
        return Answer(body=json.dumps(self._quote(symbol)).encode())

    def _quote(self, symbol: str) -> dict[str, float | int | None]:
        if symbol not in self.prices:
            return dict(_ZEROS)
        price, second = self.prices[symbol]
        return {"c": price, "d": 0.0, "dp": 0.0, "h": price, "l": price, "o": price, "pc": price, "t": second}

    def _is_above(self) -> bool:
        now = self.calls[-1]
        recent = list(takewhile(lambda at: at > now - max(LIMITS), reversed(self.calls)))
        return any(sum(at > now - seconds for at in recent) > most for seconds, most in LIMITS.items())


def respond(answer: Answer) -> Response:
    """Return an answer as the library sends it."""
    headers = Headers({"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers})
    return Response(answer.status, HTTPStatus(answer.status).phrase, headers, answer.body)
