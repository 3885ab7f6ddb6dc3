"""What the engine may be told: all of it goes into the hash that is stored beside each alert."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from volwatch.analytics.calendars import MINUTE_MS, Calendar, calendar_for, calendar_named
from volwatch.analytics.rules.override import Override
from volwatch.analytics.rules.rule import Rule


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of the numerical core.

    Attributes
    ----------
    lateness_seconds : a bar is final when the watermark has passed its end by this much.
    minute_window, day_window : terms of the windowed estimators on one-minute and daily bars.
    minute_half_life : of the EWMA on one-minute bars, in minutes.
    day_decay : λ of the EWMA on daily bars (RiskMetrics 1996: 0.94).
    enter : statistic at which the detector opens an alert.
    risk_free_rate : annual, a decimal.
    quote_sources : sources whose size-0 records are prices.
    outlier_filter : whether suspicious prints are held back (``filters``).
    condition_tables : source to the name of the table that reads its sale conditions (``conditions.TABLES``).
    calendar_names : calendar of a symbol, where it is not given by the symbol's form.
    calendars : calendars that are not built in, by name.
    rules : what users watch beside the default detector.
    overrides : series for which the default detector opens at another statistic, or not at all.
    """

    lateness_seconds: int = 120
    minute_window: int = 30
    day_window: int = 20
    minute_half_life: float = 30.0
    day_decay: float = 0.94
    enter: float = 3.8
    risk_free_rate: float = 0.0
    quote_sources: tuple[str, ...] = ("finnhub-quote",)
    outlier_filter: bool = True
    condition_tables: Mapping[str, str] = field(default_factory=dict)
    calendar_names: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    overrides: tuple[Override, ...] = ()

    def calendar_name(self, source: str, symbol: str) -> str:
        """Return the name of the calendar of a series."""
        return self.calendar_names.get(symbol) or calendar_for(source, symbol)

    def calendar(self, name: str) -> Calendar:
        """Return a calendar by name."""
        return self.calendars[name] if name in self.calendars else calendar_named(name)

    def final_before(self, watermark: int) -> int:
        """Return before which start bars are final at a watermark; both epoch ms."""
        return watermark - self.lateness_seconds * 1000 - MINUTE_MS + 1

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        facts = asdict(self) | {"calendars": sorted(self.calendars)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def min_obs(window: int) -> int:
    """Return the least number of terms for which a value is shown."""
    return max(10, window // 2)
