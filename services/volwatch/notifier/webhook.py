"""A program that takes transitions as JSON, one a request, with their idempotency key and a signature."""

from collections.abc import Callable, Sequence

from volwatch.alert_transition import RECORD_VERSION, AlertTransition, encode
from volwatch.notifier.channels import WebhookChannel
from volwatch.notifier.http import Poster
from volwatch.notifier.message import Message
from volwatch.notifier.signature import sign


class Webhook:
    """The other end of a web-hook.

    Parameters
    ----------
    now : callable
        The time of day, in epoch seconds: it is signed.
    """

    refresh_seconds: float | None = None

    def __init__(self, channel: WebhookChannel, now: Callable[[], float]) -> None:
        self._poster = Poster(channel.url.get_secret_value())
        self._secret = None if channel.secret is None else channel.secret.get_secret_value()
        self._now = now

    def send(self, message: Message) -> None:
        """Post each transition; a receiver takes one key once."""
        for step in message.steps:
            body = encode(step)
            headers = {"Idempotency-Key": step.key, "X-Volwatch-Version": RECORD_VERSION}
            if self._secret is not None:
                headers["X-Volwatch-Signature"] = sign(self._secret, body, int(self._now()))
            self._poster.post(body, headers)

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Do nothing: it was told."""
