"""Where the default detector opens at another statistic for some series, or at none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from volwatch.analytics.rules.rule import matches
from volwatch.analytics.trades import Series


@dataclass(frozen=True, slots=True)
class Override:
    """What holds for the series that match both patterns.

    Attributes
    ----------
    enter : statistic at which the default detector opens an alert; None leaves it at the setting.
    off : it opens none.
    """

    symbol: str = "*"
    source: str = "*"
    enter: float | None = None
    off: bool = False

    @property
    def statistic(self) -> float | None:
        """The statistic that is needed: infinite where none is enough."""
        return math.inf if self.off else self.enter

    def covers(self, series: Series) -> bool:
        """Return whether it is for a series."""
        return matches((self.source,), series[0]) and matches((self.symbol,), series[1])


def enter_of(overrides: Sequence[Override], series: Series, usual: float) -> float:
    """Return the statistic at which the default detector opens for a series: the first override for it tells."""
    for override in overrides:
        if override.covers(series) and override.statistic is not None:
            return override.statistic
    return usual
