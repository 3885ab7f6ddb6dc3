"""One request to a receiver that speaks HTTP. A URL may hold a secret: errors name the host alone."""

from collections.abc import Mapping

import urllib3

from volwatch.errors import Transient
from volwatch.notifier.receiver import Refused

_TIMEOUT = urllib3.Timeout(connect=5, read=10)
_MOST_TOLD_CHARACTERS = 200
# What is wrong with this one message, as opposed to the channel, the time or the server.
_REFUSALS = {400, 413, 422}


class Poster:
    """Posts JSON to one URL."""

    def __init__(self, url: str) -> None:
        self._pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=_TIMEOUT)
        self._url = url
        parsed = urllib3.util.parse_url(url)
        self._host = parsed.netloc.rpartition("@")[2] if parsed.netloc else "the server"

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when the server has answered that it took the body.

        Raises
        ------
        Transient
            It did not answer, or not well.
        Refused
            It says that the body is wrong.
        """
        sent = {"Content-Type": "application/json", "User-Agent": "volwatch-notifier", **headers}
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=sent, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise Transient(f"{self._host}: {type(error).__name__}") from None
        if 200 <= answer.status < 300:
            return
        told = answer.data[:_MOST_TOLD_CHARACTERS].decode("utf-8", "replace").replace("\x00", "")
        text = f"{self._host}: HTTP {answer.status} {told}".strip()
        raise Refused(text) if answer.status in _REFUSALS else Transient(text)
