from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.notifier.made import NOW, delivery, step
from volwatch.alert_transition import SEVERITIES, Delivery
from volwatch.notifier.channels import Channel, parse
from volwatch.notifier.message import Message
from volwatch.notifier.planning import Policy, plan, policy_of
from volwatch.notifier.quiet_hours import QuietHours

# NOW is 15:00Z.
SIESTA = QuietHours.model_validate({"from": "14:00", "to": "16:00", "unless": "HIGH"})
EACH = Policy(together=False)


def told(messages: Sequence[Message]) -> list[list[int]]:
    """Return the events of each message."""
    return [[one.event_id for one in message.steps] for message in messages]


def planned(policy: Policy, *waiting: Delivery, sent: int = 0) -> list[list[int]]:
    return told(plan(policy, waiting, [NOW - timedelta(seconds=30)] * sent, NOW))


def opened(*alerts: int, group: str = "", age_seconds: float = 0.0) -> list[Delivery]:
    return [delivery(step(alert), group=group, age_seconds=age_seconds) for alert in alerts]


def test_each_goes_by_itself_in_the_order_of_events() -> None:
    assert planned(EACH, *opened(1, 2, 3)) == [[1], [2], [3]]


def test_a_topic_takes_a_hundred_at_once() -> None:
    waiting = opened(*range(1, 251))
    assert [len(events) for events in planned(Policy(together=True), *waiting)] == [100, 100, 50]


def test_alertmanager_never_gets_an_opening_and_its_end_at_once() -> None:
    policy = Policy(together=True, one_an_alert=True)
    end = delivery(step(1, "CLOSED", event_id=3))
    assert planned(policy, *opened(1, 2), end) == [[1, 2]]
    assert planned(policy, end) == [[3]]


def test_a_group_goes_out_when_its_first_part_has_waited_long_enough() -> None:
    policy = Policy(together=False, group_seconds=30)
    assert planned(policy, *opened(1, age_seconds=29), *opened(2)) == []
    assert planned(policy, *opened(1, age_seconds=30), *opened(2)) == [[1, 2]]


def test_the_alerts_of_a_market_are_one_message_and_others_another() -> None:
    policy = Policy(together=False, group_seconds=30)
    wave = opened(1, 3, 4, group="market", age_seconds=40)
    alone = opened(2, age_seconds=40)
    assert planned(policy, wave[0], *alone, *wave[1:]) == [[1, 3, 4], [2]]


def test_an_alert_stays_in_the_group_in_which_its_first_step_waits() -> None:
    policy = Policy(together=False, group_seconds=30)
    other = delivery(step(2), group="market", age_seconds=31)
    first = delivery(step(1), age_seconds=31)
    later = delivery(step(1, "CLOSED", event_id=3), group="market")
    assert planned(policy, first, other, later) == [[1, 3], [2]]


def test_in_quiet_hours_what_is_grave_goes_out_and_takes_along_what_was_held_of_its_alert() -> None:
    policy = Policy(together=False, quiet_hours=SIESTA)
    grave = delivery(step(1, "ESCALATED", "HIGH", event_id=3))
    assert planned(policy, *opened(1, 2), grave) == [[1], [3]]
    assert told(plan(policy, [*opened(1, 2), grave], [], NOW + timedelta(hours=1))) == [[1], [2], [3]]


def test_more_messages_than_the_rate_allows_wait() -> None:
    policy = Policy(together=False, rate_per_minute=3)
    assert planned(policy, *opened(1, 2, 3, 4, 5)) == [[1], [2], [3]]
    assert planned(policy, *opened(1, 2, 3, 4, 5), sent=2) == [[1]]
    assert planned(policy, *opened(1), sent=3) == []
    assert told(plan(policy, opened(1), [NOW - timedelta(seconds=61)] * 3, NOW)) == [[1]]


def test_where_things_are_gathered_the_last_message_takes_what_there_is_no_other_room_for() -> None:
    policy = Policy(together=False, group_seconds=1, rate_per_minute=2)
    waiting = [one for group in "abc" for one in opened(ord(group), ord(group) + 10, group=group, age_seconds=5)]
    assert planned(policy, *waiting) == [[97, 107], [98, 99, 108, 109]]


def test_what_was_tried_goes_first_and_as_it_was() -> None:
    policy = Policy(together=False, group_seconds=30, quiet_hours=SIESTA)
    tried = [delivery(step(alert), message_id="m") for alert in (2, 5)]
    assert planned(policy, *opened(1), tried[0], *opened(3), tried[1]) == [[2, 5]]
    [message] = plan(policy, tried, [], NOW)
    assert message.message_id == "m"


@pytest.mark.parametrize(
    ("more", "policy"),
    [
        ({"kind": "webhook", "url": "http://a"}, Policy(False)),
        ({"kind": "kafka"}, Policy(True)),
        ({"kind": "alertmanager", "url": "http://a"}, Policy(True, True)),
        ({"kind": "apprise", "url": "json://a", "group_seconds": 5}, Policy(False, False, 5, 20)),
    ],
)
def test_a_kind_has_its_policy(more: dict[str, object], policy: Policy) -> None:
    channels: list[Channel] = parse([{"name": "one", **more}])[0]
    assert policy_of(channels[0]) == policy


policies = st.builds(
    Policy,
    together=st.booleans(),
    group_seconds=st.sampled_from([0, 30]),
    rate_per_minute=st.none() | st.integers(1, 5),
    quiet_hours=st.none() | st.just(SIESTA),
)
waits = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["OPEN", "ESCALATED", "CLOSED"]),
        st.sampled_from(SEVERITIES),
        st.sampled_from(["", "market"]),
        st.integers(0, 60),
    ),
    max_size=20,
)


@given(policies, waits)
def test_nothing_is_lost_doubled_or_overtaken(policy: Policy, rows: list[tuple[int, str, str, str, int]]) -> None:
    waiting = [
        delivery(step(alert, event, severity, event_id=place), group=group, age_seconds=age - place / 100)  # type: ignore[arg-type]
        for place, (alert, event, severity, group, age) in enumerate(rows)
    ]
    left, out = list(waiting), []
    at = NOW
    # The hours of silence end, windows close, minutes begin: in the end all is told.
    for _ in range(30):
        for message in plan(policy, left, [], at):
            out += list(message.deliveries)
            left = [one for one in left if one not in message.deliveries]
        at += timedelta(hours=1)
    assert left == []
    assert sorted(one.transition.event_id for one in out) == list(range(len(rows)))
    for alert in {one.transition.alert_id for one in out}:
        steps = [one.transition.event_id for one in out if one.transition.alert_id == alert]
        assert steps == sorted(steps)
