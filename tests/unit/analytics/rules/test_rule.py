"""What a rule is for, and how it is told from others."""

from dataclasses import replace

import pytest

from volwatch.analytics.rules.override import Override, enter_of
from volwatch.analytics.rules.rule import Move, Rule, VolatilityAbove

RULE = Move("a", percent=2.0, minutes=5)


@pytest.mark.parametrize(
    "other",
    [
        replace(RULE, percent=2.5),
        replace(RULE, minutes=6),
        replace(RULE, severity="LOW"),
        replace(RULE, symbols=("A",)),
        replace(RULE, min_trades=3),
        replace(RULE, exit_fraction=0.5),
        VolatilityAbove("a"),
    ],
)
def test_a_version_changes_with_any_parameter(other: Rule) -> None:
    assert other.version != RULE.version
    assert len(other.version) == 8


def test_a_version_is_the_same_wherever_it_is_computed() -> None:
    """Ids of alerts hold it: these were written down when the first were given out."""
    assert (RULE.version, VolatilityAbove("a").version) == ("a27b3f78", "be31265d")


def test_where_a_rule_enters_and_leaves() -> None:
    assert (RULE.enter, RULE.leave) == (0.02, 0.8 * 0.02)
    assert VolatilityAbove("v", threshold=0.5, exit_fraction=1.0).leave == 0.5


@pytest.mark.parametrize(
    ("symbols", "sources", "watched"),
    [
        (("*",), ("*",), True),
        (("AA*", "B"), ("*",), True),
        (("aapl",), ("*",), False),
        (("*",), ("finn*",), True),
        (("*",), ("simulator",), False),
    ],
)
def test_a_series_is_watched_that_matches_a_pattern_of_each(
    symbols: tuple[str, ...], sources: tuple[str, ...], watched: bool
) -> None:
    assert Move("m", symbols=symbols, sources=sources).watches(("finnhub", "AAPL")) == watched


def test_the_first_override_that_covers_a_series_counts() -> None:
    overrides = (Override("A", "finnhub", enter=5.0), Override("A", off=True), Override("*", enter=4.5))
    assert enter_of(overrides, ("finnhub", "A"), 3.8) == 5.0
    assert enter_of(overrides, ("simulator", "A"), 3.8) == float("inf")
    assert enter_of(overrides, ("simulator", "B"), 3.8) == 4.5
    assert enter_of((), ("simulator", "B"), 3.8) == 3.8
