"""The notifier on real servers: each alert arrives once and ends once, across kills and an outage of all receivers."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.integration.notifying import (
    SECRET,
    Alertmanager,
    Desk,
    Hook,
    Mailbox,
    alertmanager_program,
    hook_channel,
    mail_channel,
    new_alert,
    until,
)
from tests.integration.worlds import own_world
from volwatch.alert_transition import decode
from volwatch.local.stack import Stack
from volwatch.notifier.signature import verify
from volwatch.settings import LocalSettings, load_one

OUTAGE_SECONDS = float(os.environ.get("VOLWATCH_TEST_OUTAGE_SECONDS", "8"))


@pytest.fixture
def desk(stack: Stack, tmp_path: Path) -> Iterator[Desk]:
    topic = f"alerts-{new_alert()[:8]}"
    admin = AdminClient({**stack.kafka_settings.client_config()})
    admin.create_topics([NewTopic(topic, 3, 1)])[topic].result(30)
    with own_world(stack) as world:
        yield Desk(world, stack, tmp_path, topic)
    admin.delete_topics([topic])[topic].result(30)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.away()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.away()


@pytest.fixture
def alertmanager(tmp_path: Path, hook: Hook) -> Iterator[Alertmanager]:
    made = Alertmanager(alertmanager_program(load_one(LocalSettings).cache), tmp_path, hook.url("alertmanager"))
    yield made
    made.away()


def records(stack: Stack, topic: str) -> list[tuple[str, str]]:
    """Return alert and event of each record, partition by partition."""
    consumer = Consumer({**stack.kafka_settings.client_config(), "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for record in consumer.consume(1000, 0.5):
            step = decode(record.value() or b"")
            assert record.key() == step.alert_id.encode()
            found.append((step.alert_id, step.event))
    consumer.close()
    return found


def test_every_alert_arrives_once_and_ends_once_across_kills_and_an_outage(
    desk: Desk, stack: Stack, hook: Hook, mailbox: Mailbox, alertmanager: Alertmanager
) -> None:
    receivers = (hook, mailbox, alertmanager)
    desk.channels(
        hook_channel(hook),
        mail_channel(mailbox),
        {"name": "alertmanager", "kind": "alertmanager", "url": alertmanager.url, "resend_seconds": 2},
        {"name": "topic", "kind": "kafka"},
    )
    alerts = [new_alert() for _ in range(40)]
    randomness = random.Random(7)
    with ExitStack() as running:
        process = desk.start()
        running.callback(lambda: process.kill())  # noqa: PLW0108 - the process of that time
        until(desk.served)

        def happen() -> None:
            for alert_id in alerts:
                desk.happen(alert_id, "OPEN")
                time.sleep(0.25)

        happening = threading.Thread(target=happen)
        happening.start()
        kills = 0
        while happening.is_alive() or kills < 4:
            until(lambda: hook.requests)  # the first life gets to work
            time.sleep(randomness.uniform(2.0, 4.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            process = desk.start()
        for receiver in receivers:
            receiver.away()
        for alert_id in alerts[:20]:
            desk.happen(alert_id, "ESCALATED", "HIGH")
        time.sleep(OUTAGE_SECONDS)
        assert desk.told()["hook", "WAITING"] >= 20
        for receiver in receivers:
            receiver.back()
        until(desk.all_told, 60 + OUTAGE_SECONDS)
        until(lambda: hook.notified("firing").total() == 60)
        for alert_id in alerts:
            desk.happen(alert_id, "CLOSED", "HIGH" if alert_id in alerts[:20] else "LOW")
            if randomness.random() < 0.1:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                process = desk.start()
        until(desk.all_told, 60)
        until(lambda: hook.notified("resolved").total() >= 60)
        time.sleep(3)  # what would come twice would come now
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    expected = {f"{one}:OPEN" for one in alerts} | {f"{one}:CLOSED" for one in alerts}
    expected |= {f"{one}:ESCALATED:HIGH" for one in alerts[:20]}
    assert set(hook.keys()) == expected
    assert len(mailbox.ids()) == len(expected)
    kept = records(stack, desk.environment["VOLWATCH_KAFKA_ALERTS_TOPIC"])
    assert len(set(kept)) == len(expected)
    # One episode under LOW, for half of them one more under HIGH; each fires once and is resolved once.
    episodes = {one: 2 if one in alerts[:20] else 1 for one in alerts}
    assert (hook.notified("firing"), hook.notified("resolved")) == (episodes, episodes)
    # A kill between the receipt and its note makes one attempt more, under the same key: no more than one a kill.
    twice = {
        "web-hook": hook.keys().total() - len(expected),
        "mail": mailbox.ids().total() - len(expected),
        "topic": len(kept) - len(expected),
    }
    print(f"{kills} kills, {len(expected)} transitions, received again under the same key: {twice}")  # noqa: T201
    assert max(twice["web-hook"], twice["mail"]) <= kills


def test_a_web_hook_is_signed_and_holds_the_transition(desk: Desk, hook: Hook) -> None:
    desk.channels(hook_channel(hook))
    alert_id = new_alert()
    with desk.notifier():
        desk.happen(alert_id, "OPEN", "HIGH", symbol="ACME")
        until(lambda: len(hook.requests) == 1)
        until(desk.all_told)
    [(_, headers, body)] = hook.requests
    assert verify(SECRET, body, headers["X-Volwatch-Signature"], time.time())
    step = decode(body)
    assert (step.alert_id, step.event, step.severity, step.symbol) == (alert_id, "OPEN", "HIGH", "ACME")
    assert headers["Idempotency-Key"] == step.key == f"{alert_id}:OPEN"


def test_a_kill_between_receipt_and_note_sends_the_same_key_again(desk: Desk, hook: Hook, mailbox: Mailbox) -> None:
    desk.channels(hook_channel(hook), mail_channel(mailbox))
    process = desk.start()
    until(desk.served)
    struck = threading.Event()

    def strike(_path: str) -> None:
        if not struck.is_set():
            struck.set()
            process.kill()
            process.wait()

    hook.on_request = strike
    desk.happen(alert_id := new_alert(), "OPEN")
    until(struck.is_set)
    with desk.notifier():
        until(desk.all_told)
    assert hook.keys() == {f"{alert_id}:OPEN": 2}
    assert len(mailbox.ids()) == 1
