"""The detector against a labelled benchmark that others made: how much it finds, and how often it is wrong."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from volwatch.analytics.bars import BarTable, bar_key
from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, Annualisation, Calendar
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.engine import Engine
from volwatch.analytics.minutes import advance
from volwatch.analytics.state import add_series
from volwatch.analytics.trades import Int64

BENCHMARK = Path(__file__).parents[3] / "../shared/oracle/bench_A"
OPEN_MS = 14 * 3_600_000 + 30 * MINUTE_MS
GRACE_MS, TAIL_MS = 5 * MINUTE_MS, 20 * MINUTE_MS

pytestmark = pytest.mark.skipif(not BENCHMARK.is_dir(), reason="the labelled benchmark is not beside this checkout")


class Score(NamedTuple):
    """Labelled events, those that were found, and onsets that belong to none."""

    events: int
    hits: int
    false: int

    @property
    def precision(self) -> float:
        return self.hits / (self.hits + self.false)

    @property
    def recall(self) -> float:
        return self.hits / self.events


def epoch_ms(times: pd.Series) -> Int64:
    """Return times such as ``2026-01-05T14:30:00Z`` in epoch milliseconds."""
    return times.str.removesuffix("Z").to_numpy("datetime64[ms]").astype(np.int64)


def session_calendar(days: Int64) -> Calendar:
    """Return the benchmark's own sessions, 14:30 to 21:00 UTC."""
    opened = days * DAY_MS + OPEN_MS
    rules = Annualisation("US_RTH_1M", 98_280), Annualisation("US_DAILY", 252)
    return Calendar("bench", *rules, False, days, opened, opened + 390 * MINUTE_MS)


def bar_table(frame: pd.DataFrame, symbols: list[str]) -> BarTable:
    start = epoch_ms(frame["ts_utc"])
    series: Int64 = np.searchsorted(symbols, frame["symbol"].to_numpy(np.str_)).astype(np.int64)
    price = {name: frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close", "volume")}
    nothing = np.zeros(len(frame), np.int64)
    table = BarTable(
        key=bar_key(series, start),
        **price,
        notional=price["close"] * price["volume"],
        trades=frame["trades"].to_numpy(np.int64),
        first_time=start,
        last_time=start,
        first_offset=nothing,
        last_offset=nothing,
        revision=nothing,
        flags=nothing,
    )
    return table.take(np.argsort(table.key, kind="stable"))


def onsets_by_symbol() -> dict[str, Int64]:
    """Return the onset bars that the engine finds in each symbol's bars."""
    frame = pd.read_csv(BENCHMARK / "bars.csv.gz")
    symbols = sorted(frame["symbol"].unique())
    table = bar_table(frame, symbols)
    config = EngineConfig(calendars={"bench": session_calendar(np.unique(table.start // DAY_MS))})
    engine = Engine(config)
    add_series(engine.state, [("bench", symbol) for symbol in symbols], ["bench"] * len(symbols))
    made = advance(engine.state, table, config, np.ones(len(table), np.bool_), final=True)
    opened = np.flatnonzero(made.episodes.opened)
    series, start = made.signals.series[opened], made.signals.start[opened]
    return {symbol: start[series == index] for index, symbol in enumerate(symbols)}


def scored(onsets: dict[str, Int64]) -> Score:
    """Count: an onset within an event or its grace finds it, one in its tail is neither right nor wrong."""
    manifest = json.loads((BENCHMARK / "manifest.json").read_text("utf-8"))
    first_ms = int(np.datetime64(manifest["first_eval_day"], "ms").astype(np.int64))
    labels = pd.read_csv(BENCHMARK / "labels.csv").dropna(subset=["start_utc"])
    labels = labels.assign(start=epoch_ms(labels["start_utc"]), end=epoch_ms(labels["end_utc"]))
    hits, false = 0, 0
    for symbol, found in onsets.items():
        onset = found[found >= first_ms]
        claimed = np.zeros(len(onset), np.bool_)
        for start, end in labels.loc[labels["symbol"] == symbol, ["start", "end"]].to_numpy(np.int64):
            hits += bool(((onset >= start) & (onset <= end + GRACE_MS)).any())
            claimed |= (onset >= start) & (onset <= end + TAIL_MS)
        false += int((~claimed).sum())
    return Score(len(labels), hits, false)


def test_the_detector_finds_most_events_and_is_seldom_wrong() -> None:
    """Measured when this was written: precision 0.746, recall 0.633; the benchmark's peers reach F1 0.28 to 0.40."""
    score = scored(onsets_by_symbol())
    assert score.events == 79
    assert score.recall >= 0.58, score
    assert score.precision >= 0.70, score
