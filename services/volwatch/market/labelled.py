"""A market to measure detectors by: when its sessions are, what its symbols are called, and what its labels say. Pure.

``volwatch scenario`` writes it into files, and the dashboard takes it as it is.
"""

from collections.abc import Sequence

import numpy as np

from volwatch.analytics.backtest import bar_table
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import DAY_MS, MINUTE_MS, calendar_named
from volwatch.analytics.trades import Int64
from volwatch.market.labels import Labels
from volwatch.market.scenarios import Event
from volwatch.market.sessions import SESSION_MINUTES, Plan, event_minutes

CALENDAR = "XNYS"
_FIRST_DAY = np.datetime64("2026-01-05", "D").astype(np.int64)
_PRICES = ("open", "high", "low", "close")


def opens_of(sessions: int) -> Int64:
    """Return the opens of the first full sessions, epoch ms, shape (sessions,)."""
    calendar = calendar_named(CALENDAR)
    full = calendar.close_ms - calendar.open_ms == SESSION_MINUTES * MINUTE_MS
    opens: Int64 = calendar.open_ms[full & (calendar.days >= _FIRST_DAY)][:sessions]
    return opens


def names_of(plan: Plan) -> tuple[str, ...]:
    """Return the names of the symbols."""
    return tuple(f"S{number:03d}" for number in range(len(plan.scenario)))


def span_of(event: Event, open_ms: Int64) -> tuple[int, int]:
    """Return the starts of the first and the last bar of an event's label, epoch ms."""
    first, last = event_minutes(event)
    session = first // SESSION_MINUTES
    moved = int(open_ms[session]) - session * SESSION_MINUTES * MINUTE_MS
    return first * MINUTE_MS + moved, last * MINUTE_MS + moved


def first_day_ms(plan: Plan, open_ms: Int64) -> int:
    """Return the start of the first day that counts."""
    return int(open_ms[plan.history]) // DAY_MS * DAY_MS


def labels_of(plan: Plan, events: Sequence[Event], open_ms: Int64) -> Labels:
    """Return the labels of the events of a plan's sessions."""
    names = names_of(plan)
    spans: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
    for event in events:
        spans[names[event.symbol]].append(span_of(event, open_ms))
    held = {name: np.array(own, np.int64).reshape(-1, 2) for name, own in spans.items()}
    return Labels(dict(zip(names, plan.scenario, strict=True)), held, first_day_ms(plan, open_ms), plan.evaluated)


def whole(sessions: Sequence[BarTable]) -> BarTable:
    """Return the bars of all sessions as one table, as ``bar_table`` has those of a file."""
    columns = {
        name: np.concatenate([getattr(bars, name) for bars in sessions])
        for name in ("series", "start", *_PRICES, "volume", "trades")
    }
    prices = {name: columns[name] for name in _PRICES}
    return bar_table(columns["series"], columns["start"], prices, columns["volume"], columns["trades"])
