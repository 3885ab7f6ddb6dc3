"""The times that people give on a command line. Pure."""

import re
from datetime import datetime, timedelta

FORM = "an ISO time with its zone, as 2026-01-05T15:00Z"
DURATION_FORM = "a duration above 0 in days, hours and minutes, as 30m, 2h or 1d12h"
_DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?", re.ASCII)


def time_of(option: str, text: str | None, faults: list[str]) -> datetime | None:
    """Return the time that an option gives; None, with a fault where it gives none."""
    try:
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        found = None
    if text is not None and (found is None or found.tzinfo is None):
        faults.append(f"{option}: {FORM}, not {text!r}")
        return None
    return found


def duration_of(option: str, text: str | None, faults: list[str]) -> timedelta | None:
    """Return the duration that an option gives; None, with a fault where it gives none."""
    if text is None:
        return None
    matched = _DURATION.fullmatch(text)
    days, hours, minutes = (int(part or 0) for part in matched.groups()) if matched else (0, 0, 0)
    found = timedelta(days=days, hours=hours, minutes=minutes)
    if not found:
        faults.append(f"{option}: {DURATION_FORM}, not {text!r}")
        return None
    return found
