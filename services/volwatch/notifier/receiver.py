"""What a channel's other end looks like to the notifier."""

from collections.abc import Sequence
from typing import Protocol

from volwatch.alert_transition import AlertTransition
from volwatch.errors import VolwatchError
from volwatch.notifier.message import Message


class Refused(VolwatchError):
    """A receiver says that it will never take this message, though it takes others: set it aside, go on."""


class Receiver(Protocol):
    """Where messages go."""

    @property
    def refresh_seconds(self) -> float | None:
        """How often it must hear of what has not ended; None: never."""

    def send(self, message: Message) -> None:
        """Return when the other end has the message.

        Raises
        ------
        Transient
            It has not, as far as we know; no secret is in the text.
        Refused
            It never will.
        """

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Tell of all that has not ended; raise as ``send`` does."""
