"""The alerts of a filter as a file: all columns, one row an alert, safe to open in a spreadsheet."""

import pandas as pd

MOST_EXPORTED = 10_000

# A spreadsheet takes a text that begins so for a formula and computes it.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def alerts_csv(alerts: pd.DataFrame) -> bytes:
    """Return alerts as CSV, in UTF-8, with times in UTC."""
    made_safe = alerts.copy()
    for name in alerts.select_dtypes(include=["object", "string"]).columns:
        made_safe[name] = alerts[name].map(_as_text)
    return made_safe.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%SZ", lineterminator="\n").encode()


def _as_text(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) else value
