"""Whatever Apprise knows: Slack, Teams, Telegram and a hundred more. It says only whether it went well."""

import logging
from collections.abc import Sequence

import apprise

from volwatch.alert_transition import SEVERITIES, AlertTransition, Severity
from volwatch.errors import Misconfigured, Transient
from volwatch.notifier.channels import AppriseChannel
from volwatch.notifier.message import Message, body, title

# It logs on its own account, and what it tells of a failure may hold what is secret in a URL.
logging.getLogger("apprise").addHandler(logging.NullHandler())
logging.getLogger("apprise").propagate = False

_KIND: dict[Severity, apprise.NotifyType] = {
    "LOW": apprise.NotifyType.INFO,
    "MEDIUM": apprise.NotifyType.WARNING,
    "HIGH": apprise.NotifyType.FAILURE,
}


class Chat:
    """The other end of a channel that Apprise serves."""

    refresh_seconds: float | None = None

    def __init__(self, service: apprise.Apprise, name: str) -> None:
        self._service = service
        self._name = name

    @classmethod
    def connect(cls, channel: AppriseChannel) -> "Chat":
        """Return the service that the URL means.

        Raises
        ------
        Misconfigured
            It means none.
        """
        service = apprise.Apprise(asset=apprise.AppriseAsset(secure_logging=True))
        if not service.add(channel.url.get_secret_value()):
            raise Misconfigured([f"channel {channel.name}: url: Apprise knows no service by it"])
        return cls(service, channel.name)

    def send(self, message: Message) -> None:
        """Tell the service."""
        worst = max((step.severity for step in message.steps), key=SEVERITIES.index)
        taken = self._service.notify(body(message), title(message), _KIND[worst], body_format=apprise.NotifyFormat.TEXT)
        if not taken:
            raise Transient(f"{self._name}: the service did not take it")

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Do nothing: it was told."""
