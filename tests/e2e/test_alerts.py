"""A burst becomes an alert while its bar is open, whoever should know is told once, and the minute path confirms it.

Before the others by its name: a change of the producer raises alerts of its own, and a burst within one is no news.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.e2e.neighbours import bystander, receiver
from tests.e2e.platform import Platform, wait_until
from volwatch.producer.simulator import symbol_names

pytestmark = pytest.mark.timeout(1500)

SECRET = "volwatch-channels"
SIGNED_WITH = "a-key-of-nobody-for-tests"
# The one that the signal means: the first of the market.
SYMBOL = symbol_names(10)[0]
BURST = "import os, signal; os.kill(1, signal.SIGUSR1)"
INJECTIONS = 4
TOPIC = """
import sys
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
consumer = Consumer({"bootstrap.servers": "kafka:9092", "group.id": "e2e", "enable.partition.eof": True})
partitions = consumer.list_topics("alerts", timeout=10).topics["alerts"].partitions
consumer.assign([TopicPartition("alerts", number, OFFSET_BEGINNING) for number in partitions])
ended = set()
while len(ended) < len(partitions):
    message = consumer.poll(20)
    if message is None:
        sys.exit("no answer")
    if message.error():
        ended.add(message.partition())
    else:
        print(message.value().decode(), flush=True)
consumer.close()
"""


@dataclass(frozen=True)
class Raised:
    """An alert, as it stands in the warehouse."""

    alert_id: str
    actor: str
    seconds_after_onset: float


@pytest.fixture(scope="module")
def told(installed: Any) -> Iterator[Platform]:
    """The platform, with a receiver of web-hooks for a second channel beside the topic."""
    platform: Platform = installed.platform
    with receiver(platform) as address:
        channels = [
            {"name": "topic", "kind": "kafka"},
            {"name": "desk", "kind": "webhook", "url": f"http://{address}/alerts", "secret": SIGNED_WITH},
        ]
        secret = client.V1Secret(
            metadata=client.V1ObjectMeta(name=SECRET), string_data={"channels.yaml": yaml.safe_dump(channels)}
        )
        platform.core.create_namespaced_secret(platform.namespace, secret)
        platform.upgrade(f"notifier.channelsSecret={SECRET}", "notifier.channelPorts={8080}")
        yield platform
    platform.upgrade()
    platform.core.delete_namespaced_secret(SECRET, platform.namespace)


@pytest.fixture(scope="module")
def raised(told: Platform) -> Raised:
    """An alert of a burst that was injected; again where none came, as one in a cool-down says nothing."""
    wait_until(lambda: is_live(told), "the history is past")
    for _ in range(INJECTIONS):
        # Early in a minute, so that there is time left in the bar.
        wait_until(
            lambda: told.number("SELECT extract(second FROM clock_timestamp())::int") < 15, "a minute begins", 90
        )
        since = told.query("SELECT date_trunc('minute', clock_timestamp())")[0][0]
        inject(told)
        for alert in first_within(told, since, 75):
            return alert
    pytest.fail(f"none of {INJECTIONS} bursts of {SYMBOL} became an alert")


def is_live(platform: Platform) -> bool:
    return platform.number("SELECT count(*) FROM stock_prices WHERE bar_start > now() - interval '4 minutes'") > 0


def inject(platform: Platform) -> None:
    """Make the producer that sends send a burst: a signal would end one that stands by."""
    lease: Any = client.CoordinationV1Api().read_namespaced_lease("volwatch-producer", platform.namespace)
    holder = str(lease.spec.holder_identity).rpartition("_")[0]
    platform.execute(holder, ["python", "-c", BURST], container="producer")


def first_within(platform: Platform, since: str, seconds: float) -> list[Raised]:
    """Return the first alert of the symbol from a time on, or nothing where none comes."""
    statement = f"""
        SELECT alert_id, actor, extract(epoch FROM recorded_at - onset_bar)
        FROM stock_alerts JOIN alert_events USING (alert_id)
        WHERE symbol = '{SYMBOL}' AND onset_bar >= '{since}' AND event = 'OPEN' ORDER BY onset_bar, event_id LIMIT 1
    """
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        for alert, actor, after in platform.query(statement):
            return [Raised(alert, actor, float(after))]
        time.sleep(1)  # a cluster has no event for what is asked here
    return []


def test_a_burst_becomes_an_alert_while_its_bar_is_open(raised: Raised) -> None:
    print(f"the alert's row came {raised.seconds_after_onset:.1f} s after its bar began")  # noqa: T201 - worth knowing
    assert raised.actor == "detector"
    assert 0 < raised.seconds_after_onset < 60


def test_a_web_hook_is_told_once_and_can_see_who_told_it(told: Platform, raised: Raised) -> None:
    wait_until(lambda: openings(told, raised) != [], "the web-hook is told", 60)
    told.catch_up()  # what the minute path finds is no second opening
    (request,) = openings(told, raised)
    moment, _, digest = request["signature"].removeprefix("t=").partition(",v1=")
    signed = f"{moment}.{request['body']}".encode()
    assert digest == hmac.new(SIGNED_WITH.encode(), signed, hashlib.sha256).hexdigest()
    assert request["key"] == f"{raised.alert_id}:OPEN"


def openings(platform: Platform, raised: Raised) -> list[dict[str, str]]:
    """Return the requests that told the receiver of the alert's opening."""
    told = str(platform.core.read_namespaced_pod_log("receiver", platform.namespace))
    return [request for request in map(json.loads, told.splitlines()) if is_opening(request["body"], raised)]


def is_opening(text: str, raised: Raised) -> bool:
    transition = json.loads(text)
    return (transition["alert_id"], transition["event"]) == (raised.alert_id, "OPEN")


def test_the_topic_of_alerts_holds_it_once(told: Platform, raised: Raised) -> None:
    with bystander(told, "listener", {"app.kubernetes.io/component": "test"}) as listener:

        def records() -> list[str]:
            read = told.execute(listener, ["python", "-c", TOPIC])
            return [line for line in read.splitlines() if line.startswith("{") and is_opening(line, raised)]

        wait_until(lambda: records() != [], "the topic has the alert", 60)
        assert len(records()) == 1


def test_the_minute_path_confirms_it_and_agrees(told: Platform, raised: Raised) -> None:
    of_it = f"FROM alert_events WHERE alert_id = '{raised.alert_id}' AND event"
    wait_until(lambda: told.number(f"SELECT count(*) {of_it} IN ('CONFIRMED', 'RETRACTED')") > 0, "it is judged", 420)
    assert told.query(f"SELECT event, actor {of_it} IN ('OPEN', 'CONFIRMED', 'RETRACTED') ORDER BY event_id") == [
        ["OPEN", "detector"],
        ["CONFIRMED", "pipeline"],
    ]
    assert told.number("SELECT count(*) FROM alert_differences") == 0
