from pathlib import Path

import pytest

from volwatch.errors import Misconfigured
from volwatch.notifier.channels import DEFAULT_CHANNELS
from volwatch.notifier.quiet_hours import QuietHours
from volwatch.notifier.receivers import connect_all, read_channels


def channels_file(folder: Path, text: str) -> Path:
    file = folder / "channels.yaml"
    file.write_text(text)
    return file


def test_a_file_is_read_with_hours_as_people_write_them(tmp_path: Path) -> None:
    text = """
- name: desk
  kind: apprise
  url: json://localhost/
  group_seconds: 30
  quiet_hours: {from: 22:00, to: 07:00, timezone: Europe/Zurich, unless: HIGH}
"""
    [channel] = read_channels(channels_file(tmp_path, text))
    assert channel.kind == "apprise"
    assert channel.group_seconds == 30
    night = {"from": "22:00", "to": "07:00", "timezone": "Europe/Zurich", "unless": "HIGH"}
    assert channel.quiet_hours == QuietHours.model_validate(night)


def test_without_a_file_the_topic_is_told() -> None:
    assert read_channels(None) == list(DEFAULT_CHANNELS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- {name: s3cret", "line 1: is no YAML"),
        ("[]", ": is no list of channels"),
        ("- {name: a, kind: webhook}", ": channel 1 (a): url: Field required"),
        ("- {name: a, kind: kafka, more: s3cret}", ": channel 1 (a): more: Extra inputs are not permitted"),
    ],
)
def test_a_bad_file_is_refused_without_what_is_in_it(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_channels(channels_file(tmp_path, text))
    [told] = caught.value.faults
    assert told.endswith(fault)
    assert "s3cret" not in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.yaml: FileNotFoundError"):
        read_channels(tmp_path / "none.yaml")


def test_all_channels_that_cannot_be_are_named_without_their_urls(tmp_path: Path) -> None:
    text = "[{name: a, kind: apprise, url: 's3cret://x'}, {name: b, kind: apprise, url: 's3cret'}]"
    with pytest.raises(Misconfigured) as caught:
        connect_all(read_channels(channels_file(tmp_path, text)), lambda: 0.0)
    assert caught.value.faults == [f"channel {name}: url: Apprise knows no service by it" for name in "ab"]
