"""The other ends of all channels; the wiring of kinds to adapters."""

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from volwatch.errors import Misconfigured
from volwatch.notifier.alertmanager import Alertmanager
from volwatch.notifier.channels import (
    DEFAULT_CHANNELS,
    AlertmanagerChannel,
    Channel,
    KafkaChannel,
    MailChannel,
    WebhookChannel,
    parse,
)
from volwatch.notifier.mail import Mail
from volwatch.notifier.receiver import Receiver
from volwatch.notifier.webhook import Webhook
from volwatch.settings import KafkaSettings, load_one


def read_channels(file: Path | None) -> list[Channel]:
    """Return the channels of a YAML file, or those there are without one.

    Raises
    ------
    Misconfigured
        Lists all that is wrong with the file.
    """
    if file is None:
        return list(DEFAULT_CHANNELS)
    try:
        # Every scalar as text: YAML would take 22:00 for a number in base 60.
        document = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - it builds texts, nothing else
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured([f"{file}: {type(error).__name__}"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        raise Misconfigured([f"{file}{where}: is no YAML"]) from None
    channels, faults = parse(document)
    if faults:
        raise Misconfigured([f"{file}: {fault}" for fault in faults])
    return channels


def connect_all(channels: Sequence[Channel], now: Callable[[], float]) -> dict[str, Receiver]:
    """Return the other end of each channel by its name.

    Raises
    ------
    Misconfigured
        Lists all that cannot be.
    """
    receivers: dict[str, Receiver] = {}
    faults: list[str] = []
    for channel in channels:
        try:
            receivers[channel.name] = _connect(channel, now)
        except Misconfigured as error:
            faults += error.faults
    if faults:
        raise Misconfigured(faults)
    return receivers


def _connect(channel: Channel, now: Callable[[], float]) -> Receiver:
    if isinstance(channel, WebhookChannel):
        return Webhook(channel, now)
    if isinstance(channel, AlertmanagerChannel):
        return Alertmanager(channel, now)
    if isinstance(channel, MailChannel):
        return Mail(channel, now)
    if isinstance(channel, KafkaChannel):
        from volwatch.notifier.topic import Topic

        return Topic.connect(load_one(KafkaSettings))
    from volwatch.notifier.chat import Chat  # half a second, for those who want it

    return Chat.connect(channel)
