"""The engine: a state machine over trades. ``Engine(config, state).process(trades)`` gives bars, volatility, signals,
alert transitions and rejected trades, the same bits however the trades are cut into calls.

State advances on final bars only. What is not final yet is evaluated forward on a copy, and shown as such; an alert
opened that way is confirmed or retracted when its bar becomes final. No clock: time is in the records.
"""

from dataclasses import replace

import numpy as np

from volwatch.analytics import bars as bar_rules
from volwatch.analytics import days, minutes
from volwatch.analytics.bars import BarTable
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.config import EngineConfig
from volwatch.analytics.episodes import final_transitions, provisional_transitions
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.results import Bars, Rejected, Result, Volatility
from volwatch.analytics.risk import SHARPE_WINDOW
from volwatch.analytics.state import EngineState, add_series, new_engine_state
from volwatch.analytics.trades import Bool, Int64, Trades


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

    def process(self, trades: Trades) -> Result:
        """Take trades in order of arrival; return what became final and how the rest looks now."""
        series, source = self._series_of(trades)
        watermark = self._advance_watermarks(trades, source)
        rejected = self._accept(trades, series, watermark)
        reached = self._reached()
        final = self._advance_final(reached)
        daily = self._advance_days(final, reached)
        told = final_transitions(self.state, final, self.config.lateness_seconds * 1000)
        preview = self._preview(reached)
        told += provisional_transitions(self.state, preview[0])
        shown = _only_shown(preview[0], preview[1])
        return Result(
            series=tuple(self.state.series),
            bars=(final.bars, shown.bars, daily[0]),
            volatility=(final.volatility, shown.volatility, daily[1]),
            signals=final.signals.join(shown.signals),
            transitions=tuple(told),
            rejected=rejected,
        )

    def _series_of(self, trades: Trades) -> tuple[Int64, tuple[str, ...]]:
        """Return each trade's series in the state, with room made for new ones, and the sources of them all."""
        known = {series: index for index, series in enumerate(self.state.series)}
        codes, first_row = np.unique(trades.code, return_index=True)
        occurring = [trades.series[code] for code in codes[np.argsort(first_row)]]
        fresh = [series for series in occurring if series not in known]
        add_series(self.state, fresh, [self.config.calendar_name(*series) for series in fresh])
        known |= {series: len(known) + index for index, series in enumerate(fresh)}
        place = np.array([known.get(series, -1) for series in trades.series], np.int64)
        return place[trades.code] if len(trades) else np.empty(0, np.int64), tuple(s for s, _ in trades.series)

    def _advance_watermarks(self, trades: Trades, source: tuple[str, ...]) -> Int64:
        """Return the watermark of each trade's source up to and including it."""
        watermark = np.zeros(len(trades), np.int64)
        for name in sorted(set(source)):
            of_name = np.array([held == name for held in source], np.bool_)
            rows = np.flatnonzero(of_name[trades.code])
            if not len(rows):
                continue
            before = self.state.watermarks.get(name, 0)
            watermark[rows] = np.maximum(np.maximum.accumulate(trades.received_at[rows]), before)
            self.state.watermarks[name] = int(watermark[rows[-1]])
        return watermark

    def _accept(self, trades: Trades, series: Int64, watermark: Int64) -> Rejected:
        """Add the acceptable trades to the bars that may still change; return the others."""
        quotes = np.array([source in self.config.quote_sources for source, _ in trades.series], np.bool_)
        quotes_allowed = quotes[trades.code] if len(trades) else np.empty(0, np.bool_)
        reason = bar_rules.judge(trades, watermark, self.config.lateness_seconds * 1000, quotes_allowed)
        is_mark = bar_rules.marks(trades)
        taken = np.flatnonzero((reason == 0) & ~is_mark)
        self.state.minute_bars = bar_rules.add_trades(
            self.state.minute_bars, trades.take(taken), series[taken], watermark[taken]
        )
        rows = np.flatnonzero((reason != 0) & ~is_mark)
        return Rejected(rows, reason[rows])

    def _reached(self) -> Int64:
        """Return the watermark of each series."""
        return np.array([self.state.watermarks[source] for source, _ in self.state.series], np.int64)

    def _advance_final(self, reached: Int64) -> Advanced:
        table = self.state.minute_bars
        closed = table.start + MINUTE_MS + self.config.lateness_seconds * 1000 <= reached[table.series]
        self.state.minute_bars = table.take(~closed)
        final = table.take(closed)
        return minutes.advance(self.state, final, self.config, np.ones(len(final), np.bool_), final=True)

    def _advance_days(self, final: Advanced, reached: Int64) -> tuple[Bars, Volatility]:
        days.collect(self.state, final.bars, final.session)
        return days.advance(self.state, days.take_closed(self.state, self.config, reached), self.config)

    def _preview(self, reached: Int64) -> tuple[Advanced, Bool]:
        """Evaluate on a copy the bars that may still change; return that, and which of them are shown (provisional)."""
        table = self.state.minute_bars
        complete = _is_complete(table, reached)
        # Up to the open bar of a series: what follows a bar whose close may still move says nothing sure.
        same = np.diff(table.series, prepend=-1) == 0
        follows = same & ~np.roll(table.start + MINUTE_MS <= reached[table.series], 1)
        table, complete = table.take(~follows), complete[~follows]
        return minutes.advance(self.state.copy(), table, self.config, complete, final=False), complete


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
