"""The labels of a market: which symbols had which events, and from which day on onsets count. Pure."""

from dataclasses import dataclass

from volwatch.analytics.trades import Int64

NULL = "null"
"""What the names of scenarios without events begin with."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The events of a labelled set of bars.

    Attributes
    ----------
    scenario : dict
        Symbol to the one scenario that it follows.
    events : dict
        Symbol to the starts of the first and the last bar of its events, epoch ms, shape (k, 2), in order of the file.
    first_ms : int
        Start of the first evaluation day; what comes before does not count.
    days : int
        Evaluation days of each symbol.
    """

    scenario: dict[str, str]
    events: dict[str, Int64]
    first_ms: int
    days: int
