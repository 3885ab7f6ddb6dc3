"""The times that people give on a command line. Pure."""

from datetime import datetime

FORM = "an ISO time with its zone, as 2026-01-05T15:00Z"


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
