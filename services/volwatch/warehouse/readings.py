"""What a reader of the warehouse returns where a table of rows would be too loose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from volwatch.reconcile import Reconciliation

AlertOrder = Literal["newest", "severity", "strongest", "longest", "symbol"]
"""What a list of alerts begins with; those that are equal in that stand newest first."""


class Series(NamedTuple):
    """One symbol as one source tells it."""

    source: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a series' bars, and how finely it is looked at.

    Attributes
    ----------
    start, end : datetime
        Bars that start in [start, end).
    bar_seconds : int
        60 or 86,400.
    step_seconds : int
        One row for each such step; that of the bars leaves them as they are.
    """

    start: datetime
    end: datetime
    bar_seconds: int
    step_seconds: int

    def parameters(self) -> dict[str, object]:
        """Return what the statements are told."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old the data is, by the clock of the server.

    Attributes
    ----------
    now : datetime
        The server's time.
    newest_event : datetime or None
        Event time of the newest trade that was loaded; None when nothing ever was.
    last_run : datetime or None
        When the pipeline last finished a run.
    """

    now: datetime
    newest_event: datetime | None
    last_run: datetime | None

    @property
    def event_age_seconds(self) -> float | None:
        """Age of the newest trade; None when there is none."""
        return _age_seconds(self.now, self.newest_event)

    @property
    def run_age_seconds(self) -> float | None:
        """Time since the pipeline last finished; None when it never did."""
        return _age_seconds(self.now, self.last_run)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts are asked for; an empty tuple or None leaves a property free.

    Attributes
    ----------
    states, severities : tuple of str
        Any of these.
    source, symbol : str or None
        Exactly this.
    start, end : datetime or None
        Onset bar in [start, end).
    kinds : tuple of str
        Any of these.
    """

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    source: str | None = None
    symbol: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert with its WHY and with what people did about it; fields as the columns of ``stock_alerts``."""

    alert_id: str
    source: str
    symbol: str
    kind: str
    state: str
    severity: str
    confirmed: bool
    onset_bar: datetime
    closed_at: datetime | None
    statistic: float
    threshold: float
    sentence: str
    why: Mapping[str, Any]
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None
    detector: str = ""
    detector_version: str = ""
    detected_at: datetime | None = None
    recorded_at: datetime | None = None
    market_alert_id: str | None = None
    false_positive: bool | None = None
    false_positive_by: str | None = None
    false_positive_at: datetime | None = None
    silenced: bool = False


class ListedAlert(NamedTuple):
    """One alert as a list shows it, without its WHY; ``silenced`` is of now."""

    alert_id: str
    onset_bar: datetime
    source: str
    symbol: str
    kind: str
    state: str
    severity: str
    confirmed: bool
    statistic: float
    threshold: float
    sentence: str
    closed_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    note: str | None
    market_alert_id: str | None
    false_positive: bool | None
    silenced: bool


class Silence(NamedTuple):
    """Alerts that are not told for a while; a scope of None is any, ``in_force`` is of now."""

    silence_id: int
    source: str | None
    symbol: str | None
    kind: str | None
    everything: bool
    starts_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    made_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    in_force: bool

    @property
    def scope(self) -> str:
        """What it is of, in words."""
        named = {"source": self.source, "symbol": self.symbol, "kind": self.kind}
        return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None) or "everything"


class DetectorQuality(NamedTuple):
    """How good the alerts of a detector and kind were in the last 90 days; None where nobody judged any."""

    detector: str
    kind: str
    false_positive_rate: float | None
    median_acknowledge_seconds: float | None
    p90_acknowledge_seconds: float | None


class Troubles(NamedTuple):
    """What of the record should not be, as counts.

    Attributes
    ----------
    alert_differences : int
        Steps of alerts on final bars that only one of detector and minute path found.
    unreadable_objects : int
        Raw zone objects that could not be read.
    blind : int
        Open alerts of what cannot be seen.
    """

    alert_differences: int
    unreadable_objects: int
    blind: int


@dataclass(frozen=True, slots=True)
class LiveSeries:
    """A series of which something came within the last week.

    Attributes
    ----------
    calendar : str or None
        That of the watch-list; None: the one that its form tells.
    newest_bar : datetime
        End of its newest bar of regular hours.
    """

    series: Series
    calendar: str | None
    newest_bar: datetime


@dataclass(frozen=True, slots=True)
class PipelineTotals:
    """What the pipeline's runs left behind, for the metrics that no run lives long enough to serve.

    Attributes
    ----------
    freshness : Freshness
        How old it all is.
    rows : mapping of str to int
        Trades by outcome: ``loaded``, ``rejected``.
    load_gaps : int
        Offsets that no raw object has.
    open_alerts : mapping of str to int
        Open alerts by severity.
    alert_differences : int
        Steps of alerts on final bars that only one of detector and minute path found.
    blind : mapping of (str, str) to int
        1 for each source and what of it an open alert says cannot be seen.
    silenced_alerts : int
        How many of them are silenced now.
    alert_quality : tuple of DetectorQuality
        What people said of the alerts of the last 90 days.
    unreadable_objects : mapping of str to int
        Raw zone objects that could not be read, by reason.
    quarantined_1d : mapping of str to int
        Trades set aside within the last day, by reason.
    live : tuple of LiveSeries
        The series of the last week.
    reconcile_difference_rows : int
        Rows missing somewhere: the most that the newest whole reconciliation, or one since, has found.
    reconciled : tuple of Reconciliation
        The newest whole reconciliation, by partition.
    """

    freshness: Freshness
    rows: Mapping[str, int] = field(default_factory=dict)
    load_gaps: int = 0
    open_alerts: Mapping[str, int] = field(default_factory=dict)
    alert_differences: int = 0
    blind: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    silenced_alerts: int = 0
    alert_quality: tuple[DetectorQuality, ...] = ()
    unreadable_objects: Mapping[str, int] = field(default_factory=dict)
    quarantined_1d: Mapping[str, int] = field(default_factory=dict)
    live: tuple[LiveSeries, ...] = ()
    reconcile_difference_rows: int = 0
    reconciled: tuple[Reconciliation, ...] = ()


def _age_seconds(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else max(0.0, (now - then).total_seconds())
