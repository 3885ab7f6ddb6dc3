from tests.unit.notifier.made import NOW, delivery, step
from volwatch.notifier.channels import MailChannel
from volwatch.notifier.mail import written
from volwatch.notifier.message import Message

CHANNEL = MailChannel.model_validate(
    {"name": "desk", "kind": "mail", "host": "mx", "from": "volwatch@example.org", "to": ["a@x.org", "b@x.org"]}
)


def test_a_mail_has_the_id_of_its_message() -> None:
    message = Message((delivery(step(1)),))
    mail = written(CHANNEL, message, NOW.timestamp())
    assert mail["Message-ID"] == f"<{message.message_id}@example.org>"
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "volwatch@example.org",
        "a@x.org, b@x.org",
        "LOW VOLATILITY S1",
    )
    assert mail["Date"] == "Mon, 05 Jan 2026 15:00:00 +0000"
    assert mail.get_content() == "OPEN LOW simulator: S1 moved\n"


def test_words_of_others_make_no_header_of_their_own() -> None:
    mail = written(CHANNEL, Message((delivery(step(1, symbol="A\nBcc: x@y.org")),)), NOW.timestamp())
    assert mail["Bcc"] is None
    assert mail["Subject"] == "LOW VOLATILITY A Bcc: x@y.org"
