"""The engine: a state machine over trades. ``Engine(config, state).process(trades)`` gives bars, volatility, signals,
alert transitions and rejected trades, the same bits however the trades are cut into calls.

State advances on final bars only. What is not final yet is evaluated forward, and shown as such; an alert opened that
way is confirmed or retracted when its bar becomes final. No clock: time is in the records.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from volwatch.analytics import bars as bar_rules
from volwatch.analytics import conditions, days, filters, minutes
from volwatch.analytics.bars import OHLC_CONDITION, OUTLIER, BarTable
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.episodes import final_transitions, provisional_transitions
from volwatch.analytics.measures.risk import SHARPE_WINDOW
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.results import (
    FLAG_SUSPECT_PRINTS,
    Bars,
    Rejected,
    Result,
    Transition,
    Volatility,
)
from volwatch.analytics.rules.rule import VolatilityAbove
from volwatch.analytics.rules.told import (
    ends_of_dropped,
    final_rule_transitions,
    interleaved,
    provisional_rule_transitions,
)
from volwatch.analytics.seen import Seen
from volwatch.analytics.state import EngineState, add_series, new_engine_state
from volwatch.analytics.trades import Bool, Int64, Trades, by_appearance


@dataclass(frozen=True, slots=True)
class _Taken:
    """What became of some trades, as far as it is final; ``reached`` is the watermark of each series."""

    reached: Int64
    told: list[Transition]
    rejected: Rejected
    final: Advanced
    unpriced: BarTable
    daily: tuple[Bars, Volatility]


class Engine:
    """One partition's engine.

    Parameters
    ----------
    config : EngineConfig
        The same for the life of a state.
    state : EngineState, optional
        Where to go on; the beginning when it is left out.
    """

    def __init__(self, config: EngineConfig, state: EngineState | None = None) -> None:
        self.config = config
        day_width = max(config.day_window, SHARPE_WINDOW)
        self.state = state or new_engine_state(config.minute_window, day_width, minutes.SPACING_BARS + 1)
        self._seen = Seen()

    def process(self, trades: Trades) -> Result:
        """Take trades in order of arrival; return what became final and how the rest looks now."""
        taken = self._take(trades)
        table, complete = self._open_bars(taken.reached)
        preview = minutes.advance(self.state, table, self.config, complete, final=False)
        told = taken.told + self._provisional_transitions(preview)
        final, daily, shown = taken.final, taken.daily, _only_shown(preview, complete)
        return Result(
            series=tuple(self.state.series),
            bars=(final.bars, shown.bars, daily[0]),
            volatility=(final.volatility, shown.volatility, daily[1]),
            signals=final.signals.join(shown.signals),
            transitions=tuple(told),
            rejected=taken.rejected,
            unpriced=taken.unpriced,
            unknown_conditions=conditions.unknown(trades, self.config.condition_tables),
            enters=self.state.rules.overridden(),
        )

    def watch(self, trades: Trades) -> list[Transition]:
        """Take trades in order of arrival; return the transitions that ``process`` would, for a part of the work.

        The state moves on as by ``process``. Of the bars that are not final only those are evaluated whose series have
        changed, and no volatility of them unless a rule asks for it.
        """
        taken = self._take(trades)
        table, complete = self._open_bars(taken.reached)
        rows = np.flatnonzero(self._seen.changed(table, complete, self.state))
        preview = minutes.advance(
            self.state, table.take(rows), self.config, complete[rows], final=False, estimates=self._rules_estimate
        )
        return taken.told + self._provisional_transitions(preview)

    def _take(self, trades: Trades) -> "_Taken":
        """Take trades, and advance over what is final by them."""
        series, source = self._series_of(trades)
        watermark = self._advance_watermarks(trades, source)
        reached = self._reached()
        told = ends_of_dropped(self.state, self.config.rules, self._became_final)
        self._note_gaps(trades, series, watermark)
        rejected = self._accept(trades, series, watermark, reached)
        final, unpriced = self._advance_final(reached)
        self._forget_gaps(reached)
        daily = self._advance_days(final, reached)
        told += self._final_transitions(final)
        if len(final.session):
            self._seen.forget()
        return _Taken(reached, told, rejected, final, unpriced, daily)

    def _provisional_transitions(self, preview: Advanced) -> list[Transition]:
        return provisional_transitions(self.state, preview) + provisional_rule_transitions(self.state, preview)

    @cached_property
    def _rules_estimate(self) -> bool:
        return any(isinstance(rule, VolatilityAbove) for rule in self.config.rules)

    @property
    def _lateness_ms(self) -> int:
        return self.config.lateness_seconds * 1000

    def _became_final(self, bar: int) -> int:
        """Return the watermark at which a bar became final."""
        return bar + MINUTE_MS + self._lateness_ms

    def _final_transitions(self, final: Advanced) -> list[Transition]:
        told = final_transitions(self.state, final, self._lateness_ms)
        if not self.config.rules:
            return told
        return interleaved(told, final_rule_transitions(self.state, final, self.config.rules, self._became_final))

    def _note_gaps(self, trades: Trades, series: Int64, watermark: Int64) -> None:
        """Note of each series since when its source can see again."""
        rows = np.flatnonzero(bar_rules.having(trades, bar_rules.GAP_CONDITION))
        # What is final at the gap's arrival is told already, however the trades are cut.
        since = np.clip(trades.event_time[rows], watermark[rows] - self._lateness_ms, watermark[rows])
        self.state.gap_series = np.append(self.state.gap_series, series[rows])
        self.state.gap_since = np.append(self.state.gap_since, since)

    def _forget_gaps(self, reached: Int64) -> None:
        """Of the gaps of a series before which everything is final, keep the last: they are told of the same bar."""
        series, since = self.state.gap_series, self.state.gap_since
        old = since + self._lateness_ms <= reached[series]
        newest = np.zeros(len(self.state.series), np.int64)
        np.maximum.at(newest, series[old], since[old])
        keep = ~old | (since == newest[series])
        self.state.gap_series, self.state.gap_since = series[keep], since[keep]

    def _series_of(self, trades: Trades) -> tuple[Int64, tuple[str, ...]]:
        """Return each trade's series in the state, with room made for new ones, and the sources of them all."""
        known = {series: index for index, series in enumerate(self.state.series)}
        occurring = [trades.series[code] for code in by_appearance(trades.code, len(trades.series))]
        fresh = [series for series in occurring if series not in known]
        add_series(self.state, fresh, [self.config.calendar_name(*series) for series in fresh])
        minutes.make_room(self.state, self.config)
        known |= {series: len(known) + index for index, series in enumerate(fresh)}
        place = np.array([known.get(series, -1) for series in trades.series], np.int64)
        return place[trades.code] if len(trades) else np.empty(0, np.int64), tuple(s for s, _ in trades.series)

    def _advance_watermarks(self, trades: Trades, source: tuple[str, ...]) -> Int64:
        """Return the watermark of each trade's source up to and including it."""
        watermark = np.zeros(len(trades), np.int64)
        for name in sorted(set(source)):
            of_name = np.array([held == name for held in source], np.bool_)
            rows = slice(None) if of_name.all() else np.flatnonzero(of_name[trades.code])
            received_at = trades.received_at[rows]
            if not len(received_at):
                continue
            reached = np.maximum(np.maximum.accumulate(received_at), self.state.watermarks.get(name, 0))
            watermark[rows] = reached
            self.state.watermarks[name] = int(reached[-1])
        return watermark

    def _accept(self, trades: Trades, series: Int64, watermark: Int64, reached: Int64) -> Rejected:
        """Add the acceptable trades to the bars that may still change, hold the suspicious ones, return the others."""
        effect = conditions.effects(trades, self.config.condition_tables)
        reason = self._reasons(trades, watermark, effect)
        is_trade = ~bar_rules.marks(trades)
        rows = np.flatnonzero((reason == 0) & is_trade)
        good = trades.take(rows)
        enters = self._enter(good) & (effect[rows] == conditions.NONE)
        sifted = filters.sift(
            self.state.prints, good, series[rows], watermark[rows], enters, reached, self._lateness_ms
        )
        self._add(sifted.trades.take(sifted.taken), sifted.series[sifted.taken], sifted.watermark[sifted.taken])
        self.state.minute_bars = _flagged(self.state.minute_bars, sifted.suspect)
        outliers = Rejected(sifted.trades.take(sifted.outliers), np.full(len(sifted.outliers), OUTLIER, np.int8))
        others = np.flatnonzero((reason != 0) & is_trade)
        return _in_order(outliers.join(Rejected(trades.take(others), reason[others])))

    def _reasons(self, trades: Trades, watermark: Int64, effect: conditions.Effects) -> npt.NDArray[np.int8]:
        quoting = np.array([source in self.config.quote_sources for source, _ in trades.series], np.bool_)
        quotes_allowed = quoting[trades.code] if len(trades) else np.empty(0, np.bool_)
        reason = bar_rules.judge(trades, watermark, self._lateness_ms, quotes_allowed)
        reason[(reason == 0) & (effect == conditions.DROPPED)] = bar_rules.CONDITION
        return reason

    def _enter(self, trades: Trades) -> Bool:
        """Return which acceptable trades are prints that the filter judges."""
        if not self.config.outlier_filter:
            return np.zeros(len(trades), np.bool_)
        # A quote samples the price once in a while, and a bar that is given by its extremes is no print.
        return (trades.size > 0) & ~bar_rules.having(trades, OHLC_CONDITION)

    def _add(self, trades: Trades, series: Int64, watermark: Int64) -> None:
        tables = self.config.condition_tables
        volume_only = conditions.effects(trades, tables) == conditions.VOLUME_ONLY if tables else None
        self.state.minute_bars = bar_rules.add_trades(self.state.minute_bars, trades, series, watermark, volume_only)

    def _reached(self) -> Int64:
        """Return the watermark of each series."""
        return np.array([self.state.watermarks[source] for source, _ in self.state.series], np.int64)

    def _advance_final(self, reached: Int64) -> tuple[Advanced, BarTable]:
        """Advance over the bars that became final; return that, and the minutes that have no price and are no bars."""
        table = self.state.minute_bars
        closed = table.start + MINUTE_MS + self._lateness_ms <= reached[table.series]
        self.state.minute_bars = table.take(~closed)
        priced = table.trades > 0
        final, unpriced = table.take(closed & priced), table.take(closed & ~priced)
        if not len(final):
            return self._no_minutes, unpriced
        return minutes.advance(self.state, final, self.config, np.ones(len(final), np.bool_), final=True), unpriced

    def _advance_days(self, final: Advanced, reached: Int64) -> tuple[Bars, Volatility]:
        days.collect(self.state, final.bars, final.session)
        closed = days.take_closed(self.state, self.config, reached)
        return days.advance(self.state, closed, self.config) if len(closed) else self._no_days

    @cached_property
    def _no_minutes(self) -> Advanced:
        """What comes of no bars. Most calls bring none that is final, and to find that out anew costs milliseconds."""
        state, none = Engine(self.config).state, bar_rules.empty_table()
        return minutes.advance(state, none, self.config, np.empty(0, np.bool_), final=True)

    @cached_property
    def _no_days(self) -> tuple[Bars, Volatility]:
        """The same of days."""
        return days.advance(Engine(self.config).state, bar_rules.empty_table(), self.config)

    def _open_bars(self, reached: Int64) -> tuple[BarTable, Bool]:
        """Return the bars that may still change, and which of them are shown (provisional)."""
        table = self.state.minute_bars
        table = _flagged(table.take(table.trades > 0), filters.suspect_bars(self.state.prints))
        complete = _is_complete(table, reached)
        # Up to the open bar of a series: what follows a bar whose close may still move says nothing sure.
        same = np.diff(table.series, prepend=-1) == 0
        follows = same & ~np.roll(table.start + MINUTE_MS <= reached[table.series], 1)
        return table.take(~follows), complete[~follows]


def _flagged(table: BarTable, keys: Int64) -> BarTable:
    """Return the table with those of some bars that are there flagged for their suspicious prints."""
    if not len(keys):
        return table
    flags = np.where(np.isin(table.key, keys), table.flags | FLAG_SUSPECT_PRINTS, table.flags)
    return replace(table, flags=flags)


def _in_order(rejected: Rejected) -> Rejected:
    """Return the trades in order of arrival."""
    order = np.argsort(rejected.trades.offset, kind="stable")
    return Rejected(rejected.trades.take(order).compact(), rejected.reason[order])


def _is_complete(table: BarTable, reached: Int64) -> Bool:
    return table.start + MINUTE_MS + bar_rules.PROVISIONAL_AFTER_MS <= reached[table.series]


def _only_shown(preview: Advanced, complete: Bool) -> Advanced:
    """Return the preview without the bars that have not ended."""
    rows = np.flatnonzero(complete)
    regular = np.flatnonzero(complete[preview.regular])
    return replace(
        preview,
        bars=preview.bars.take(rows),
        volatility=preview.volatility.take(regular),
        signals=preview.signals.take(regular),
    )
