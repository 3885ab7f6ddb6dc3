"""Finnhub's quotes over HTTP, by ``urllib3``: the one place that knows its answers, its limits and the token.

The token goes in a header, never in an address, which every server on the way may log. A redirection is not followed:
it would take the token to whoever it names.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, Protocol

from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from volwatch.errors import Misconfigured, Transient, VolwatchError
from volwatch.pipeline.call_budget import CallBudget

_TOKEN = "VOLWATCH_FINNHUB_TOKEN"  # noqa: S105 - the name of the variable
_TRIES = 3
_TIMEOUT = Timeout(connect=3.0, read=5.0)
_WAIT = wait_random_exponential(multiplier=1.0, max=8.0)
_LIMITED_SECONDS = 5.0
"""After 429 without a word on how long."""
_LONGEST_TOLD_SECONDS = 60.0


class NotAllowed(VolwatchError):
    """The account may not ask for this symbol: count it and go on."""


class _Again(Transient):
    """Another try may do, after so many seconds at least."""

    def __init__(self, reason: str, told_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.told_seconds = told_seconds


class Http(Protocol):
    """The part of ``urllib3.PoolManager`` that is used here."""

    def request(
        self,
        method: str,
        url: str,
        *,
        fields: Mapping[str, str],
        headers: Mapping[str, str],
        timeout: Timeout,
        retries: Literal[False],
        redirect: bool,
    ) -> BaseHTTPResponse:
        """Return an answer with its body, or raise an ``HTTPError``."""


class FinnhubRest:
    """Asks for one quote after the other.

    Parameters
    ----------
    url : str
        Where the API is, with its version.
    token : SecretStr
        The key of the account.
    http : Http
        Whom to ask by.
    budget : CallBudget
        Of which every try takes a call, and in which all waiting happens.

    Raises
    ------
    Misconfigured
        The token cannot stand in a header.
    """

    def __init__(self, url: str, token: SecretStr, http: Http, budget: CallBudget) -> None:
        secret = token.get_secret_value()
        if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
            raise Misconfigured([f"{_TOKEN}: it holds what no key of Finnhub does (spaces, line ends, accents)"])
        self._address = f"{url.rstrip('/')}/quote"
        self._headers = {"X-Finnhub-Token": secret}
        self._http = http
        self._try = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(_TRIES),
            wait=_wait_seconds,
            sleep=budget.pause,
            reraise=True,
        )
        self._budget = budget

    def quote(self, symbol: str) -> bytes:
        """Return what Finnhub answers with.

        Raises
        ------
        OutOfTime
            The budget's time is over.
        Transient
            No try did; the next run may.
        NotAllowed
            The account may not ask for this symbol.
        Misconfigured
            Finnhub refuses the token.
        """
        return self._try(self._ask, symbol)

    def _ask(self, symbol: str) -> bytes:
        self._budget.take()
        try:
            answer = self._http.request(
                "GET",
                self._address,
                fields={"symbol": symbol},
                headers=self._headers,
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            raise _Again(f"{type(error).__name__}: {error}") from error
        if answer.status != HTTPStatus.OK:
            raise _refusal(answer)
        return answer.data


def _refusal(answer: BaseHTTPResponse) -> VolwatchError:
    """Return what a status other than 200 means."""
    status, told = answer.status, f"HTTP {answer.status}"
    if status == HTTPStatus.UNAUTHORIZED:
        fault = f"{_TOKEN}: Finnhub does not know it ({told}); take the key from the account's page, set it anew"
        return Misconfigured([fault])
    if status == HTTPStatus.FORBIDDEN:
        return NotAllowed(told)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _Again(f"too many requests ({told})", _told_seconds(answer))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _Again(told)
    return Transient(told)


def _told_seconds(answer: BaseHTTPResponse) -> float:
    """Return how long to wait after 429: what the server says, within bounds."""
    try:
        seconds = Retry().get_retry_after(answer)
    except (InvalidHeader, ValueError):  # the latter of more digits than a number may have
        seconds = None
    return _LIMITED_SECONDS if seconds is None else min(seconds, _LONGEST_TOLD_SECONDS)


def _wait_seconds(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    told = error.told_seconds if isinstance(error, _Again) else 0.0
    return max(told, _WAIT(state))
