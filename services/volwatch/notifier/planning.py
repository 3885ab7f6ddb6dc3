"""What of that which waits for a channel goes out now, and in which messages. Pure.

An alert's later step never overtakes an earlier one: what may not wait takes along what was held of the same alert.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from volwatch.alert_transition import Delivery
from volwatch.notifier.channels import AlertmanagerChannel, Channel, KafkaChannel, WebhookChannel
from volwatch.notifier.message import Message
from volwatch.notifier.quiet_hours import QuietHours

_MINUTE = timedelta(minutes=1)
_MOST_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """How a channel wants to be told.

    Attributes
    ----------
    together : bool
        Several transitions fit into one message.
    one_an_alert : bool
        But of each alert only one, and one message at a time: what the next one says follows from what was sent.
    group_seconds : float
        How long what comes is gathered.
    """

    together: bool
    one_an_alert: bool = False
    group_seconds: float = 0.0
    rate_per_minute: int | None = None
    quiet_hours: QuietHours | None = None


def policy_of(channel: Channel) -> Policy:
    """Return how a channel wants to be told."""
    rate = channel.rate_per_minute
    if isinstance(channel, WebhookChannel):
        return Policy(together=False, rate_per_minute=rate)
    if isinstance(channel, KafkaChannel):
        return Policy(together=True, rate_per_minute=rate)
    if isinstance(channel, AlertmanagerChannel):
        # Of an opening and an end in one request it would keep the end alone.
        return Policy(together=True, one_an_alert=True, rate_per_minute=rate)
    return Policy(False, False, channel.group_seconds, rate, channel.quiet_hours)


def plan(policy: Policy, waiting: Sequence[Delivery], sent: Sequence[datetime], now: datetime) -> list[Message]:
    """Return the messages that go out now, in their order.

    Parameters
    ----------
    waiting : sequence of Delivery
        What was not told yet, in the order of events.
    sent : sequence of datetime
        When the messages of the last minute went out.
    """
    begun = _begun(waiting)
    loud = _loud(policy.quiet_hours, [one for one in waiting if one.message_id is None], now)
    messages = [*begun, *_messages(policy, loud, now)]
    if policy.one_an_alert:
        messages = messages[:1]
    if policy.rate_per_minute is None:
        return messages
    room = max(0, policy.rate_per_minute - sum(at > now - _MINUTE for at in sent))
    return _fit(messages, len(begun), room, gather=policy.group_seconds > 0)


def _begun(waiting: Sequence[Delivery]) -> list[Message]:
    """Return messages that were tried before: the same again, so that whoever has one already knows it."""
    tried: dict[str, list[Delivery]] = {}
    for delivery in waiting:
        if delivery.message_id is not None:
            tried.setdefault(delivery.message_id, []).append(delivery)
    return [Message(tuple(parts)) for parts in tried.values()]


def _loud(quiet_hours: QuietHours | None, fresh: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Return what may go out at this hour."""
    if quiet_hours is None or not quiet_hours.at(now):
        return list(fresh)
    loud: set[str] = set()
    chosen = []
    for delivery in reversed(fresh):
        step = delivery.transition
        if step.alert_id in loud or not quiet_hours.hold(step.severity, now):
            loud.add(step.alert_id)
            chosen.append(delivery)
    return chosen[::-1]


def _messages(policy: Policy, loud: Sequence[Delivery], now: datetime) -> list[Message]:
    if policy.group_seconds > 0:
        return _grouped(loud, now, timedelta(seconds=policy.group_seconds))
    if policy.together:
        return list(_gathered(loud, one_an_alert=policy.one_an_alert))
    return [Message((delivery,)) for delivery in loud]


def _grouped(loud: Sequence[Delivery], now: datetime, window: timedelta) -> list[Message]:
    """Return groups whose first part has waited long enough: of each alert of the market, and of all others."""
    groups: dict[str, list[Delivery]] = {}
    group_of: dict[str, str] = {}  # of an alert: the market may have come between its steps
    for delivery in loud:
        group = group_of.setdefault(delivery.transition.alert_id, delivery.group_key)
        groups.setdefault(group, []).append(delivery)
    ripe = [parts for parts in groups.values() if min(one.queued_at for one in parts) <= now - window]
    return [Message(tuple(piece)) for parts in ripe for piece in _pieces(parts)]


def _gathered(loud: Sequence[Delivery], *, one_an_alert: bool) -> Iterator[Message]:
    gathered: list[Delivery] = []
    alerts: set[str] = set()
    for delivery in loud:
        alert_id = delivery.transition.alert_id
        if len(gathered) == _MOST_TOGETHER or (one_an_alert and alert_id in alerts):
            yield Message(tuple(gathered))
            gathered, alerts = [], set()
        gathered.append(delivery)
        alerts.add(alert_id)
    if gathered:
        yield Message(tuple(gathered))


def _fit(messages: list[Message], begun: int, room: int, *, gather: bool) -> list[Message]:
    """Return as many messages as there is room for; the last one gathers what else can be told with it."""
    if not gather or len(messages) <= room or room <= begun:
        return messages[:room]
    rest = sorted(
        (delivery for message in messages[room - 1 :] for delivery in message.deliveries),
        key=lambda delivery: delivery.transition.event_id,
    )
    return [*messages[: room - 1], Message(tuple(rest[:_MOST_TOGETHER]))]


def _pieces(parts: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    left = iter(parts)
    while piece := list(islice(left, _MOST_TOGETHER)):
        yield piece
