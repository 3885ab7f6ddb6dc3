from tests.unit.notifier.made import NOW, step
from volwatch.alert_transition import AlertTransition
from volwatch.notifier.channels import parse
from volwatch.notifier.distributor import address
from volwatch.warehouse.notifications import Addressed, Taken


def taken(transition: AlertTransition) -> Taken:
    return Taken(transition, "", NOW, told=True)


def test_each_transition_is_addressed_to_every_channel_that_wants_it() -> None:
    channels, faults = parse(
        [
            {"name": "all", "kind": "kafka"},
            {"name": "grave", "kind": "webhook", "url": "http://a", "min_severity": "HIGH"},
        ]
    )
    assert faults == []
    low, high, end = taken(step(1)), taken(step(2, severity="HIGH")), taken(step(1, "CLOSED", event_id=3))
    assert address([low, high, end], channels) == [
        Addressed("all", low, opened_first=False),
        Addressed("all", high, opened_first=False),
        Addressed("grave", high, opened_first=False),
        Addressed("all", end, opened_first=True),
        Addressed("grave", end, opened_first=True),
    ]
