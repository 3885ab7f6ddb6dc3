"""Prometheus' Alertmanager, version 2 of its API: an alert fires, is fired again as Prometheus does, and ends once."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from volwatch.alert_transition import OPENINGS, AlertTransition, Delivery, Severity
from volwatch.notifier.channels import AlertmanagerChannel
from volwatch.notifier.http import Poster
from volwatch.notifier.message import Message

ALERT_NAME = "VolwatchAlert"

# If we were gone for so many times, it ends what it was told of by itself.
_KEPT_RESENDS = 15
_MOST_AT_ONCE = 500


class Alertmanager:
    """The other end of a channel to Alertmanager.

    Parameters
    ----------
    now : callable
        The time of day, in epoch seconds.
    """

    def __init__(self, channel: AlertmanagerChannel, now: Callable[[], float]) -> None:
        self.refresh_seconds: float | None = channel.resend_seconds
        self._poster = Poster(channel.url.get_secret_value().rstrip("/") + "/api/v2/alerts")
        self._kept = timedelta(seconds=channel.resend_seconds * _KEPT_RESENDS)
        self._now = now

    def send(self, message: Message) -> None:
        """Fire what opened or rose; end what ended, and what rose under the severity it had before."""
        self._post([alert for delivery in message.deliveries for alert in self._alerts(delivery)])

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Fire again what has not ended."""
        self._post([self._fired(step) for step in firing])

    def _alerts(self, delivery: Delivery) -> Iterator[dict[str, Any]]:
        step = delivery.transition
        if step.event in OPENINGS:
            yield from (self._ended(step, severity) for severity in delivery.fired if severity != step.severity)
            yield self._fired(step)
        else:
            yield from (self._ended(step, severity) for severity in delivery.fired)

    def _fired(self, step: AlertTransition) -> dict[str, Any]:
        return self._alert(step, step.severity, self._kept)

    def _ended(self, step: AlertTransition, severity: Severity) -> dict[str, Any]:
        return self._alert(step, severity, timedelta(0))

    def _alert(self, step: AlertTransition, severity: Severity, kept: timedelta) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._now(), UTC)
        # A bar that a source dates ahead of our clock would begin after its end, which Alertmanager refuses.
        begin = min(now, datetime.fromtimestamp(step.onset_bar / 1000, UTC))
        return _alert(step, severity, begin, now + kept)

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        for first in range(0, len(alerts), _MOST_AT_ONCE):
            self._poster.post(msgspec.json.encode(alerts[first : first + _MOST_AT_ONCE]), {})


def _alert(step: AlertTransition, severity: Severity, begin: datetime, end: datetime) -> dict[str, Any]:
    """Return an alert as Alertmanager knows it: by its labels, so that another severity is another alert."""
    return {
        "labels": {
            "alertname": ALERT_NAME,
            "alert_id": step.alert_id,
            "kind": step.kind,
            "severity": severity.lower(),
            "source": step.source,
            "symbol": step.symbol,
        },
        "annotations": {"summary": f"{step.kind} {step.symbol}", "description": step.sentence},
        "startsAt": begin.isoformat(),
        "endsAt": end.isoformat(),
    }
