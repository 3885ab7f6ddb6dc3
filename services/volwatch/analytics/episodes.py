"""From the detector's episodes to the steps in the lives of alerts: what is final is told once and in order, what may
still change is told as such, and taken back when its bar becomes final and says otherwise.
"""

from collections.abc import Callable

import numpy as np

from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.detector import KINDS, SEVERITIES
from volwatch.analytics.lifecycle import Episode
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.results import Facts, Transition
from volwatch.analytics.state import EngineState, Shown


def final_transitions(state: EngineState, final: Advanced, lateness_ms: int) -> list[Transition]:
    """Return retractions, then the steps that final bars took, in order of (bar, series); note them in the state."""

    def became_final(bar: int) -> int:
        return bar + MINUTE_MS + lateness_ms

    told = _retractions(state, final, became_final)
    events = final.episodes
    rows = np.flatnonzero(events.opened | events.escalated | events.closed)
    signals = final.signals
    for row in rows[np.lexsort((signals.series[rows], signals.start[rows]))].tolist():
        series = int(signals.series[row])
        when = became_final(int(signals.start[row]))
        if events.closed[row]:
            told.append(_transition(state, final, row, "CLOSED", events.before, when, final=True))
            state.shown.pop(series, None)
        if events.opened[row] or events.escalated[row]:
            # A late trade may have moved the onset forward, to before the bar on which the alert was first told.
            held = state.shown.get(series)
            if held is not None and not held.confirmed and held.onset != int(events.now.onset[row]):
                told.append(_retraction(state, series, held, when))
            name = "OPEN" if events.opened[row] else "ESCALATED"
            told.append(_transition(state, final, row, name, events.now, when, final=True))
            state.shown[series] = _shown(events.now, row, confirmed=True)
    return told


def provisional_transitions(state: EngineState, preview: Advanced) -> list[Transition]:
    """Return the openings and escalations that bars which may still change call for; note them in the state.

    Nothing is closed before its bar is final; so a series whose alert is open opens no second one here.
    """
    told: list[Transition] = []
    events = preview.episodes
    for row in np.flatnonzero(events.opened | events.escalated).tolist():
        series = int(preview.signals.series[row])
        held = state.shown.get(series)
        now = state.watermarks[state.series[series][0]]
        onset, severity = int(events.now.onset[row]), int(events.now.severity[row])
        if held is None and events.opened[row]:
            told.append(_transition(state, preview, row, "OPEN", events.now, now, final=False))
            state.shown[series] = _shown(events.now, row, confirmed=False)
        elif held is not None and held.onset == onset and severity > held.severity:
            told.append(_transition(state, preview, row, "ESCALATED", events.now, now, final=False))
            held.severity = severity
    return told


def _retractions(state: EngineState, final: Advanced, became_final: Callable[[int], int]) -> list[Transition]:
    """Return the retraction of each alert that was opened on a bar which, now final, opens none."""
    events = final.episodes
    opened = {
        (int(final.signals.series[row]), int(events.now.onset[row]), int(events.now.kind[row]))
        for row in np.flatnonzero(events.opened)
    }
    told = []
    for series, held in sorted(state.shown.items()):
        passed = held.onset <= state.minutes.start[series]
        if not held.confirmed and passed and (series, held.onset, held.kind) not in opened:
            told.append(_retraction(state, series, held, became_final(held.onset)))
            del state.shown[series]
    return told


def _retraction(state: EngineState, series: int, held: Shown, watermark: int) -> Transition:
    source, symbol = state.series[series]
    return Transition(
        source=source,
        symbol=symbol,
        kind=KINDS[held.kind],
        state="RETRACTED",
        severity=SEVERITIES[held.severity],
        onset=held.onset,
        bar=held.onset,
        peak=0.0,
        final=True,
        watermark=watermark,
        facts=None,
    )


def _shown(episode: Episode, row: int, confirmed: bool) -> Shown:
    return Shown(int(episode.onset[row]), int(episode.kind[row]), int(episode.severity[row]), confirmed)


def _transition(
    state: EngineState, advanced: Advanced, row: int, name: str, episode: Episode, watermark: int, final: bool
) -> Transition:
    series = int(advanced.signals.series[row])
    source, symbol = state.series[series]
    return Transition(
        source=source,
        symbol=symbol,
        kind=KINDS[episode.kind[row]],
        state=name,
        severity=SEVERITIES[episode.severity[row]],
        onset=int(episode.onset[row]),
        bar=int(advanced.signals.start[row]),
        peak=float(episode.peak[row]),
        final=final,
        watermark=watermark,
        facts=facts_of(advanced, row),
        threshold=float(state.rules.enters[series]),
    )


def facts_of(advanced: Advanced, row: int) -> Facts:
    """Return why: the bar behind a row of the signals, and what was usual."""
    bar = int(advanced.regular[row])
    table, signals, events = advanced.bars.table, advanced.signals, advanced.episodes
    return Facts(
        start=int(signals.start[row]),
        open=float(table.open[bar]),
        high=float(table.high[bar]),
        low=float(table.low[bar]),
        close=float(table.close[bar]),
        volume=float(table.volume[bar]),
        trades=int(table.trades[bar]),
        first_offset=int(table.first_offset[bar]),
        last_offset=int(table.last_offset[bar]),
        revision=int(table.revision[bar]),
        flags=int(table.flags[bar]),
        log_return=float(advanced.bars.log_return[bar]),
        elapsed=int(advanced.bars.elapsed[bar]),
        statistic=float(signals.statistic[row]),
        z=float(signals.z[row]),
        ratio=float(events.ratio[row]),
        log_range=float(signals.log_range[row]),
        expected_log_range=float(signals.expected_log_range[row]),
        per_year=float(advanced.per_year[row]),
        baseline_bars=int(events.baseline_bars[row]),
        profile_days=int(events.profile_days[row]),
    )
