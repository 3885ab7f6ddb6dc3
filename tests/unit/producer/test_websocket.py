"""What the library says is told again without the token, and for what it means."""

import logging
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest
from pydantic import SecretStr
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response
from websockets.sync.client import ClientConnection

from volwatch.errors import Misconfigured
from volwatch.producer import websocket
from volwatch.producer.websocket import Lost, Websocket, finnhub_connection, redacted

TOKEN = "c0ffee+/t0ken"
URL = "ws://feed.test"


def refusal(status: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers({name.replace("_", "-"): v for name, v in headers.items()})))


def raising(error: Exception) -> Callable[..., ClientConnection]:
    def connect(*_args: object, **_options: object) -> ClientConnection:
        raise error

    return connect


def fault_of(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Exception:
    """Return what opening a connection raises, given what the library raises."""
    monkeypatch.setattr(websocket, "connect", raising(error))
    with pytest.raises((Lost, Misconfigured)) as caught, finnhub_connection(URL, SecretStr(TOKEN)):
        pass
    return caught.value


class Library:
    """A connection of the library that fails, or says nothing in time."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send(self, _message: str) -> None:
        raise self._error

    def recv(self, _timeout: float, *, decode: bool) -> bytes:
        raise self._error


def failing(error: Exception) -> Websocket:
    return Websocket(cast("ClientConnection", Library(error)), SecretStr(TOKEN))


def test_the_token_stands_in_the_address_alone_and_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def connect(url: str, **options: Any) -> ClientConnection:
        asked.append((url, options))
        raise OSError("no")

    monkeypatch.setattr(websocket, "connect", connect)
    with pytest.raises(Lost), finnhub_connection(URL, SecretStr(TOKEN)):
        pass
    [(url, options)] = asked
    assert url == "ws://feed.test?token=c0ffee%2B%2Ft0ken"
    assert "c0ffee" not in repr(options)
    assert not options["logger"].isEnabledFor(logging.CRITICAL)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_a_fault_of_the_configuration(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    fault = fault_of(monkeypatch, refusal(status))
    assert isinstance(fault, Misconfigured)
    [text] = fault.faults
    assert text.startswith("VOLWATCH_FINNHUB_TOKEN: ")
    assert text.endswith(f"(HTTP {status})")


@pytest.mark.parametrize(
    ("error", "told_seconds"),
    [
        (refusal(429, Retry_After="7"), 7.0),
        (refusal(429), 60.0),
        (refusal(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), 60.0),
        (refusal(429, Retry_After="99999999"), 3_600.0),
        (refusal(503, Retry_After="7"), None),
        (OSError("unreachable"), None),
        (InvalidMessage("no answer"), None),
    ],
)
def test_anything_else_is_tried_again_no_sooner_than_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told_seconds: float | None
) -> None:
    fault = fault_of(monkeypatch, error)
    assert isinstance(fault, Lost)
    assert fault.told_seconds == told_seconds


def test_an_address_that_is_none_is_a_fault_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = fault_of(monkeypatch, InvalidURI(f"{URL}?token={TOKEN}", "bad"))
    assert isinstance(fault, Misconfigured)


@pytest.mark.parametrize(
    "error",
    [
        OSError(f"cannot reach {URL}?token={TOKEN}"),
        OSError("cannot reach ws://feed.test?token=c0ffee%2B%2Ft0ken"),
        InvalidURI(f"{URL}?token={TOKEN}", "bad"),
    ],
)
def test_no_error_keeps_the_token(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    fault = fault_of(monkeypatch, error)
    assert (fault.__cause__, fault.__context__) == (None, None)
    assert "c0ffee" not in repr(fault) + "".join(traceback.format_exception(fault))


def test_the_end_of_a_connection_is_told_with_its_code_and_without_the_token() -> None:
    closed = failing(ConnectionClosedError(Close(1008, f"bad {TOKEN}"), None))
    for use in (partial(closed.send, "x"), partial(closed.receive, 1.0)):
        with pytest.raises(Lost) as caught:
            use()
        assert str(caught.value) == "connection closed: code 1008 bad ***"
    with pytest.raises(Lost, match=r"^connection closed: code 1009 too big$"):
        failing(ConnectionClosedError(None, Close(1009, "too big"))).receive(1.0)
    with pytest.raises(Lost, match=r"^connection closed: nothing said$"):
        failing(ConnectionClosedError(None, None)).receive(1.0)


def test_nothing_in_time_is_no_fault() -> None:
    assert failing(TimeoutError()).receive(1.0) is None


def test_a_text_is_redacted_however_the_token_is_spelt() -> None:
    assert redacted(f"a {TOKEN} b c0ffee%2B%2Ft0ken c", SecretStr(TOKEN)) == "a *** b *** c"
