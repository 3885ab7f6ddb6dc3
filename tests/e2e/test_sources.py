"""A second release beside the first, with trades and quotes of Finnhub, or rather of its double in the cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from tests.e2e.conftest import NAMESPACE
from tests.e2e.neighbours import finnhub
from tests.e2e.platform import Images, Platform, wait_until

pytestmark = pytest.mark.timeout(900)

KEY = "k3y-of-an-account-of-nobody"
SECRET = "volwatch-finnhub"
SYMBOLS = ["AAPL", "MSFT"]
SERIES = "SELECT source, symbol FROM series_standing"
BOTH_WAYS = {(source, symbol) for source in ("finnhub", "finnhub-quote") for symbol in SYMBOLS}


@pytest.fixture
def second(chart: Path, images: Images) -> Iterator[Platform]:
    """A namespace with a Kafka and the key of an account."""
    second = Platform(f"{NAMESPACE}-second", chart, images, "second.localhost")
    second.remove()
    second.wait_until_gone()
    second.prepare()
    key = client.V1Secret(metadata=client.V1ObjectMeta(name=SECRET), string_data={"token": KEY})
    second.core.create_namespaced_secret(second.namespace, key)
    yield second
    second.remove()


def test_a_release_beside_the_first_loads_what_finnhub_streams_and_quotes(platform: Platform, second: Platform) -> None:
    with finnhub(second, SYMBOLS) as address:
        second.install(*settings(address))
        second.run_now("quotes")

        def loaded() -> bool:
            second.run_now("pipeline")
            return {tuple(row) for row in second.query(SERIES)} == BOTH_WAYS

        wait_until(loaded, "the minute path has passed trades of stream and quotes")
        logs = [second.log(pod) for pod in second.component("producer")]
    assert [KEY in log for log in logs] == [False, False]
    platform.catch_up()


def settings(address: str) -> list[str]:
    """Return what it takes: a Secret and symbols; and, as this is no Finnhub, its addresses."""
    return [
        "producer.source=finnhub",
        f"producer.finnhub.existingSecret={SECRET}",
        f"producer.finnhub.symbols={{{','.join(SYMBOLS)}}}",
        f"producer.finnhub.url=ws://{address}",
        f"producer.finnhub.restUrl=http://{address}/api/v1",
        "pipeline.quotes=true",
    ]
