"""Transitions for the tests of the notifier."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from volwatch.alert_transition import AlertTransition, Delivery, Severity, idempotency_key

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


def step(
    alert: int = 1, event: str = "OPEN", severity: Severity = "LOW", event_id: int | None = None, **changes: object
) -> AlertTransition:
    """Return a transition of an alert, which is named by a number."""
    alert_id = f"00000000-0000-0000-0000-{alert:012d}"
    place = alert if event_id is None else event_id
    made = AlertTransition(
        key=idempotency_key(alert_id, event, severity, place),
        event_id=place,
        alert_id=alert_id,
        event=event,
        severity=severity,
        happened_at=round(NOW.timestamp() * 1000),
        actor="pipeline",
        detail=None,
        source="simulator",
        symbol=f"S{alert}",
        kind="VOLATILITY",
        detector="range",
        onset_bar=round(NOW.timestamp() * 1000),
        statistic=5.0,
        threshold=3.8,
        volatility=0.4,
        expected_volatility=0.1,
        ratio=4.0,
        sentence=f"S{alert} moved",
        market_alert_id=None,
    )
    return replace(made, **changes)


def delivery(
    transition: AlertTransition,
    *,
    group: str = "",
    age_seconds: float = 0.0,
    message_id: str | None = None,
    doubtful: bool = False,
    fired: Sequence[Severity] = (),
) -> Delivery:
    queued_at = NOW - timedelta(seconds=age_seconds)
    attempts = 0 if message_id is None else 1
    return Delivery(transition, group, queued_at, message_id, doubtful, attempts, tuple(fired))
