"""The step that takes bars through the rules: of each rule its statistic, and what happens to its alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from volwatch.analytics.groups import Groups
from volwatch.analytics.history import line
from volwatch.analytics.results import Volatility
from volwatch.analytics.rules import hold
from volwatch.analytics.rules.held import CLOSE_TERMS, RuleState
from volwatch.analytics.rules.hold import Event, Statistic
from volwatch.analytics.rules.move import Prices, comparable_since, moves, references
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.analytics.rules.volatility_above import levels
from volwatch.analytics.trades import Bool, Float64
from volwatch.analytics.walk import Row

_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """What happened to a rule's alert at a row of the signals; ``statistic`` is the rule's there, ``reference`` the
    price that a move is measured from."""

    rule: Rule
    event: Event
    statistic: float
    reference: float | None

    def shifted(self, rows: int) -> "RuleEvent":
        """Return the same of rows that stand so many further behind."""
        return replace(self, event=replace(self.event, row=self.event.row + rows))


def judge(
    state: RuleState, rules: Sequence[Rule], row: Row, volatility: Volatility, complete: Bool, final: bool
) -> tuple[RuleEvent, ...]:
    """Return what happens to the rules' alerts at regular bars; the state moves on (in place) if they are final.

    Parameters
    ----------
    complete : bool, shape (n,)
        Bars that have ended.
    """
    if not rules or not row.groups.rows:
        return ()
    events: list[RuleEvent] = []
    # Some series at a time: what stays in a core's cache is several times as fast.
    for rows, groups in row.groups.parts(_ROWS_AT_ONCE):
        bars = _Bars(state, row, rows, groups, volatility, complete[rows])
        if any(isinstance(rule, Move) for rule in rules):
            bars.compare(state, final)
        for rule in rules:
            events += [event.shifted(rows.start) for event in bars.follow(state, rule, final)]
    return tuple(events)


def joined_events(parts: Iterable[tuple[tuple[RuleEvent, ...], int]]) -> tuple[RuleEvent, ...]:
    """Return the events of parts that stand one behind the other, each given with its number of rows."""
    joined: list[RuleEvent] = []
    before = 0
    for events, rows in parts:
        joined += [event.shifted(before) for event in events]
        before += rows
    return tuple(joined)


class _Bars:
    """The bars of some series with what rules ask of them, each computed once."""

    def __init__(
        self, state: RuleState, row: Row, rows: slice, groups: Groups, volatility: Volatility, complete: Bool
    ) -> None:
        self._groups, self._volatility, self._complete, self._rows = groups, volatility, complete, rows
        self._high, self._low, self._close = row.table.high[rows], row.table.low[rows], row.table.close[rows]
        counts = ~(row.reopen[rows] | row.gap[rows])
        self._breaks = row.begins[rows] | ~counts
        nothing = np.empty(0)
        self._statistic = Statistic(nothing, counts, row.table.trades[rows], row.begins[rows], row.start[rows])
        self._moves: dict[int, tuple[Float64, Float64]] = {}
        self._prices: Prices | None = None

    def compare(self, state: RuleState, final: bool) -> None:
        """Join the closes to those of the past, which moves on if the bars are final."""
        groups, start = self._groups, self._statistic.start
        since = comparable_since(groups, start, self._breaks, state.since[groups.series])
        terms = (start.astype(np.float64), self._close)
        held = line(state.closes, groups, dict(zip(CLOSE_TERMS, terms, strict=True)))
        if final:
            held.keep(state.closes, groups)
            state.since[groups.series] = since[groups.last]
        self._prices = Prices(groups, start, self._high, self._low, held, since)

    def follow(self, state: RuleState, rule: Rule, final: bool) -> list[RuleEvent]:
        """Return what happens to a rule's alerts."""
        held, groups = state.holds.get(rule.key, {}), self._groups
        if not held and self._prices is not None and isinstance(rule, Move) and rule.enter > self._prices.widest:
            return []
        value, reference = self._judged(rule)
        bars = replace(self._statistic, value=value)
        after, happened = hold.follow(rule, groups, held, state.watching[rule.key][groups.series], bars)
        if final and after:
            both = sorted((held | after).items())
            state.holds[rule.key] = {series: one for series, one in both if not one.rests}
        return [
            RuleEvent(rule, event, float(value[event.row]), None if reference is None else float(reference[event.row]))
            for event in happened
        ]

    def _judged(self, rule: Rule) -> tuple[Float64, Float64 | None]:
        """Return a rule's statistic of each bar, and the price that it is measured from."""
        if isinstance(rule, VolatilityAbove):
            return levels(self._volatility, rule.estimator, self._rows, self._complete), None
        assert isinstance(rule, Move)  # noqa: S101 - there is no third kind
        assert self._prices is not None  # noqa: S101 - compared before
        if rule.minutes not in self._moves:
            reference = references(self._prices, rule.minutes)
            self._moves[rule.minutes] = moves(self._prices, reference), reference
        return self._moves[rule.minutes]
