"""Where the demo's prices come from: the simulator, and Finnhub or its double for the rest."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from volwatch.errors import Misconfigured
from volwatch.local.finnhub_market import SYMBOLS
from volwatch.local.finnhub_quotes import API
from volwatch.local.ports import LOOPBACK, free_port
from volwatch.settings import FinnhubSettings, as_environment, is_given, load_one


@dataclass(frozen=True, slots=True)
class Feeds:
    """What is listened to.

    Attributes
    ----------
    stream : bool
        Whether the producer listens to Finnhub's stream, in place of the simulator.
    account : FinnhubSettings
        By which quotes are fetched, and the stream is opened.
    double_port : int or None
        Where the double is to be started; None with a real account.
    """

    stream: bool
    account: FinnhubSettings
    double_port: int | None

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which producer and quote_fetch find it."""
        return as_environment(self.account)


def choose_feeds(*, stream: bool) -> Feeds:
    """Return the feeds of a demo: those of the account that the environment names, else of a double.

    Parameters
    ----------
    stream : bool
        Whether the producer shall listen to the double; to a real account it always does.

    Raises
    ------
    Misconfigured
        There is an account, and something is wrong with what is said of it.
    """
    if is_given(FinnhubSettings, "token"):
        account = load_one(FinnhubSettings)
        if not account.watched:
            raise Misconfigured(["VOLWATCH_FINNHUB_SYMBOLS: name at least one"])
        return Feeds(stream=True, account=account, double_port=None)
    port = free_port(random.SystemRandom())
    account = FinnhubSettings(
        token=SecretStr("any"),
        url=f"ws://{LOOPBACK}:{port}",
        symbols=",".join(SYMBOLS),
        rest_url=f"http://{LOOPBACK}:{port}{API}",
    )
    return Feeds(stream, account, port)
