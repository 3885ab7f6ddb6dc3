import json
from collections.abc import Mapping

import pytest

from tests.unit.notifier.made import NOW, delivery, step
from volwatch.alert_transition import AlertTransition, Severity
from volwatch.notifier import alertmanager
from volwatch.notifier.alertmanager import Alertmanager
from volwatch.notifier.channels import AlertmanagerChannel
from volwatch.notifier.message import Message

NOW_TEXT = NOW.isoformat()
KEPT_TEXT = "2026-01-05T15:15:00+00:00"  # fifteen times a minute on


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    alerts: list[dict[str, object]] = []

    class Poster:
        def __init__(self, url: str) -> None:
            assert url == "http://alertmanager:9093/api/v2/alerts"

        def post(self, body: bytes, headers: Mapping[str, str]) -> None:
            alerts.extend(json.loads(body))

    monkeypatch.setattr(alertmanager, "Poster", Poster)
    return alerts


@pytest.fixture
def receiver(posted: list[dict[str, object]]) -> Alertmanager:
    channel = AlertmanagerChannel.model_validate(
        {"name": "am", "kind": "alertmanager", "url": "http://alertmanager:9093/"}
    )
    return Alertmanager(channel, NOW.timestamp)


def sent(receiver: Alertmanager, transition: AlertTransition, fired: tuple[Severity, ...] = ()) -> None:
    receiver.send(Message((delivery(transition, fired=fired),)))


def ends(posted: list[dict[str, object]]) -> list[tuple[str, object]]:
    return [(one["labels"]["severity"], one["endsAt"]) for one in posted]  # type: ignore[index]


def test_an_opening_fires_and_is_kept_for_a_while(receiver: Alertmanager, posted: list[dict[str, object]]) -> None:
    sent(receiver, step(1))
    assert posted == [
        {
            "labels": {
                "alertname": "VolwatchAlert",
                "alert_id": "00000000-0000-0000-0000-000000000001",
                "kind": "VOLATILITY",
                "severity": "low",
                "source": "simulator",
                "symbol": "S1",
            },
            "annotations": {"summary": "VOLATILITY S1", "description": "S1 moved"},
            "startsAt": NOW_TEXT,
            "endsAt": KEPT_TEXT,
        }
    ]


def test_a_rise_ends_what_fired_under_another_severity(receiver: Alertmanager, posted: list[dict[str, object]]) -> None:
    sent(receiver, step(1, "ESCALATED", "HIGH"), fired=("HIGH", "LOW"))
    assert ends(posted) == [("low", NOW_TEXT), ("high", KEPT_TEXT)]


@pytest.mark.parametrize("event", ["CLOSED", "RETRACTED", "SUPPRESSED"])
def test_an_end_ends_what_fired_whatever_its_own_severity(
    receiver: Alertmanager, posted: list[dict[str, object]], event: str
) -> None:
    sent(receiver, step(1, event, "MEDIUM"), fired=("HIGH", "LOW"))
    assert ends(posted) == [("high", NOW_TEXT), ("low", NOW_TEXT)]


def test_what_has_not_ended_fires_again(receiver: Alertmanager, posted: list[dict[str, object]]) -> None:
    receiver.refresh([step(alert) for alert in range(1, 1202)])
    assert {end for _, end in ends(posted)} == {KEPT_TEXT}
    assert len(posted) == 1201
