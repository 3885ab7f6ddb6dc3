"""The alert transition, which the notifier tells: one step in the life of an alert, and its codec.

On the topic ``alerts`` it is UTF-8 JSON under the key ``alert_id`` with the header ``v: 1``; a web-hook gets the same
bytes. ``alert_transition.schema.json`` beside this module is its JSON Schema. Numbers are those of the alert when the
transition was taken from the outbox.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import msgspec

RECORD_VERSION = "1"

Severity = Literal["LOW", "MEDIUM", "HIGH"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

OPENINGS = frozenset({"OPEN", "ESCALATED"})
ENDINGS = frozenset({"CLOSED", "RETRACTED", "SUPPRESSED"})
STATES = OPENINGS | ENDINGS


class AlertTransition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step in the life of an alert, or one act of a person on it.

    Attributes
    ----------
    key : str
        Idempotency key: the same step has the same key however often it is told.
    event_id : int
        Its place among all events; within an alert they are told in this order.
    alert_id : str
        The alert.
    event : str
        What happened: a state (OPEN, ESCALATED, CLOSED, RETRACTED, SUPPRESSED), CONFIRMED, or an act of a person.
    severity : str
        LOW, MEDIUM or HIGH, after the event.
    happened_at : int
        When it was written down, epoch milliseconds UTC.
    actor : str
        Which path, or which person.
    detail : str or None
        What a person said with it.
    source, symbol, kind, detector : str
        What the alert is about and who raised it; the symbol of an alert of the market is the calendar's name.
    onset_bar : int
        Start of the bar on which it began, epoch milliseconds UTC.
    statistic, threshold : float
        The largest statistic so far, and that at which it opened.
    volatility, expected_volatility, ratio : float or None
        Annualised decimals, of the bar and usual at this time of day, and how many times the usual.
    sentence : str
        Why, in one sentence.
    market_alert_id : str or None
        The alert of the market that it belongs to.
    """

    key: str
    event_id: int
    alert_id: str
    event: str
    severity: Severity
    happened_at: int
    actor: str
    detail: str | None
    source: str
    symbol: str
    kind: str
    detector: str
    onset_bar: int
    statistic: float
    threshold: float
    volatility: float | None
    expected_volatility: float | None
    ratio: float | None
    sentence: str
    market_alert_id: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A transition on its way to one channel.

    Attributes
    ----------
    transition : AlertTransition
        What is told.
    group_key : str
        The alert of the market that it belongs to or is; empty: none.
    queued_at : datetime
        When it happened, as far as waiting is concerned.
    message_id : str or None
        The message that it was put into at an earlier attempt.
    doubtful : bool
        An attempt began and nobody knows how it ended.
    attempts : int
        How often it was tried.
    fired : tuple of str
        Severities under which the channel was told of the alert before.
    """

    transition: AlertTransition
    group_key: str
    queued_at: datetime
    message_id: str | None = None
    doubtful: bool = False
    attempts: int = 0
    fired: tuple[Severity, ...] = ()


def idempotency_key(alert_id: str, event: str, severity: str, event_id: int, turn: int = 0) -> str:
    """Return the key of an event: alert and state, and what else tells two of one state apart.

    Parameters
    ----------
    turn : int
        How often the alert had ended before: one that stands again is told again.
    """
    again = f":{turn}" if turn else ""
    if event == "ESCALATED":
        return f"{alert_id}:{event}:{severity}{again}"
    return f"{alert_id}:{event}{again}" if event in STATES | {"CONFIRMED"} else f"{alert_id}:{event}:{event_id}"


def encode(transition: AlertTransition) -> bytes:
    """Return the JSON of a transition."""
    return msgspec.json.encode(transition)


def decode(value: bytes) -> AlertTransition:
    """Return the transition of its JSON; raise ``msgspec.MsgspecError`` where it is none."""
    return msgspec.json.decode(value, type=AlertTransition)


def json_schema() -> str:
    """Return the JSON Schema of the record, as shipped in ``alert_transition.schema.json``."""
    schema = msgspec.json.schema(AlertTransition)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
