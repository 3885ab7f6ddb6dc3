"""From what happens to the rules' alerts to the steps in their lives: as ``episodes`` has it of the default detector.
What is final is told once and in order; what may still change is told as such, and taken back when its bar becomes
final and says otherwise. An alert whose rule was changed or dropped is ended.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from volwatch.analytics.episodes import facts_of
from volwatch.analytics.minutes import Advanced
from volwatch.analytics.results import Transition
from volwatch.analytics.rules.evaluate import RuleEvent
from volwatch.analytics.rules.held import ToldRule
from volwatch.analytics.rules.hold import CLOSED, OPENED
from volwatch.analytics.rules.rule import KIND, Rule
from volwatch.analytics.state import EngineState


def final_rule_transitions(
    state: EngineState, final: Advanced, rules: tuple[Rule, ...], became_final: Callable[[int], int]
) -> list[Transition]:
    """Return retractions, then the steps of final bars in order of (bar, series); note them in the state."""
    told = list(_retractions(state, final, rules, became_final))
    signals = final.signals

    def place(one: RuleEvent) -> tuple[int, int]:
        return int(signals.start[one.event.row]), int(signals.series[one.event.row])

    for one in sorted(final.rules, key=place):
        bar, series = place(one)
        known = state.rules.told.setdefault(one.rule.key, {})
        if one.event.state == CLOSED:
            known.pop(series, None)
        else:
            # A late trade may have moved the onset forward, to before the bar on which the alert was first told.
            held = known.get(series)
            if held is not None and not held.confirmed and held.onset != one.event.onset:
                told.append(_step(state, one.rule.key, series, held, "RETRACTED", became_final(bar)))
            known[series] = ToldRule(one.event.onset, one.rule.severity, confirmed=True)
        told.append(_transition(state, final, one, became_final(bar), final=True))
    return told


def provisional_rule_transitions(state: EngineState, preview: Advanced) -> list[Transition]:
    """Return the openings that bars which may still change call for; note them in the state.

    Nothing is closed before its bar is final; so a rule whose alert of a series is open opens no second one here.
    """
    told = []
    for one in preview.rules:
        series = int(preview.signals.series[one.event.row])
        known = state.rules.told.setdefault(one.rule.key, {})
        if one.event.state == OPENED and series not in known:
            now = state.watermarks[state.series[series][0]]
            told.append(_transition(state, preview, one, now, final=False))
            known[series] = ToldRule(one.event.onset, one.rule.severity, confirmed=False)
    return told


def ends_of_dropped(
    state: EngineState, rules: tuple[Rule, ...], became_final: Callable[[int], int]
) -> list[Transition]:
    """Return the ends of the alerts whose rule was changed or dropped, which no bar would end; forget them."""
    kept = {rule.key for rule in rules}
    told = []
    for key in sorted((state.rules.told.keys() | state.rules.holds.keys()) - kept):
        holds = state.rules.holds.pop(key, {})
        for series, held in sorted(state.rules.told.pop(key, {}).items()):
            if held.confirmed and series in holds:
                bar, peak = int(state.minutes.start[series]), holds[series].peak
                step = _step(state, key, series, held, CLOSED, became_final(bar))
                told.append(replace(step, bar=bar, peak=peak))
            else:
                told.append(_step(state, key, series, held, "RETRACTED", became_final(held.onset)))
    return told


def interleaved(first: list[Transition], second: list[Transition]) -> list[Transition]:
    """Return the steps of both in order of their bars, each that is taken back before the step that follows it."""

    def placed(steps: list[Transition]) -> Iterator[tuple[int, Transition]]:
        place = None
        for step in reversed(steps):
            if step.state != "RETRACTED" or place is None:
                place = step.bar
            yield place, step

    both = [*reversed([*placed(first)]), *reversed([*placed(second)])]
    return [step for _, step in sorted(both, key=lambda one: one[0])]


def _retractions(
    state: EngineState, final: Advanced, rules: tuple[Rule, ...], became_final: Callable[[int], int]
) -> Iterator[Transition]:
    """Yield the retraction of each alert that was opened on a bar which, now final, opens none."""
    opened = {
        (one.rule.key, int(final.signals.series[one.event.row]), one.event.onset)
        for one in final.rules
        if one.event.state == OPENED
    }
    for rule in rules:
        known = state.rules.told.get(rule.key, {})
        for series, held in sorted(known.items()):
            passed = held.onset <= state.minutes.start[series]
            if not held.confirmed and passed and (rule.key, series, held.onset) not in opened:
                yield _step(state, rule.key, series, held, "RETRACTED", became_final(held.onset))
                del known[series]


def _step(state: EngineState, key: str, series: int, held: ToldRule, name: str, watermark: int) -> Transition:
    """Return a step that no bar explains."""
    source, symbol = state.series[series]
    rule, _, version = key.rpartition(":")
    return Transition(
        source=source,
        symbol=symbol,
        kind=KIND,
        state=name,
        severity=held.severity,
        onset=held.onset,
        bar=held.onset,
        peak=0.0,
        final=True,
        watermark=watermark,
        facts=None,
        detector=rule,
        detector_version=version,
    )


def _transition(state: EngineState, advanced: Advanced, one: RuleEvent, watermark: int, final: bool) -> Transition:
    row, rule = one.event.row, one.rule
    source, symbol = state.series[int(advanced.signals.series[row])]
    return Transition(
        source=source,
        symbol=symbol,
        kind=KIND,
        state=one.event.state,
        severity=rule.severity,
        onset=one.event.onset,
        bar=int(advanced.signals.start[row]),
        peak=one.event.peak,
        final=final,
        watermark=watermark,
        facts=replace(facts_of(advanced, row), statistic=one.statistic, reference=one.reference),
        threshold=rule.enter,
        detector=rule.name,
        detector_version=rule.version,
        rule=rule,
    )
