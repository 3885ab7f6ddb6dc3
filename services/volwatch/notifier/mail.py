"""Mail. A message that is sent again has the same Message-ID: mail programs and lists show it once.

Apprise sends mail, too, but under a new Message-ID each time.
"""

import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from volwatch.alert_transition import AlertTransition
from volwatch.errors import Transient
from volwatch.notifier.channels import MailChannel
from volwatch.notifier.message import Message, body, title
from volwatch.notifier.receiver import Refused

_TIMEOUT_SECONDS = 10.0


class Mail:
    """The other end of a channel to mailboxes.

    Parameters
    ----------
    now : callable
        The time of day, in epoch seconds.
    """

    refresh_seconds: float | None = None

    def __init__(self, channel: MailChannel, now: Callable[[], float]) -> None:
        self._channel = channel
        self._now = now

    def send(self, message: Message) -> None:
        """Hand one mail for all recipients to the server."""
        try:
            with self._connect() as client:
                client.send_message(written(self._channel, message, self._now()))
        except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as error:
            codes = _codes(error)
            text = f"{self._channel.host}: SMTP {codes}"
            raise Refused(text) if codes and min(codes) >= 500 else Transient(text)  # noqa: B904 - the cause quotes addresses
        except (smtplib.SMTPException, OSError) as error:
            code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
            raise Transient(f"{self._channel.host}: {type(error).__name__}{code}") from None

    def refresh(self, firing: Sequence[AlertTransition]) -> None:
        """Do nothing: it was told."""

    def _connect(self) -> smtplib.SMTP:
        channel = self._channel
        if channel.security == "tls":
            context = ssl.create_default_context()
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                channel.host, channel.port, timeout=_TIMEOUT_SECONDS, context=context
            )
        else:
            client = smtplib.SMTP(channel.host, channel.port, timeout=_TIMEOUT_SECONDS)
        if channel.security == "starttls":
            client.starttls(context=ssl.create_default_context())
        if channel.user is not None:
            client.login(channel.user, channel.password.get_secret_value() if channel.password else "")
        return client


def written(channel: MailChannel, message: Message, now: float) -> EmailMessage:
    """Return the mail that tells a message."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{message.message_id}@{channel.sender.rpartition('@')[2]}>"
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    mail["Subject"] = title(message)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body(message) + "\n")
    return mail


def _codes(error: smtplib.SMTPDataError | smtplib.SMTPRecipientsRefused) -> list[int]:
    if isinstance(error, smtplib.SMTPDataError):
        return [error.smtp_code]
    return [code for code, _ in error.recipients.values()]
