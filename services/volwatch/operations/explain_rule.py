"""An alert of a rule explained: which of the given rules raised it, and each step from prices to verdict."""

import math
from collections.abc import Sequence

from volwatch.alerts import alert_id
from volwatch.analytics.calendars import MINUTE_MS
from volwatch.analytics.rules.anatomy import RuleAnatomy
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove
from volwatch.operations.explain_text import bar, clock, line, verdict
from volwatch.warehouse.explained import StoredAlert

NOT_GIVEN = "its rule is not among the given ones: set VOLWATCH_PIPELINE_RULES_FILE as it was"


def rule_of(alert: StoredAlert, rules: Sequence[Rule]) -> Rule | None:
    """Return the one of some rules that raises an alert of this id; a rule with other parameters raises others."""
    onset_ms = round(alert.onset_bar.timestamp() * 1000)
    key = alert.source, alert.symbol, alert.kind, onset_ms
    return next((rule for rule in rules if str(alert_id(*key, rule.name, rule.version)) == alert.alert_id), None)


def steps(anatomy: RuleAnatomy) -> list[str]:
    """Return every step between a bar's prices and what a rule says of it, a line each."""
    rule, facts = anatomy.rule, anatomy.facts
    measured = _of_move(anatomy, rule) if isinstance(rule, Move) else _of_estimator(anatomy, rule)
    return [
        *bar(facts, complete=anatomy.complete, final=anatomy.final),
        line("rule", f"{rule.name} {rule.version}, {rule.severity}"),
        *measured,
        line("opens at", f"{rule.enter * 100:g} %, ends below {rule.leave * 100:g} %"),
        line("trades", f"{facts.trades}, of at least {rule.min_trades}"),
        *verdict(anatomy.hindrances, agrees=anatomy.agrees),
    ]


def _of_move(anatomy: RuleAnatomy, rule: Move) -> list[str]:
    facts, start = anatomy.facts, anatomy.reference_start
    span = f"{rule.minutes} min before the bar"
    if start is None or facts.reference is None:
        return [
            line("reference P", f"none: there is no bar {span} within the session, or a halt or a gap lies between")
        ]
    older = (facts.start - start) // MINUTE_MS - rule.minutes
    before = f", the last one {span}" if older else f", {span}"
    return [
        line("reference P", f"{facts.reference:g}  (close of {clock(start)}{before})"),
        line("up", f"H/P − 1 = {facts.high:g}/{facts.reference:g} − 1 = {anatomy.up * 100:+.4f} %"),
        line("down", f"1 − L/P = 1 − {facts.low:g}/{facts.reference:g} = {anatomy.down * 100:+.4f} %"),
        line("move", f"{facts.statistic * 100:.4f} %  (the larger)"),
    ]


def _of_estimator(anatomy: RuleAnatomy, rule: Rule) -> list[str]:
    assert isinstance(rule, VolatilityAbove)  # noqa: S101 - there is no third kind
    value = anatomy.facts.statistic
    window = f"{anatomy.terms} terms in a window of {anatomy.window} bars"
    undefined = "undefined: too little data" if anatomy.complete else "not judged while the bar is open"
    return [
        line("estimator", f"{rule.estimator}, {window}"),
        line("volatility", f"{value * 100:.4f} % a year" if math.isfinite(value) else undefined),
    ]
