import pytest

from volwatch.errors import Misconfigured
from volwatch.local.feeds import choose_feeds
from volwatch.local.finnhub_market import SYMBOLS
from volwatch.settings import FinnhubSettings, load_one

VARIABLES = ("TOKEN", "URL", "REST_URL", "SYMBOLS", "QUOTES_PER_MINUTE")


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"VOLWATCH_FINNHUB_{name}", raising=False)


@pytest.fixture(autouse=True)
def _a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volwatch.local.feeds.free_port", lambda _randomness: 20_123)


@pytest.mark.parametrize("stream", [False, True])
def test_without_an_account_a_double_is_asked(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = choose_feeds(stream=stream)
    assert (feeds.stream, feeds.double_port) == (stream, 20_123)
    for name, value in feeds.environment.items():
        monkeypatch.setenv(name, value)
    told = load_one(FinnhubSettings)
    assert (told.url, told.rest_url) == ("ws://127.0.0.1:20123", "http://127.0.0.1:20123/api/v1")
    assert told.watched == SYMBOLS


def test_an_account_is_used_for_stream_and_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLWATCH_FINNHUB_TOKEN", "key")
    monkeypatch.setenv("VOLWATCH_FINNHUB_SYMBOLS", "AAPL")
    feeds = choose_feeds(stream=False)
    assert (feeds.stream, feeds.double_port) == (True, None)
    assert feeds.environment["VOLWATCH_FINNHUB_REST_URL"] == "https://finnhub.io/api/v1"
    assert feeds.environment["VOLWATCH_FINNHUB_TOKEN"] == "key"


def test_a_fault_of_the_account_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLWATCH_FINNHUB_TOKEN", "key")
    monkeypatch.setenv("VOLWATCH_FINNHUB_URL", "ftp://nowhere")
    with pytest.raises(Misconfigured, match="VOLWATCH_FINNHUB_URL"):
        choose_feeds(stream=False)
    monkeypatch.delenv("VOLWATCH_FINNHUB_URL")
    with pytest.raises(Misconfigured, match="VOLWATCH_FINNHUB_SYMBOLS"):
        choose_feeds(stream=False)
