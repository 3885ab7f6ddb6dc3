"""Small labelled sets, written by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

FIRST_DAY = "2026-01-19"
Event = tuple[str, str, str, str]
"""Symbol, scenario, start and end; the times are empty for a symbol without events."""


def write_labels(folder: Path, events: Sequence[Event], days: int = 5, first: str = FIRST_DAY) -> Path:
    """Write labels and their manifest into a folder, and return it."""
    folder.mkdir(exist_ok=True)
    rows = [f"{symbol},{scenario},{start},{end},{scenario},1" for symbol, scenario, start, end in events]
    lines = ["symbol,scenario,start_utc,end_utc,kind,magnitude", *rows]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    (folder / "manifest.json").write_text(json.dumps({"first_eval_day": first, "eval_days": days}))
    return folder


def write_alerts(path: Path, onsets: Sequence[tuple[str, str]]) -> Path:
    """Write a file of alerts, and return it."""
    path.write_text("\n".join(["symbol,ts_utc", *(f"{symbol},{time}" for symbol, time in onsets)]) + "\n")
    return path
