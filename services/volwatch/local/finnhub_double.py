"""A double of Finnhub: a real server that speaks its two protocols on one port, and fails when told to.

What it does is what users and maintainers report of the real one (quant.md section 7): one symbol a message, an error
above 50 that names none, JSON pings, one connection per token, of which a second drops both. Its quotes are in
``finnhub_quotes.py``.
"""

import json
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from volwatch.errors import Transient
from volwatch.local.finnhub_quotes import API, Answer, Quotes, respond
from volwatch.local.ports import LOOPBACK

MOST_SYMBOLS = 50
_TOO_MANY = '{"type":"error","msg":"Subscribing to too many symbols"}'
_PING = '{"type":"ping"}'
_PATIENCE_SECONDS = 10.0
_ONE_PER_KEY = 1008, "one connection per key"

Print = dict[str, Any]


class FinnhubDouble:
    """Serves between enter and exit, in threads.

    Parameters
    ----------
    token : str or None
        The one it knows; any other is answered with 401. None: it knows every one, and refuses only none at all.
    ping_seconds : float
        Time between its JSON pings.
    host, port : str, int
        Where it listens; 0 is any free port.
    limited : bool
        Whether it answers no more calls for quotes than Finnhub does.

    Attributes
    ----------
    quotes : Quotes
        Its other half.
    answers : deque of (status, headers)
        Handshakes to be refused with these, the next ones, in their order.
    handshakes : list of float
        When each came, on a monotonic clock.
    requests : list of str
        Every message that came, in order.
    stalled : bool
        Whether it keeps its connections and says nothing, not even pings.
    pings : int
        JSON pings sent.
    """

    def __init__(
        self, token: str | None, ping_seconds: float = 0.2, *, host: str = LOOPBACK, port: int = 0, limited: bool = True
    ) -> None:
        self._token = token
        self._ping_seconds = ping_seconds
        self._lock = threading.RLock()
        self._subscribed: dict[ServerConnection, list[str]] = {}
        self.quotes = Quotes(token, limited=limited)
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.handshakes: list[float] = []
        self.requests: list[str] = []
        self.stalled = False
        self.pings = 0
        # Its log names the token, as any server's does; what is tested is the client's.
        silent = logging.Logger("double", logging.CRITICAL + 1)
        self._server = serve(self._handle, host, port, process_request=self._answer, ping_interval=None, logger=silent)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quotes.end()
        self.drop()
        self._server.shutdown()
        self._thread.join(_PATIENCE_SECONDS)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where its stream is."""
        return f"ws://{LOOPBACK}:{self.port}"

    @property
    def rest_url(self) -> str:
        """Where its quotes are."""
        return f"http://{LOOPBACK}:{self.port}{API}"

    @property
    def subscribed(self) -> list[list[str]]:
        """The symbols of each open connection, in order of subscription."""
        with self._lock:
            return [list(symbols) for symbols in self._subscribed.values()]

    def wait_for(self, condition: Callable[["FinnhubDouble"], bool]) -> None:
        """Return once a condition holds.

        Raises
        ------
        Transient
            It does not become true in time.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition(self):
            if time.monotonic() > deadline:
                raise Transient("Finnhub's double waits in vain")
            time.sleep(0.01)

    def send(self, message: str | bytes) -> None:
        """Send a message as it is to every connection: rubbish, or the same once more."""
        with self._lock:
            for connection in self._subscribed:
                if not self.stalled:
                    connection.send(message, text=True)

    def trade(self, *prints: Print) -> None:
        """Send a message of trades; each connection has those of its symbols."""
        with self._lock:
            for connection, symbols in self._subscribed.items():
                wanted = [each for each in prints if each["s"] in symbols]
                if wanted and not self.stalled:
                    with suppress(ConnectionClosed):  # it has just gone
                        connection.send(json.dumps({"type": "trade", "data": wanted}))

    def close(self, code: int = 1001, reason: str = "restart") -> None:
        """End every connection as the protocol has it."""
        for connection in self._forget():
            connection.close(code, reason)

    def drop(self) -> None:
        """End every connection without a word, as a broken line does."""
        for connection in self._forget():
            with suppress(OSError):  # it has just ended by itself
                connection.socket.shutdown(socket.SHUT_RDWR)

    def _forget(self, token: str | None = None) -> list[ServerConnection]:
        """Return all connections, or a token's; none counts as open from now on, however soon its client is back."""
        with self._lock:
            connections = [each for each in self._subscribed if token in (None, _token_of(each.request))]
            for connection in connections:
                del self._subscribed[connection]
        return connections

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """Answer a call with a quote, or refuse a handshake; None lets it through."""
        if urlsplit(request.path).path.startswith(API):
            return self.quotes.answer(request)
        self.handshakes.append(time.monotonic())
        if self.answers:
            status, headers = self.answers.popleft()
            return respond(Answer(status, headers))
        token = _token_of(request)
        if not token or self._token not in (None, token):
            return respond(Answer(HTTPStatus.UNAUTHORIZED))
        return None

    def _handle(self, connection: ServerConnection) -> None:
        token = _token_of(connection.request)
        with self._lock:
            others = [each for each in self._subscribed if _token_of(each.request) == token]
            self._subscribed[connection] = []
        if others:
            for each in self._forget(token):
                each.close(*_ONE_PER_KEY)
        try:
            self._converse(connection)
        except (ConnectionClosed, OSError):
            pass
        finally:
            with self._lock:
                self._subscribed.pop(connection, None)

    def _converse(self, connection: ServerConnection) -> None:
        while True:
            try:
                self._obey(connection, str(connection.recv(self._ping_seconds)))
            except TimeoutError:
                if not self.stalled:
                    connection.send(_PING)
                    self.pings += 1

    def _obey(self, connection: ServerConnection, message: str) -> None:
        self.requests.append(message)
        told = json.loads(message)
        with self._lock:
            symbols = self._subscribed.get(connection, [])
            if told["type"] == "unsubscribe":
                symbols.remove(told["symbol"])
            elif len(symbols) >= MOST_SYMBOLS:
                connection.send(_TOO_MANY)
            else:
                symbols.append(told["symbol"])


def _token_of(request: Request | None) -> str | None:
    """Return the token in a handshake's address."""
    return None if request is None else parse_qs(urlsplit(request.path).query).get("token", [None])[-1]
