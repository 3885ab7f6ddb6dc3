"""A stored alert against what the raw zone gives anew: number by number, of the default detector and of rules."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from volwatch.alerts import explain
from volwatch.analytics.anatomy import Anatomy
from volwatch.analytics.detector import KINDS, REOPEN, SEVERITIES, VOLATILITY
from volwatch.analytics.results import Transition
from volwatch.analytics.rules.anatomy import RuleAnatomy
from volwatch.warehouse.explained import StoredAlert

TOLERANCE = 1e-9
"""Relative: the engine gives the same bits on one machine, numpy's logarithms may differ in the last on another."""
_COMPARED = (
    "statistic", "threshold", "channel", "z", "ratio", "ratio_three_bars", "volatility", "expected_volatility",
    "baseline_bars", "profile_days", "offsets",
)  # fmt: skip
_OF_RULE = ("rule", "reference_price", "detector")
_OF_BAR = ("start", "open", "high", "low", "close", "volume", "trades", "move", "elapsed_bars")


@dataclass(frozen=True, slots=True)
class Difference:
    """A number that is not what is stored."""

    name: str
    stored: object
    found: object


def why_of(alert: StoredAlert, anatomy: Anatomy, config_hash: str) -> dict[str, object]:
    """Return WHY as the platform would store it of a bar."""
    return explain(_step(alert, anatomy), anatomy.facts, anatomy.enter, config_hash).why


def why_of_rule(alert: StoredAlert, anatomy: RuleAnatomy, config_hash: str) -> dict[str, object]:
    """Return WHY as the platform would store it of a bar under a rule."""
    return explain(_step_of_rule(alert, anatomy), anatomy.facts, anatomy.rule.enter, config_hash).why


def differences(alert: StoredAlert, anatomy: Anatomy, config_hash: str) -> list[Difference]:
    """Return where a bar gives other numbers than those stored with the alert."""
    found = _of_why(alert, why_of(alert, anatomy, config_hash), _COMPARED)
    kind = kind_of(anatomy)
    return found if alert.kind == kind else [*found, Difference("kind", alert.kind, kind)]


def differences_of_rule(alert: StoredAlert, anatomy: RuleAnatomy, config_hash: str) -> list[Difference]:
    """Return the same of a bar under a rule; what the row says of rule, limit and severity counts too."""
    found = _of_why(alert, why_of_rule(alert, anatomy, config_hash), (*_COMPARED, *_OF_RULE))
    columns = (("severity", alert.severity, anatomy.rule.severity), ("limit", alert.threshold, anatomy.rule.enter))
    return [*found, *_unequal(columns)]


def kind_of(anatomy: Anatomy) -> str:
    """Return the kind of alert that a bar may raise."""
    return KINDS[REOPEN if anatomy.apart == "REOPEN" else VOLATILITY]


def _of_why(alert: StoredAlert, found: Mapping[str, Any], names: Sequence[str]) -> list[Difference]:
    bar, stored_bar = _mapping(found["bar"]), _mapping(alert.why.get("bar"))
    pairs = [(name, alert.why.get(name), found[name]) for name in names]
    return _unequal([*pairs, *((f"bar {name}", stored_bar.get(name), bar[name]) for name in _OF_BAR)])


def _unequal(pairs: Iterable[tuple[str, object, object]]) -> list[Difference]:
    return [Difference(name, stored, found) for name, stored, found in pairs if not _is_same(stored, found)]


def _step(alert: StoredAlert, anatomy: Anatomy) -> Transition:
    return Transition(
        source=alert.source,
        symbol=alert.symbol,
        kind=alert.kind,
        state="OPEN",
        severity=SEVERITIES[anatomy.severity],
        onset=anatomy.facts.start,
        bar=anatomy.facts.start,
        peak=anatomy.facts.statistic,
        final=anatomy.final,
        watermark=0,
        facts=anatomy.facts,
    )


def _step_of_rule(alert: StoredAlert, anatomy: RuleAnatomy) -> Transition:
    rule, facts = anatomy.rule, anatomy.facts
    return Transition(
        source=alert.source,
        symbol=alert.symbol,
        kind=alert.kind,
        state="OPEN",
        severity=rule.severity,
        onset=facts.start,
        bar=facts.start,
        peak=facts.statistic,
        final=anatomy.final,
        watermark=0,
        facts=facts,
        threshold=rule.enter,
        detector=rule.name,
        detector_version=rule.version,
        rule=rule,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_same(stored: object, found: object) -> bool:
    if isinstance(stored, int | float) and isinstance(found, int | float):
        return math.isclose(stored, found, rel_tol=TOLERANCE, abs_tol=1e-12)
    return stored == found
