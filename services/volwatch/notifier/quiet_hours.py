"""The hours in which people are not told of what can wait. Pure."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from volwatch.alert_transition import SEVERITIES, Severity


class QuietHours(BaseModel):
    """Hours of each day, by the clock on a wall; a range that ends before it begins goes over midnight."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    begin: time = Field(alias="from")
    end: time = Field(alias="to")
    timezone: str = "UTC"
    unless: Severity | None = None

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is no time zone, such as Europe/Zurich") from error
        return name

    def at(self, now: datetime) -> bool:
        """Return whether a time is among them."""
        local = now.astimezone(ZoneInfo(self.timezone)).time()
        if self.begin <= self.end:
            return self.begin <= local < self.end
        return local >= self.begin or local < self.end

    def loud(self, now: datetime) -> tuple[Severity, ...] | None:
        """Return the severities that do not wait; None: none waits."""
        return tuple(one for one in SEVERITIES if not self.hold(one, now)) if self.at(now) else None

    def hold(self, severity: Severity, now: datetime) -> bool:
        """Return whether something of this severity waits until they are over."""
        loud = self.unless is not None and SEVERITIES.index(severity) >= SEVERITIES.index(self.unless)
        return not loud and self.at(now)
