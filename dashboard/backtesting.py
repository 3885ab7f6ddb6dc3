"""Alerts that other settings of the detector would have raised on stored bars. Pure, and bounded by its caller.

The engine is the platform's own, from an empty state: it learns from the first bars, and judges none of the first 60 of
a series.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from volwatch.alerts import explain
from volwatch.analytics.backtest import bar_table, steps
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import calendar_for, calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.results import Transition
from volwatch.warehouse.readings import Series

SUMMARY_COLUMNS = ("level", "alerts", "per_symbol_day", "low", "medium", "high")
ALERT_COLUMNS = (
    "level",
    "onset_bar",
    "source",
    "symbol",
    "kind",
    "severity",
    "statistic",
    "lasted_minutes",
    "sentence",
)

_PRICES = ("open", "high", "low", "close")
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a back-test found.

    Attributes
    ----------
    bars, symbol_days : int
        Bars of regular hours, and pairs of a series and a session that has any.
    summary : pandas.DataFrame
        A row per level: ``SUMMARY_COLUMNS``.
    alerts : pandas.DataFrame
        A row per alert, newest first: ``ALERT_COLUMNS``.
    """

    bars: int
    symbol_days: int
    summary: pd.DataFrame
    alerts: pd.DataFrame


def backtest(bars: Mapping[Series, pd.DataFrame], levels: Sequence[float]) -> Backtest:
    """Return the alerts of series, each with its bars in order of time, at each of some levels of S."""
    markets = [_Market(name, own) for name, own in _by_market(bars).items()]
    alerts = pd.DataFrame(
        [row for level in levels for market in markets for row in market.alerts(level)], columns=list(ALERT_COLUMNS)
    )
    alerts["onset_bar"] = pd.to_datetime(alerts["onset_bar"], unit="ms", utc=True)
    symbol_days = sum(market.symbol_days for market in markets)
    summary = [_summary(level, alerts[alerts["level"] == level], symbol_days) for level in levels]
    return Backtest(
        sum(market.judged_bars for market in markets),
        symbol_days,
        pd.DataFrame(summary, columns=list(SUMMARY_COLUMNS)),
        alerts.sort_values(["onset_bar", "symbol", "level"], ascending=[False, True, True], ignore_index=True),
    )


class _Market:
    """The bars of the series of one source and calendar."""

    def __init__(self, name: tuple[str, str], bars: Mapping[Series, pd.DataFrame]) -> None:
        self._source, calendar = name
        self._calendar = calendar_named(calendar)
        self._symbols = [series.symbol for series in bars]
        self._table = _table(list(bars.values()))
        session = self._calendar.place(self._table.start).session
        regular = session >= 0
        self.judged_bars = int(regular.sum())
        self.symbol_days = len(np.unique(np.stack([self._table.series[regular], session[regular]]), axis=1).T)

    def alerts(self, level: float) -> Iterator[tuple[object, ...]]:
        """Yield a row per alert."""
        config = EngineConfig(enter=level)
        told = steps(self._table, self._symbols, self._calendar, config)
        last = {(step.symbol, step.onset): step for step in told}
        for step in told:
            if step.state == "OPEN" and step.facts is not None:
                yield self._row(step, last[step.symbol, step.onset], level, config.hash)

    def _row(self, step: Transition, last: Transition, level: float, config_hash: str) -> tuple[object, ...]:
        assert step.facts is not None  # noqa: S101 - narrows the type: an opening has the bar that caused it
        closed = (last.bar - step.onset) // _MINUTE_MS + 1 if last.state == "CLOSED" else None
        sentence = explain(step, step.facts, level, config_hash).sentence
        named = (self._source, step.symbol, step.kind)
        return (level, step.onset, *named, last.severity, step.facts.statistic, closed, sentence)


def _by_market(bars: Mapping[Series, pd.DataFrame]) -> dict[tuple[str, str], dict[Series, pd.DataFrame]]:
    markets: dict[tuple[str, str], dict[Series, pd.DataFrame]] = {}
    for series, rows in bars.items():
        if len(rows):
            markets.setdefault((series.source, calendar_for(*series)), {})[series] = rows
    return markets


def _table(frames: Sequence[pd.DataFrame]) -> BarTable:
    rows = pd.concat(frames, ignore_index=True)
    series = np.repeat(np.arange(len(frames), dtype=np.int64), [len(frame) for frame in frames])
    start_ms = rows["bar_start"].to_numpy("datetime64[ms]").astype(np.int64)
    prices = {name: rows[name].to_numpy(np.float64) for name in _PRICES}
    return bar_table(series, start_ms, prices, rows["volume"].to_numpy(np.float64), rows["trades"].to_numpy(np.int64))


def _summary(level: float, alerts: pd.DataFrame, symbol_days: int) -> tuple[object, ...]:
    counts = [int((alerts["severity"] == severity).sum()) for severity in ("LOW", "MEDIUM", "HIGH")]
    rate = len(alerts) / symbol_days if symbol_days else float("nan")
    return (level, len(alerts), rate, *counts)
