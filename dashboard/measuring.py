"""What levels of S are worth on a simulated market whose events are known. Pure, and bounded by its caller.

Market, engine and score are those of ``volwatch scenario``, ``volwatch backtest`` and ``volwatch score``: the same plan
gives the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from volwatch.analytics.backtest import onsets, starts_by_symbol
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import calendar_named
from volwatch.analytics.config import EngineConfig
from volwatch.market.labelled import CALENDAR, labels_of, names_of, opens_of, whole
from volwatch.market.scenarios import Event
from volwatch.market.scoring import Tally, count, total
from volwatch.market.sessions import EVENTFUL, Plan, make_sessions

LEVEL_COLUMNS = ("level", "recall", "hits", "events", "false_per_symbol_day", "false", "delay_minutes", "reason")
NO_EVENT, NO_HIT = "no event in these days", "no event was detected"
_MAYBE_MISSING = ("recall", "false_per_symbol_day", "delay_minutes")
_MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured; a value that is not defined is missing, and its row has the reason, which is empty
    elsewhere.

    Attributes
    ----------
    symbol_days : int
        Symbols times the days that were scored.
    levels : pandas.DataFrame
        A row per level: ``LEVEL_COLUMNS``.
    kinds : pandas.DataFrame
        A row per kind of event: ``kind``, ``events``, its recall at each level in a column of ``recall_column``, and
        ``reason``.
    """

    plan: Plan
    symbol_days: int
    levels: pd.DataFrame
    kinds: pd.DataFrame


def measure(plan: Plan, levels: Sequence[float], tell: Callable[[float], object]) -> Measured:
    """Make the market of a plan, and return what each level is worth on it.

    Parameters
    ----------
    tell : callable
        Takes the share of the work that is done, again and again.
    """
    steps, opens = plan.sessions + len(levels), opens_of(plan.sessions)
    sessions: list[BarTable] = []
    events: list[Event] = []
    for session in make_sessions(plan, opens):
        sessions.append(session.bars)
        events += session.events
        tell(len(sessions) / steps)
    bars, labels, calendar = whole(sessions), labels_of(plan, events, opens), calendar_named(CALENDAR)
    tallies: dict[float, dict[str, Tally]] = {}
    for level in levels:
        found = onsets(bars, names_of(plan), calendar, EngineConfig(enter=level))
        tallies[level] = count(labels, starts_by_symbol(found))
        tell((plan.sessions + len(tallies)) / steps)
    rows = [_level_row(level, total(by_kind)) for level, by_kind in tallies.items()]
    by_level = pd.DataFrame(rows, columns=list(LEVEL_COLUMNS)).astype(dict.fromkeys(_MAYBE_MISSING, float))
    return Measured(plan, len(plan.scenario) * plan.evaluated, by_level, _kinds(tallies))


def recall_column(level: float) -> str:
    """Return the name of the column that holds the recall at a level."""
    return f"recall_{level:g}"


def commands(measured: Measured) -> str:
    """Return the commands that measure the same."""
    plan = measured.plan
    size = f"--symbols-per-scenario {plan.symbols_per_scenario} --history-days {plan.history} --days {plan.evaluated}"
    levels = " ".join(f"--enter {level:g}" for level in measured.levels["level"])
    return (
        f"volwatch scenario --seed {plan.seed} {size} -o market\n"
        f"volwatch backtest market/bars.csv.gz --sweep --labels market {levels}"
    )


def _level_row(level: float, tally: Tally) -> tuple[object, ...]:
    recall, false = tally.recall, tally.false_per_symbol_day
    reason = "" if tally.hits else NO_HIT if tally.events else NO_EVENT
    delay = tally.delay_minutes(_MEDIAN)
    return (level, recall.value, *recall, false.value, false.counted, delay, reason)


def _kinds(tallies: Mapping[float, Mapping[str, Tally]]) -> pd.DataFrame:
    rows = []
    for kind in EVENTFUL:
        of_kind = {level: by_kind[kind] for level, by_kind in tallies.items()}
        events = max((tally.events for tally in of_kind.values()), default=0)
        recalls = {recall_column(level): tally.recall.value for level, tally in of_kind.items()}
        rows.append({"kind": kind, "events": events, **recalls, "reason": "" if events else NO_EVENT})
    return pd.DataFrame(rows).astype(dict.fromkeys(map(recall_column, tallies), float))
