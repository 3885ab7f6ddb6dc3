"""How a bar behind an alert is judged, told and held against its row: by the default detector, or by a rule."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Generic

from volwatch.analytics.anatomy import Anatomy, dissect
from volwatch.analytics.rules.anatomy import RuleAnatomy, dissect_rule
from volwatch.analytics.rules.rule import Rule
from volwatch.operations import explain_rule, explain_text
from volwatch.operations.explain_rerun import Dissect, Judged, Range
from volwatch.operations.explain_verdict import Difference, differences, differences_of_rule
from volwatch.warehouse.explained import StoredAlert


@dataclass(frozen=True, slots=True)
class Manner(Generic[Judged]):
    """What can be done with a bar that is judged one way.

    Attributes
    ----------
    steps, chart : as lines for a person; the chart with the bars before.
    facts : as JSON has it.
    opens : whether the engine opens an alert on it.
    differences : from the row of an alert; the last argument is the hash of the settings.
    """

    dissect: Dissect[Judged]
    steps: Callable[[Judged], list[str]]
    chart: Callable[[Sequence[Range], Judged], list[str]]
    facts: Callable[[Judged], dict[str, object]]
    opens: Callable[[Judged], bool]
    differences: Callable[[StoredAlert, Judged, str], list[Difference]]


def of_detector() -> Manner[Anatomy]:
    """Return the manner of the default detector."""
    return Manner(dissect, explain_text.steps, explain_text.chart, _facts, lambda anatomy: anatomy.opened, differences)


def of_rule(rule: Rule) -> Manner[RuleAnatomy]:
    """Return the manner of a rule; ranges have no say in it, so that no chart of them is shown."""
    return Manner(
        partial(dissect_rule, rule),
        explain_rule.steps,
        lambda _before, _anatomy: [],
        _facts_of_rule,
        lambda anatomy: anatomy.opened,
        differences_of_rule,
    )


def finite(values: Mapping[str, Any]) -> dict[str, object]:
    """Return values as JSON has them: what is no number, or infinite, is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }


def _facts(anatomy: Anatomy) -> dict[str, object]:
    """Return every step."""
    more: dict[str, object] = {
        "burst_statistic": anatomy.burst_statistic,
        "channel": anatomy.channel,
        "severity_rules": [name for names in anatomy.rules.values() for name in names],
    }
    return _with_verdict(anatomy, more)


def _facts_of_rule(anatomy: RuleAnatomy) -> dict[str, object]:
    """Return every step."""
    return _with_verdict(anatomy, {"opened": anatomy.opened, "enter": anatomy.rule.enter})


def _with_verdict(anatomy: Anatomy | RuleAnatomy, more: dict[str, object]) -> dict[str, object]:
    found = asdict(anatomy) | more | {"hindrances": anatomy.hindrances, "agrees": anatomy.agrees}
    return finite(found | {"facts": finite(asdict(anatomy.facts))})
