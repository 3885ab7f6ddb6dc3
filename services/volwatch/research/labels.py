"""The files of a scenario's labels: its events, and its manifest."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from volwatch.analytics.calendars import DAY_MS
from volwatch.analytics.trades import Int64
from volwatch.errors import BadInput
from volwatch.market.labels import Labels
from volwatch.research.options import Faults
from volwatch.research.tables import read_table

LABELS_FILE, MANIFEST_FILE = "labels.csv", "manifest.json"
COLUMNS = ("symbol", "scenario", "start_utc", "end_utc", "kind", "magnitude")


def read_labels(path: Path) -> Labels:
    """Return the labels of a directory, or of a ``labels.csv`` with its manifest beside it.

    Raises
    ------
    BadInput
        A file is missing or is not of this kind: all that is wrong with both.
    """
    if not path.exists():
        raise BadInput([f"{path}: there is no such directory or file of labels"])
    labels_path = path / LABELS_FILE if path.is_dir() else path
    faults = Faults()
    first_ms, days = 0, 1
    with faults.gathering():
        first_ms, days = _manifest(labels_path.with_name(MANIFEST_FILE))
    with faults.gathering():
        frame = read_table(labels_path, COLUMNS[:4], numbers=())
        start, end = (_times(frame[name]) for name in ("start_utc", "end_utc"))
        _judge(frame, start, end, labels_path)
    faults.tell()
    eventful = (frame["start_utc"] != "").to_numpy()
    held = {
        str(symbol): np.stack([start[rows], end[rows]], axis=1)[eventful[rows]]
        for symbol, rows in frame.groupby("symbol", sort=False).indices.items()
    }
    return Labels(dict(zip(frame["symbol"], frame["scenario"], strict=True)), held, first_ms, days)


def _manifest(path: Path) -> tuple[int, int]:
    """Return the first evaluation day in epoch ms, and the number of evaluation days."""
    if not path.is_file():
        raise BadInput([f"{path} is no file: labels need their manifest"])
    try:
        held: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput([f"{path} cannot be read: {error}"]) from error
    if not isinstance(held, dict):
        raise BadInput([f"{path} holds no JSON object"])
    faults = []
    first, days = held.get("first_eval_day"), held.get("eval_days")
    try:
        first_ms = (date.fromisoformat(str(first)) - date(1970, 1, 1)).days * DAY_MS
    except ValueError:
        first_ms = 0
        faults.append(f"{path}: first_eval_day is {first!r}, not a date such as 2026-01-19")
    if type(days) is not int or days < 1:
        faults.append(f"{path}: eval_days is {days!r}, not a whole number of at least 1")
    if faults:
        raise BadInput(faults)
    return first_ms, int(str(days))


def _times(column: pd.Series) -> Int64:
    """Return times in epoch ms; the least integer where there is none."""
    times = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601").dt.tz_localize(None)
    return times.to_numpy("datetime64[ms]").astype(np.int64)


def _judge(frame: pd.DataFrame, start: Int64, end: Int64, path: Path) -> None:
    """Raise ``BadInput`` with the first line of each fault."""
    none = np.iinfo(np.int64).min
    empty = ((frame["start_utc"] == "") & (frame["end_utc"] == "")).to_numpy()
    scenarios = frame.groupby("symbol")["scenario"].transform("nunique")
    checks = {
        "has no symbol": (frame["symbol"] == "").to_numpy(),
        "has a symbol of two scenarios": (scenarios > 1).to_numpy(),
        "has a start_utc or end_utc that is no ISO time": ~empty & ((start == none) | (end == none)),
        "has an end_utc before its start_utc": (end != none) & (start != none) & (end < start),
    }
    faults = [f"{path} row {int(np.argmax(wrong)) + 1} {what}" for what, wrong in checks.items() if wrong.any()]
    if faults:
        raise BadInput(faults)
