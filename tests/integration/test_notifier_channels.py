"""What the notifier tells, to whom and when: on a real PostgreSQL and receivers of the test's own."""

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.notifying import Desk, Hook, Mailbox, hook_channel, mail_channel, new_alert, until
from tests.integration.worlds import APPLICATION_NAME, own_world
from volwatch.local.ports import LOOPBACK
from volwatch.local.stack import ROLES, Stack
from volwatch.notifier.channels import parse
from volwatch.notifier.distributor import distribute
from volwatch.warehouse import notifications
from volwatch.warehouse.connection import connect
from volwatch.warehouse.reader import open_reader


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.away()


@pytest.fixture
def desk(stack: Stack, tmp_path: Path, hook: Hook) -> Iterator[Desk]:
    hook.requests.clear()
    hook.status = 200
    with own_world(stack) as world:
        yield Desk(world, stack, tmp_path, "alerts")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.away()


def metrics(desk: Desk) -> str:
    with urllib.request.urlopen(f"http://{LOOPBACK}:{desk.port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_a_channel_is_told_of_what_it_wants_and_of_the_end_of_what_it_was_told_of(desk: Desk, hook: Hook) -> None:
    low, high, hushed, past, other = (new_alert() for _ in range(5))
    desk.channels(hook_channel(hook, min_severity="MEDIUM", kinds=["VOLATILITY"]))
    with desk.notifier():
        desk.happen(low, "OPEN", "LOW")
        desk.happen(high, "OPEN", "HIGH")
        desk.happen(hushed, "OPEN", "HIGH", state="SUPPRESSED")
        desk.happen(past, "OPEN", "HIGH", actor="rebuild")
        desk.happen(other, "OPEN", "HIGH", kind="REOPEN")
        desk.happen(high, "CONFIRMED", "HIGH", state="OPEN")
        until(desk.all_told)
        for alert_id in (low, high, hushed, past, other):
            desk.happen(alert_id, "CLOSED", "LOW", kind="REOPEN" if alert_id == other else "VOLATILITY")
        until(lambda: len(hook.requests) == 2)
        until(desk.all_told)
    assert list(hook.keys()) == [f"{high}:OPEN", f"{high}:CLOSED"]
    assert desk.told() == {("hook", "SENT"): 2, ("hook", "SUPPRESSED"): 1}


def test_an_alert_that_stands_again_is_told_again_and_a_silenced_one_is_not(
    stack: Stack, desk: Desk, hook: Hook
) -> None:
    again, hushed = new_alert(), new_alert()
    desk.channels(hook_channel(hook))
    dashboard = stack.postgres.settings(ROLES["dashboard"], desk.world.warehouse.database)
    with closing(connect(dashboard, application_name=APPLICATION_NAME)) as connection, connection:
        connection.cursor().execute(
            "SELECT silence_alerts('ada', 'a test', NULL, %s, NULL, NULL, now() + interval '1 hour')", (hushed[:8],)
        )
    with desk.notifier():
        desk.happen(hushed, "OPEN")
        for event in ("OPEN", "RETRACTED", "OPEN", "CLOSED"):
            desk.happen(again, event)
            until(desk.all_told)
    assert list(hook.keys()) == [f"{again}:OPEN", f"{again}:RETRACTED", f"{again}:OPEN:1", f"{again}:CLOSED:1"]


def test_a_wave_of_the_market_is_one_mail(desk: Desk, mailbox: Mailbox) -> None:
    market, *members = (new_alert() for _ in range(4))
    desk.channels(mail_channel(mailbox, group_seconds=2))
    with desk.notifier():
        desk.happen(market, "OPEN", kind="MARKET", symbol="XNYS")
        for place, member in enumerate(members):
            desk.happen(member, "OPEN", "HIGH", symbol=f"S{place}", market=market)
        until(desk.all_told)
    [mail] = mailbox.mails
    assert mail["Subject"] == "LOW MARKET XNYS and 3 more"
    body = mail.get_content().split()
    assert [f"S{place}" in body for place in range(3)] == [True] * 3


def test_quiet_hours_hold_what_can_wait_and_the_rate_what_is_too_much(desk: Desk, hook: Hook, mailbox: Mailbox) -> None:
    now = datetime.now(UTC)
    hours = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}", "unless": "HIGH"}
    desk.channels(mail_channel(mailbox, quiet_hours=hours), hook_channel(hook, rate_per_minute=2))
    low, rising, high = (new_alert() for _ in range(3))
    with desk.notifier():
        desk.happen(low, "OPEN")
        desk.happen(rising, "OPEN")
        desk.happen(high, "OPEN", "HIGH")
        desk.happen(rising, "ESCALATED", "HIGH")
        until(lambda: desk.told()["mail", "SENT"] == 3 and desk.told()["hook", "SENT"] == 2)
        time.sleep(2)
        assert desk.told() == {
            ("mail", "SENT"): 3,
            ("mail", "WAITING"): 1,
            ("hook", "SENT"): 2,
            ("hook", "WAITING"): 2,
        }
    assert [mail.get_content().split()[0] for mail in mailbox.mails] == ["OPEN", "OPEN", "ESCALATED"]


def test_what_is_held_hides_neither_what_is_grave_nor_what_was_tried(desk: Desk, hook: Hook) -> None:
    channels, faults = parse([hook_channel(hook)])
    assert faults == []
    low, tried, high = (new_alert() for _ in range(3))
    with notifications.session(desk.warehouse) as connection:
        notifications.serve(connection, [("hook", "webhook")])
        for alert_id, severity in ((low, "LOW"), (tried, "LOW"), (high, "HIGH")):
            desk.happen(alert_id, "OPEN", severity)
        assert distribute(connection, channels) == 3

        def first(loud: tuple[str, ...] | None) -> str:
            return notifications.waiting(connection, "hook", 1, loud)[0].transition.alert_id

        assert (first(None), first(("HIGH",))) == (low, high)
        notifications.claim(connection, "hook", "m", [f"{tried}:OPEN"])
        assert (first(None), first(("HIGH",))) == (tried, tried)
        [held, *_] = notifications.waiting(connection, "hook", 9, ())
        assert (held.message_id, held.doubtful, held.attempts) == ("m", True, 1)
        notifications.settle(connection, "hook", "m", "SENT")
        assert notifications.waiting(connection, "hook", 9, ()) == []
        assert notifications.waiting_rows(connection, "hook") == 2
        assert [one.alert_id for one in notifications.firing(connection, "hook")] == [tried]


def test_a_dead_channel_is_seen_holds_nothing_up_and_loses_nothing(
    desk: Desk, stack: Stack, hook: Hook, mailbox: Mailbox
) -> None:
    desk.channels(hook_channel(hook, url=hook.url("s3cret")), mail_channel(mailbox))
    hook.status = 503
    with desk.notifier():
        desk.happen(alert_id := new_alert(), "OPEN")
        until(lambda: desk.told()["mail", "SENT"] == 1)
        until(lambda: 'volwatch_notifier_channel_up{channel="hook"} 0.0' in metrics(desk), 40)
        told = metrics(desk)
        assert 'volwatch_notifier_queue_rows{channel="hook"} 1.0' in told
        assert 'volwatch_notifier_channel_up{channel="mail"} 1.0' in told
        assert 'volwatch_notifier_sent_total{channel="mail",outcome="sent"} 1.0' in told
        settings = stack.postgres.settings(ROLES["dashboard"], desk.world.warehouse.database)
        with closing(open_reader(settings, connections=1, application_name=APPLICATION_NAME)) as reader:
            channels = reader.channels().set_index("channel")
        assert channels["up"].to_dict() == {"hook": False, "mail": True}
        assert channels["waiting"].to_dict() == {"hook": 1, "mail": 0}
        assert channels.loc["hook", "last_error"] == f"{LOOPBACK}:{hook.port}: HTTP 503"
    # The next life does not know how long to wait, and finds what was left.
    hook.status = 200
    with desk.notifier():
        until(desk.all_told)
    assert hook.keys("s3cret")[f"{alert_id}:OPEN"] >= 6
    assert "s3cret" not in desk.log.read_text()


def test_a_message_that_is_refused_for_good_is_set_aside_and_the_next_goes_out(desk: Desk, hook: Hook) -> None:
    desk.channels(hook_channel(hook))
    hook.status = 422
    first, second = new_alert(), new_alert()
    with desk.notifier():
        desk.happen(first, "OPEN")
        until(lambda: desk.told()["hook", "REFUSED"] == 1)
        hook.status = 200
        desk.happen(second, "OPEN")
        until(desk.all_told)
    assert hook.keys() == {f"{first}:OPEN": 1, f"{second}:OPEN": 1}


def test_a_new_channel_tells_nothing_of_the_past(desk: Desk, hook: Hook) -> None:
    desk.happen(past := new_alert(), "OPEN")
    desk.channels(hook_channel(hook))
    with desk.notifier():
        until(desk.all_told)
        desk.happen(now := new_alert(), "OPEN")
        until(lambda: len(hook.requests) > 0)
        desk.happen(past, "CLOSED")
        until(desk.all_told)
    assert list(hook.keys()) == [f"{now}:OPEN"]


def test_a_second_notifier_stands_by_and_takes_over(desk: Desk, hook: Hook) -> None:
    desk.channels(hook_channel(hook))
    alerts = [new_alert() for _ in range(4)]
    first = desk.start()
    until(desk.served)
    second = desk.start(port=0)
    try:
        desk.happen(alerts[0], "OPEN")
        until(desk.all_told)
        until(lambda: desk.log.read_text().count("notifier_started") == 2)
        desk.happen(alerts[1], "OPEN")
        until(desk.all_told)
        assert desk.log.read_text().count("notifier_active") == 1
        first.send_signal(signal.SIGKILL)
        first.wait()
        for alert_id in alerts[2:]:
            desk.happen(alert_id, "OPEN")
        until(desk.all_told)
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    assert hook.keys() == {f"{alert_id}:OPEN": 1 for alert_id in alerts}


def test_what_apprise_knows_is_told_through_it(desk: Desk, hook: Hook) -> None:
    url = f"json://{LOOPBACK}:{hook.port}/chat"
    desk.channels({"name": "chat", "kind": "apprise", "url": url})
    with desk.notifier():
        desk.happen(new_alert(), "OPEN", "HIGH", symbol="ACME")
        until(desk.all_told)
    [(path, _, body)] = hook.requests
    told = json.loads(body)
    assert (path, told["title"], told["type"]) == ("chat", "HIGH VOLATILITY ACME", "failure")
    assert told["message"] == "OPEN HIGH simulator: ACME moved"


def test_what_nobody_takes_is_forgotten_and_what_is_open_is_not(desk: Desk, hook: Hook) -> None:
    desk.channels(hook_channel(hook))
    still_open, ended = new_alert(), new_alert()
    with desk.notifier():
        for alert_id in (still_open, ended):
            desk.happen(alert_id, "OPEN")
        desk.happen(ended, "CLOSED")
        until(desk.all_told)
    desk.happen(new_alert(), "OPEN")  # nobody is there
    with (
        closing(connect(desk.world.warehouse, application_name=APPLICATION_NAME)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        assert notifications.forget(cursor, datetime.now(UTC) - timedelta(days=1)) == 0
        assert notifications.forget(cursor, datetime.now(UTC) + timedelta(days=1)) == 3
    assert desk.select("SELECT key FROM notification_deliveries") == [(f"{still_open}:OPEN",)]
    assert desk.select("SELECT count(*) FROM notifications") == [(0,)]
