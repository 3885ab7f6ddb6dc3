"""Finnhub's websocket, by the library ``websockets``: the one place that knows the library, its errors and the token.

The token stands in the URL, and some of the library's errors and debug lines name the URL (quant.md section 7). So
they end here: what went wrong is told again in words of our own, and the library has a logger that tells nobody.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from urllib.parse import quote

from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from volwatch.errors import Misconfigured, Transient
from volwatch.producer.reconnection import MOST_SECONDS

_REFUSED = {401: "Finnhub does not know it", 403: "Finnhub does not allow it to use the stream"}
_TOO_MANY_REQUESTS = 429
_LONGEST_TOLD_SECONDS = 3_600.0
_CLOSE_SECONDS = 2.0
# Below what Kafka takes as one record: a message that is all rubbish goes to quarantine whole.
_LARGEST_BYTES = 2**19

_nobody = logging.Logger("websockets of a feed", logging.CRITICAL + 1)


class Lost(Transient):
    """There is no connection, or no longer: connect again after a while.

    Attributes
    ----------
    told_seconds : float or None
        How long the server wants us to wait at least.
    """

    def __init__(self, reason: str, told_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.told_seconds = told_seconds


class Connection(Protocol):
    """An open connection to a feed."""

    def send(self, message: str) -> None:
        """Send a message, or raise ``Lost``."""

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, None when none came in time, or raise ``Lost``."""


Connect = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection for as long as the context lasts; raises ``Lost``, or ``Misconfigured`` when that is for good."""


class Websocket:
    """A connection of the library whose errors are told without the token."""

    def __init__(self, connection: ClientConnection, token: SecretStr) -> None:
        self._connection = connection
        self._token = token

    def send(self, message: str) -> None:
        """Send a message, or raise ``Lost``."""
        try:
            self._connection.send(message)
        except (WebSocketException, OSError) as error:
            lost = _lost(error, self._token)
        else:
            return
        raise lost

    def receive(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, None when none came in time, or raise ``Lost``."""
        try:
            return self._connection.recv(timeout_seconds, decode=False)
        except TimeoutError:
            return None
        except (WebSocketException, OSError) as error:
            lost = _lost(error, self._token)
        raise lost


@contextmanager
def finnhub_connection(url: str, token: SecretStr) -> Iterator[Connection]:
    """Open a connection to Finnhub.

    Raises
    ------
    Lost
        It cannot be opened now.
    Misconfigured
        Finnhub refuses the token.
    """
    with _handshake(url, token) as connection:
        yield Websocket(connection, token)


def redacted(text: str, token: SecretStr) -> str:
    """Return a text without the token, as it is or as a URL spells it."""
    secret = token.get_secret_value()
    return text.replace(quote(secret, safe=""), "***").replace(secret, "***")


def _handshake(url: str, token: SecretStr) -> ClientConnection:
    fault: Lost | Misconfigured
    try:
        return connect(
            f"{url}?token={quote(token.get_secret_value(), safe='')}",
            # Pings keep the way open; whether Finnhub is silent is for the feed to judge, for the library cannot see
            # its answers while we are too slow to read.
            ping_timeout=None,
            close_timeout=_CLOSE_SECONDS,
            max_size=_LARGEST_BYTES,
            logger=_nobody,
        )
    except InvalidStatus as error:
        fault = _refusal(error.response.status_code, error.response.headers.get("Retry-After"))
    except InvalidURI:
        fault = Misconfigured(["VOLWATCH_FINNHUB_URL: no address of a websocket"])
    except (WebSocketException, OSError, EOFError) as error:
        fault = _lost(error, token)
    # Raised out here: within the clause the library's error would stay attached to ours.
    raise fault


def _refusal(status: int, retry_after: str | None) -> Lost | Misconfigured:
    """Return what an HTTP status in place of a websocket means."""
    if status in _REFUSED:
        return Misconfigured([f"VOLWATCH_FINNHUB_TOKEN: {_REFUSED[status]} (HTTP {status})"])
    if status != _TOO_MANY_REQUESTS:
        return Lost(f"HTTP {status}")
    # A date, which it may also be, is as good as no word.
    seconds = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else MOST_SECONDS
    return Lost("too many requests (HTTP 429)", min(seconds, _LONGEST_TOLD_SECONDS))


def _lost(error: Exception, token: SecretStr) -> Lost:
    if isinstance(error, ConnectionClosed):
        close = error.rcvd or error.sent
        reason = "nothing said" if close is None else f"code {close.code} {close.reason}".strip()
        return Lost(redacted(f"connection closed: {reason}", token))
    return Lost(redacted(f"{type(error).__name__}: {error}", token))
