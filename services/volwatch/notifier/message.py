"""What is sent at once on a channel: transitions under one id, and their words for people. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from volwatch.alert_transition import SEVERITIES, AlertTransition, Delivery

_LISTED = 25
_EVENTS = {"OPEN": "", "ESCALATED": "now ", "CLOSED": "over: ", "RETRACTED": "taken back: "}
_DOUBTFUL = "Sent again: it is not known whether this arrived before."


@dataclass(frozen=True, slots=True)
class Message:
    """Deliveries that go out together, in the order of their events."""

    deliveries: tuple[Delivery, ...]

    @property
    def message_id(self) -> str:
        """The id of the message: that of an earlier attempt, or one that follows from what it tells."""
        first = self.deliveries[0]
        return first.message_id or hashlib.sha256("\n".join(self.keys).encode()).hexdigest()[:32]

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of what it tells."""
        return [delivery.transition.key for delivery in self.deliveries]

    @property
    def steps(self) -> list[AlertTransition]:
        """What it tells."""
        return [delivery.transition for delivery in self.deliveries]

    @property
    def doubtful(self) -> bool:
        """Whether it may have arrived already."""
        return any(delivery.doubtful for delivery in self.deliveries)


def title(message: Message) -> str:
    """Return one line: the gravest first, the alert of the market before those that belong to it."""
    first = _by_weight(message.steps)[0]
    more = len({step.alert_id for step in message.steps}) - 1
    told = f"{_EVENTS.get(first.event, first.event.lower() + ': ')}{first.severity} {first.kind} {first.symbol}"
    # One line, whatever a symbol is called: it becomes a header of a mail.
    return " ".join(told.split()) + (f" and {more} more" if more else "")


def body(message: Message) -> str:
    """Return a line for each alert, what is gravest first."""
    steps = _by_weight(message.steps)
    lines = [_line(step) for step in steps[:_LISTED]]
    if len(steps) > _LISTED:
        rest = ", ".join(sorted({step.symbol for step in steps[_LISTED:]})[:200])
        lines.append(f"and {len(steps) - _LISTED} more: {rest}")
    return "\n".join([*lines, *([_DOUBTFUL] if message.doubtful else [])])


def _line(step: AlertTransition) -> str:
    told = f"{step.event} {step.severity} {step.source}: {step.sentence}"
    return told if step.detail is None else f"{told} ({step.actor}: {step.detail})"


def _by_weight(steps: Sequence[AlertTransition]) -> list[AlertTransition]:
    return sorted(steps, key=lambda step: (step.kind != "MARKET", -SEVERITIES.index(step.severity), step.event_id))
