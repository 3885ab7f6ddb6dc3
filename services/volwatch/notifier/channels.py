"""The channels: to whom, of what, how and when to tell; and which transitions are theirs. Pure."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from volwatch.alert_transition import ENDINGS, OPENINGS, SEVERITIES, AlertTransition, Severity
from volwatch.notifier.quiet_hours import QuietHours

DEFAULT_EVENTS = ("OPEN", "ESCALATED", "CLOSED", "RETRACTED")

# A rebuild finds alerts of the past: nobody is to be called for them.
_OF_THE_PAST = "rebuild"

_Word = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,39}$")]
_Url = Annotated[SecretStr, Field(min_length=1)]


def _is_http(url: SecretStr) -> SecretStr:
    if re.fullmatch(r"https?://\S+", url.get_secret_value()) is None:
        raise ValueError("is no http:// or https:// URL")
    return url


_HttpUrl = Annotated[SecretStr, AfterValidator(_is_http)]


class _Channel(BaseModel):
    """What all kinds have.

    Attributes
    ----------
    name : str
        What it is called in metrics, on the dashboard, in the warehouse.
    min_severity : str
        Openings below it are not told.
    kinds, sources, events : tuple of str
        Of alerts, of data (with ``*``), of transitions; without kinds or sources all are told.
    rate_per_minute : int or None
        Most messages in a minute; what is too much waits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    min_severity: Severity = "LOW"
    kinds: tuple[_Word, ...] = ()
    sources: tuple[str, ...] = ()
    events: tuple[_Word, ...] = Field(DEFAULT_EVENTS, min_length=1)
    rate_per_minute: int | None = Field(None, ge=1)


class _People(_Channel):
    """Kinds that people read: what comes together is told in one message, and nights may be quiet."""

    rate_per_minute: int | None = Field(20, ge=1)
    group_seconds: float = Field(0, ge=0, le=86_400)
    quiet_hours: QuietHours | None = None


class AppriseChannel(_People):
    """Any service that Apprise knows. The URL holds its secrets."""

    kind: Literal["apprise"]
    url: _Url


class MailChannel(_People):
    """Mail through an SMTP server."""

    kind: Literal["mail"]
    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str = Field(alias="from", pattern=r"^[^\s@]+@[^\s@]+$")
    to: tuple[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")], ...] = Field(min_length=1)


class WebhookChannel(_Channel):
    """A program that takes JSON; each transition is a request of its own, signed where there is a secret."""

    kind: Literal["webhook"]
    url: _HttpUrl
    secret: Annotated[SecretStr, Field(min_length=16)] | None = None


class AlertmanagerChannel(_Channel):
    """Prometheus' Alertmanager. It hears of every opening again and again, so each end must be told, too."""

    kind: Literal["alertmanager"]
    url: _HttpUrl
    events: tuple[_Word, ...] = Field((*DEFAULT_EVENTS, "SUPPRESSED"), min_length=5, max_length=5)
    resend_seconds: float = Field(60, gt=0, le=3600)


class KafkaChannel(_Channel):
    """The topic of alerts."""

    kind: Literal["kafka"]


Channel = Annotated[
    AppriseChannel | MailChannel | WebhookChannel | AlertmanagerChannel | KafkaChannel, Field(discriminator="kind")
]
DEFAULT_CHANNELS: tuple[Channel, ...] = (KafkaChannel(name="topic", kind="kafka"),)

_ADAPTER: TypeAdapter[Channel] = TypeAdapter(Channel)
_KINDS = ("apprise", "mail", "webhook", "alertmanager", "kafka")


def parse(document: object) -> tuple[list[Channel], list[str]]:
    """Return the channels of a document, and all that is wrong with it; no fault repeats a value."""
    if not isinstance(document, list) or not document:
        return [], ["is no list of channels"]
    channels: list[Channel] = []
    faults: list[str] = []
    for place, entry in enumerate(document, 1):
        try:
            channels.append(_ADAPTER.validate_python(entry))
        except ValidationError as error:
            faults += [_fault(place, entry, detail["loc"], _words(detail)) for detail in error.errors()]
    names = [channel.name for channel in channels]
    twice = sorted({name for name in names if names.count(name) > 1})
    return channels, faults + [f"{name}: two channels have this name" for name in twice]


def _fault(place: int, entry: Any, location: Sequence[int | str], message: str) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    called = f"channel {place}" + (f" ({name})" if isinstance(name, str) else "")
    # The first word of a location is the kind that chose the model.
    where = ".".join(str(part) for part in (location[1:] if len(location) > 1 else location))
    return f"{called}: {where + ': ' if where else ''}{message.removeprefix('Value error, ')}"


def _words(detail: ErrorDetails) -> str:
    # Only of a kind that there is not would pydantic repeat what was given.
    return f"kind: is none of {', '.join(_KINDS)}" if detail["type"].startswith("union_tag") else detail["msg"]


def wants(channel: Channel, step: AlertTransition) -> bool:
    """Return whether a transition is the channel's to tell, if need be only ``after_opening``."""
    if step.event not in channel.events or not _is_about(channel, step):
        return False
    if step.event in OPENINGS:
        return step.actor != _OF_THE_PAST and _is_grave(channel, step)
    return after_opening(channel, step) or _is_grave(channel, step)


def after_opening(channel: Channel, step: AlertTransition) -> bool:
    """Return whether a transition is told only where its alert's opening was: an end that nobody waits for is noise."""
    return step.event in ENDINGS and not OPENINGS.isdisjoint(channel.events)


def _is_about(channel: Channel, step: AlertTransition) -> bool:
    of_source = not channel.sources or any(fnmatchcase(step.source, pattern) for pattern in channel.sources)
    return of_source and (not channel.kinds or step.kind in channel.kinds)


def _is_grave(channel: Channel, step: AlertTransition) -> bool:
    return SEVERITIES.index(step.severity) >= SEVERITIES.index(channel.min_severity)
