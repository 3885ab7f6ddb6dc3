"""What a page needs of the warehouse. ``volwatch.warehouse.reader.Reader`` is the real one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import pandas as pd

from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.readings import Alert, AlertFilter, AlertOrder, Freshness, Series, Silence, Span, Troubles

ACTS = frozenset({"acknowledge", "annotate", "mark_false_positive", "silence", "end_silence"})
"""The methods by which people write."""


class DashboardReader(Protocol):
    """Answers the pages' questions; every method raises ``Transient`` when it cannot answer now, and
    those that write raise ``BadInput`` when the warehouse does not take what it is given."""

    def freshness(self) -> Freshness:
        """Return how old the data is."""

    def series(self) -> list[Series]:
        """Return every series that has bars, in order."""

    def overview(self, bars: int, ratio_bars: int) -> pd.DataFrame:
        """Return one row per series: newest price, volatility, statistic, standing and open alert, its last closes, and
        its range against the usual one, over the last ``ratio_bars`` judged bars."""

    def ratios(self, start: datetime, end: datetime, bin_seconds: int) -> pd.DataFrame:
        """Return the range of bars in [start, end) against the usual one, by series and time, oldest first."""

    def newest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        """Return the start of a series' newest bar."""

    def oldest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        """Return the start of a series' oldest bar."""

    def calendar(self, series: Series) -> str:
        """Return the name of the calendar that a series follows."""

    def bars(self, series: Series, start: datetime, end: datetime, bar_seconds: int) -> pd.DataFrame:
        """Return a series' bars in [start, end), oldest first."""

    def candles(self, series: Series, span: Span) -> pd.DataFrame:
        """Return a series' bars of a span as one for each step, oldest first."""

    def volatility(self, series: Series, span: Span, estimators: Sequence[str]) -> pd.DataFrame:
        """Return the newest estimate of each step, oldest first."""

    def signals(self, series: Series, span: Span) -> pd.DataFrame:
        """Return the highest statistic of each step with its threshold, oldest first."""

    def usual(self, series: Series, estimator: str, moments: Sequence[datetime], zone: str, days: int) -> pd.DataFrame:
        """Return what a one-minute estimate was at the same time of day on the days before, for each moment that has
        any such, oldest first."""

    def alerts(self, asked: AlertFilter, limit: int, order: AlertOrder = "newest") -> pd.DataFrame:
        """Return the first alerts in an order of those that pass the filter."""

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert, or None when there is none of this id."""

    def alert_events(self, alert_id: str) -> pd.DataFrame:
        """Return what happened to an alert, newest first."""

    def judged_bars(self, series: Series, start: datetime, end: datetime) -> pd.DataFrame:
        """Return a series' minute bars in [start, end) with what the detector said of each, oldest first."""

    def alert_quality(self, source: str | None, symbol: str | None) -> pd.DataFrame:
        """Return how good the alerts of the last 90 days were by series, kind and detector, the most frequent first."""

    def silences(self) -> list[Silence]:
        """Return the silences that are not over, the newest first."""

    def acknowledge(self, alert_id: str, person: str, remark: str | None) -> bool:
        """Record that a person has seen an alert; False when somebody already had."""

    def annotate(self, alert_id: str, person: str, remark: str) -> bool:
        """Write a note to an alert; False when there is no such alert."""

    def mark_false_positive(self, alert_id: str, person: str, remark: str | None, *, is_false: bool) -> bool:
        """Record, or withdraw, that an alert was none; False when that is so already."""

    def silence(self, person: str, reason: str, scope: Scope, duration: timedelta) -> int:
        """Let alerts of a scope not be told for some time from now; return the silence's number."""

    def end_silence(self, silence_id: int, person: str) -> bool:
        """End a silence before its time; False when it is over."""

    def hops(self) -> pd.DataFrame:
        """Return what each step of the minute path wrote in the last day."""

    def detector(self) -> pd.DataFrame:
        """Return how far the detector has come in each Kafka partition, and how old that is."""

    def troubles(self) -> Troubles:
        """Return what of the record should not be."""

    def runs(self, limit: int) -> pd.DataFrame:
        """Return the newest runs of the pipeline, newest first."""

    def positions(self) -> pd.DataFrame:
        """Return how far each Kafka partition is loaded."""

    def quarantine(self) -> pd.DataFrame:
        """Return the last day's rejected trades by reason."""

    def channels(self) -> pd.DataFrame:
        """Return how each channel of the notifier fares."""

    def reconciliation(self) -> pd.DataFrame:
        """Return the newest reconciliation, one row per Kafka partition."""
