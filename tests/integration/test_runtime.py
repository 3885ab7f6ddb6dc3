"""The page on which a stage tells of itself, over a real socket."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry, Counter

from volwatch.runtime import Health, serve

pytestmark = pytest.mark.integration


@pytest.fixture
def health() -> Health:
    return Health(stuck_seconds=1e9)


@pytest.fixture
def connection(health: Health) -> Iterator[HTTPConnection]:
    registry = CollectorRegistry()
    Counter("volwatch_test_rounds_total", "Rounds", registry=registry).inc(3)
    connection = HTTPConnection("127.0.0.1", serve(health, "127.0.0.1", 0, registry), timeout=5)
    yield connection
    connection.close()


def status(connection: HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


def test_metrics_are_served(connection: HTTPConnection) -> None:
    connection.request("GET", "/metrics")
    assert b"volwatch_test_rounds_total 3.0\n" in connection.getresponse().read()


def test_readiness_follows_the_stage(connection: HTTPConnection, health: Health) -> None:
    assert (status(connection, "/healthz"), status(connection, "/readyz")) == (200, 503)
    health.set_ready(True)
    assert status(connection, "/readyz") == 200


def test_a_path_that_is_not_there_is_not_found(connection: HTTPConnection) -> None:
    assert status(connection, "/") == 404
