import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.notifier.made import step
from volwatch.alert_transition import SEVERITIES, Severity
from volwatch.notifier.channels import (
    DEFAULT_CHANNELS,
    AlertmanagerChannel,
    AppriseChannel,
    Channel,
    KafkaChannel,
    MailChannel,
    WebhookChannel,
    after_opening,
    parse,
    wants,
)

HOOK = {"name": "risk", "kind": "webhook", "url": "https://risk.example.org/hook?token=s3cret"}
MAIL = {"name": "desk", "kind": "mail", "host": "mail.example.org", "from": "v@example.org", "to": ["d@example.org"]}


def channel(**more: object) -> Channel:
    channels, faults = parse([HOOK | more])
    assert faults == []
    return channels[0]


def test_every_kind_is_read() -> None:
    night = {"from": "22:00", "to": "07:00", "timezone": "Europe/Zurich", "unless": "HIGH"}
    channels, faults = parse(
        [
            {"name": "chat", "kind": "apprise", "url": "slack://a/b/c", "group_seconds": "30", "quiet_hours": night},
            MAIL,
            HOOK,
            {"name": "am", "kind": "alertmanager", "url": "http://alertmanager:9093"},
            {"name": "topic", "kind": "kafka", "min_severity": "HIGH", "sources": ["finnhub*"]},
        ]
    )
    assert faults == []
    kinds = [AppriseChannel, MailChannel, WebhookChannel, AlertmanagerChannel, KafkaChannel]
    assert [type(one) for one in channels] == kinds


def test_without_a_file_there_is_the_topic() -> None:
    assert [(one.name, one.kind) for one in DEFAULT_CHANNELS] == [("topic", "kafka")]


def test_all_faults_are_told_at_once_and_no_secret_among_them() -> None:
    channels, faults = parse(
        [
            HOOK | {"min_severity": "WORST", "secret": "short-s3cret", "quiet_hours": {}},
            MAIL | {"to": [], "password": ["s3cret"], "rate_per_minute": "0"},
            {"name": "x", "kind": "pigeon-s3cret"},
            "s3cret",
            HOOK | {"name": "web", "url": "ftp://s3cret"},
            {"name": "am", "kind": "alertmanager", "url": "http://am", "events": ["OPEN"]},
            HOOK | {"name": "twice"},
            HOOK | {"name": "twice"},
        ]
    )
    assert len(channels) == 2
    assert faults == [
        "channel 1 (risk): min_severity: Input should be 'LOW', 'MEDIUM' or 'HIGH'",
        "channel 1 (risk): secret: Value should have at least 16 items after validation, not 12",
        "channel 1 (risk): quiet_hours: Extra inputs are not permitted",
        "channel 2 (desk): rate_per_minute: Input should be greater than or equal to 1",
        "channel 2 (desk): password: Input should be a valid string",
        "channel 2 (desk): to: Tuple should have at least 1 item after validation, not 0",
        "channel 3 (x): kind: is none of apprise, mail, webhook, alertmanager, kafka",
        "channel 4: Input should be a valid dictionary or object to extract fields from",
        "channel 5 (web): url: is no http:// or https:// URL",
        "channel 6 (am): events: Tuple should have at least 5 items after validation, not 1",
        "twice: two channels have this name",
    ]
    assert "s3cret" not in "".join(faults).replace("pigeon-s3cret", "")


@pytest.mark.parametrize("document", [None, "", {}, [], {"channels": []}])
def test_what_is_no_list_of_channels_is_told(document: object) -> None:
    assert parse(document) == ([], ["is no list of channels"])


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, True),
        ({"min_severity": "MEDIUM"}, True),
        ({"min_severity": "HIGH"}, False),
        ({"kinds": ["VOLATILITY", "MARKET"]}, True),
        ({"kinds": ["MARKET"]}, False),
        ({"sources": ["sim*"]}, True),
        ({"sources": ["finnhub", "finnhub-quote"]}, False),
        ({"events": ["CLOSED"]}, False),
    ],
)
def test_an_opening_is_told_where_it_passes(more: dict[str, object], wanted: bool) -> None:
    assert wants(channel(**more), step(severity="MEDIUM")) is wanted


def test_an_end_waits_for_no_severity_but_for_the_opening() -> None:
    strict = channel(min_severity="HIGH")
    end = step(event="CLOSED", severity="LOW")
    assert wants(strict, end)
    assert after_opening(strict, end)
    ends_only = channel(events=["CLOSED"], min_severity="HIGH")
    assert not after_opening(ends_only, end)
    assert not wants(ends_only, end)


def test_acts_of_people_are_told_only_where_asked_for() -> None:
    note = step(event="ACKNOWLEDGED", actor="ann")
    assert not wants(channel(), note)
    assert wants(channel(events=["OPEN", "ACKNOWLEDGED"]), note)


def test_what_a_rebuild_finds_in_the_past_opens_nothing_and_ends_all_the_same() -> None:
    assert not wants(channel(), step(actor="rebuild"))
    assert wants(channel(), step(event="RETRACTED", actor="rebuild"))


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES))
def test_openings_are_told_from_a_severity_on(least: Severity, severity: Severity) -> None:
    told = wants(channel(min_severity=least), step(severity=severity))
    assert told is (SEVERITIES.index(severity) >= SEVERITIES.index(least))
