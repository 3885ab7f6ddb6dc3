"""A reader over frames in memory, and a small market for it to read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pandas as pd

from dashboard.display import Display
from volwatch.errors import BadInput, Transient
from volwatch.warehouse.alert_acts import Scope
from volwatch.warehouse.readings import Alert, AlertFilter, AlertOrder, Freshness, Series, Silence, Span, Troubles

NOW = datetime(2026, 1, 5, 15, 0, 30, tzinfo=UTC)
NEWEST_BAR = NOW.replace(second=0) - timedelta(minutes=1)
ALERT_ID = "8a6e0804-2bd0-5672-b79d-d97027f9071a"
AAPL = Series("simulator", "AAPL")
MINUTE = 60


def no_rows(columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in columns.split()})


EMPTY_BARS = no_rows("bar_start open high low close volume vwap trades log_return final")
EMPTY_ESTIMATES = no_rows("bar_start estimator window_bars value null_reason standard_error n_obs annualisation final")
EMPTY_SIGNALS = no_rows("bar_start statistic threshold null_reason z log_range expected_log_range final")
EMPTY_ALERTS = no_rows(
    "alert_id onset_bar source symbol kind state severity confirmed statistic threshold sentence closed_at "
    "acknowledged_by acknowledged_at note market_alert_id false_positive silenced"
)
EMPTY_QUALITY = no_rows(
    "source symbol kind detector detector_version alerts retracted acknowledged false_positives judged "
    "false_positive_rate median_acknowledge_seconds p90_acknowledge_seconds"
)
EMPTY_EVENTS = no_rows("happened_at event severity bar_start actor detail")
EMPTY_OVERVIEW = no_rows(
    "source symbol close change_last_bar change_all_bars closes newest_bar newest_trade age_seconds cc cc_null_reason "
    "ewma ewma_null_reason annualisation statistic threshold statistic_null_reason ratio ratios standing alert_state "
    "alert_severity"
)
EMPTY_USUAL = no_rows("bar_start window_bars low middle high days")
EMPTY_RATIOS = no_rows("source symbol bin_start ratio")
EMPTY_HOPS = no_rows("hop rows_per_minute rows_last_run rows_1d last_rows_at age_seconds lag_seconds")
EMPTY_DETECTOR = no_rows("kafka_partition next_offset ahead updated_at age_seconds lag_seconds")
EMPTY_RUNS = no_rows(
    "finished_at duration_seconds objects rows_loaded rows_rejected bars volatility alerts newest_event "
    "event_lag_seconds"
)
EMPTY_POSITIONS = no_rows("kafka_partition next_offset gaps updated_at age_seconds object_key rows_loaded")
EMPTY_QUARANTINE = no_rows("reason rows_1d newest source symbol record")
EMPTY_RECONCILIATION = no_rows(
    "checked_at kafka_partition kafka_first kafka_end raw_rows loaded_rows rejected_rows missing_raw unloaded"
)
EMPTY_CHANNELS = no_rows(
    "channel kind up failures waiting waiting_seconds sent_1d refused_1d success_age_seconds last_error"
)


@dataclass
class FakeReader:
    """Answers from its frames; raises ``Transient`` while ``away``."""

    freshness_now: Freshness = field(default_factory=lambda: Freshness(NOW, None, None))
    known: list[Series] = field(default_factory=list)
    overview_rows: pd.DataFrame = field(default_factory=EMPTY_OVERVIEW.copy)
    usual_rows: pd.DataFrame = field(default_factory=EMPTY_USUAL.copy)
    ratio_rows: pd.DataFrame = field(default_factory=EMPTY_RATIOS.copy)
    bar_rows: pd.DataFrame = field(default_factory=EMPTY_BARS.copy)
    minute_estimates: pd.DataFrame = field(default_factory=EMPTY_ESTIMATES.copy)
    day_estimates: pd.DataFrame = field(default_factory=EMPTY_ESTIMATES.copy)
    signal_rows: pd.DataFrame = field(default_factory=EMPTY_SIGNALS.copy)
    alert_rows: dict[str, Alert] = field(default_factory=dict)
    hop_rows: pd.DataFrame = field(default_factory=EMPTY_HOPS.copy)
    detector_rows: pd.DataFrame = field(default_factory=EMPTY_DETECTOR.copy)
    troubles_now: Troubles = field(default_factory=lambda: Troubles(0, 0, 0))
    run_rows: pd.DataFrame = field(default_factory=EMPTY_RUNS.copy)
    position_rows: pd.DataFrame = field(default_factory=EMPTY_POSITIONS.copy)
    quarantine_rows: pd.DataFrame = field(default_factory=EMPTY_QUARANTINE.copy)
    reconciliation_rows: pd.DataFrame = field(default_factory=EMPTY_RECONCILIATION.copy)
    quality_rows: pd.DataFrame = field(default_factory=EMPTY_QUALITY.copy)
    silenced: list[Silence] = field(default_factory=list)
    channel_rows: pd.DataFrame = field(default_factory=EMPTY_CHANNELS.copy)
    away: bool = False
    orders: list[AlertOrder] = field(default_factory=list)

    def _answer(self) -> None:
        if self.away:
            raise Transient("the server closed the connection")

    def freshness(self) -> Freshness:
        self._answer()
        return self.freshness_now

    def series(self) -> list[Series]:
        self._answer()
        return self.known

    def overview(self, bars: int, ratio_bars: int) -> pd.DataFrame:
        self._answer()
        return self.overview_rows

    def ratios(self, start: datetime, end: datetime, bin_seconds: int) -> pd.DataFrame:
        self._answer()
        return self.ratio_rows

    def newest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        self._answer()
        starts = self.bar_rows["bar_start"]
        return None if starts.empty or bar_seconds != MINUTE else starts.max().to_pydatetime()

    def oldest_bar(self, series: Series, bar_seconds: int) -> datetime | None:
        self._answer()
        starts = self.bar_rows["bar_start"]
        return None if starts.empty or bar_seconds != MINUTE else starts.min().to_pydatetime()

    def calendar(self, series: Series) -> str:
        self._answer()
        return "24/7"

    def bars(self, series: Series, start: datetime, end: datetime, bar_seconds: int) -> pd.DataFrame:
        self._answer()
        return _between(self.bar_rows, start, end)

    def candles(self, series: Series, span: Span) -> pd.DataFrame:
        self._answer()
        return _between(self.bar_rows, span.start, span.end)

    def volatility(self, series: Series, span: Span, estimators: Sequence[str]) -> pd.DataFrame:
        self._answer()
        held = self.minute_estimates if span.bar_seconds == MINUTE else self.day_estimates
        rows = _between(held, span.start, span.end)
        return rows[rows["estimator"].isin(list(estimators))]

    def signals(self, series: Series, span: Span) -> pd.DataFrame:
        self._answer()
        return _between(self.signal_rows, span.start, span.end)

    def usual(self, series: Series, estimator: str, moments: Sequence[datetime], zone: str, days: int) -> pd.DataFrame:
        self._answer()
        return self.usual_rows

    def alerts(self, asked: AlertFilter, limit: int, order: AlertOrder = "newest") -> pd.DataFrame:
        self._answer()
        self.orders.append(order)
        chosen = [alert for alert in self.alert_rows.values() if _passes(alert, asked)]
        rows = [{name: getattr(alert, name) for name in EMPTY_ALERTS.columns} for alert in chosen[:limit]]
        return pd.DataFrame(rows, columns=EMPTY_ALERTS.columns)

    def alert(self, alert_id: str) -> Alert | None:
        self._answer()
        return self.alert_rows.get(alert_id)

    def alert_events(self, alert_id: str) -> pd.DataFrame:
        self._answer()
        return EMPTY_EVENTS

    def acknowledge(self, alert_id: str, person: str, remark: str | None) -> bool:
        self._answer()
        alert = self.alert_rows[alert_id]
        if alert.acknowledged_at is not None:
            return False
        self.alert_rows[alert_id] = replace(alert, acknowledged_by=person, acknowledged_at=NOW, note=remark)
        return True

    def judged_bars(self, series: Series, start: datetime, end: datetime) -> pd.DataFrame:
        self._answer()
        if self.bar_rows.empty:
            return self.bar_rows
        judged = self.signal_rows[["bar_start", "statistic", "threshold", "log_range", "expected_log_range"]]
        return _between(self.bar_rows.merge(judged, on="bar_start", how="left"), start, end)

    def alert_quality(self, source: str | None, symbol: str | None) -> pd.DataFrame:
        self._answer()
        rows = self.quality_rows
        return rows if symbol is None else rows[rows["symbol"] == symbol]

    def silences(self) -> list[Silence]:
        self._answer()
        return self.silenced

    def annotate(self, alert_id: str, person: str, remark: str) -> bool:
        self._answer()
        if not remark:
            raise BadInput(["a note is needed"])
        self.alert_rows[alert_id] = replace(self.alert_rows[alert_id], note=f"{remark} ({person})")
        return True

    def mark_false_positive(self, alert_id: str, person: str, remark: str | None, *, is_false: bool) -> bool:
        self._answer()
        self.alert_rows[alert_id] = replace(
            self.alert_rows[alert_id], false_positive=is_false, false_positive_by=person, false_positive_at=NOW
        )
        return True

    def silence(self, person: str, reason: str, scope: Scope, duration: timedelta) -> int:
        self._answer()
        number = len(self.silenced) + 1
        of = (scope.source, scope.symbol, scope.kind, scope.everything)
        self.silenced.append(Silence(number, *of, NOW, NOW + duration, reason, person, NOW, None, None, in_force=True))
        return number

    def end_silence(self, silence_id: int, person: str) -> bool:
        self._answer()
        before = len(self.silenced)
        self.silenced = [each for each in self.silenced if each.silence_id != silence_id]
        return len(self.silenced) < before

    def hops(self) -> pd.DataFrame:
        self._answer()
        return self.hop_rows

    def detector(self) -> pd.DataFrame:
        self._answer()
        return self.detector_rows

    def troubles(self) -> Troubles:
        self._answer()
        return self.troubles_now

    def runs(self, limit: int) -> pd.DataFrame:
        self._answer()
        return self.run_rows

    def positions(self) -> pd.DataFrame:
        self._answer()
        return self.position_rows

    def quarantine(self) -> pd.DataFrame:
        self._answer()
        return self.quarantine_rows

    def channels(self) -> pd.DataFrame:
        self._answer()
        return self.channel_rows

    def reconciliation(self) -> pd.DataFrame:
        self._answer()
        return self.reconciliation_rows


def _between(rows: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
    return rows if rows.empty else rows[(rows["bar_start"] >= start) & (rows["bar_start"] < end)]


def _passes(alert: Alert, asked: AlertFilter) -> bool:
    return (
        (not asked.states or alert.state in asked.states)
        and (not asked.severities or alert.severity in asked.severities)
        and asked.symbol in (None, alert.symbol)
        and asked.source in (None, alert.source)
        and (asked.start is None or alert.onset_bar >= asked.start)
        and (asked.end is None or alert.onset_bar < asked.end)
    )


def display(stale_seconds: float = 180.0) -> Display:
    return Display(refresh_seconds=60.0, stale_seconds=stale_seconds, open_symbol=print, open_alert=print)


def bar_starts(count: int, step_seconds: int = MINUTE) -> list[datetime]:
    return [NEWEST_BAR - timedelta(seconds=step_seconds * back) for back in reversed(range(count))]


def some_bars(count: int = 40) -> pd.DataFrame:
    closes = [100.0 + place % 5 for place in range(count)]
    return pd.DataFrame(
        {
            "bar_start": bar_starts(count),
            "open": [100.0] * count,
            "high": [close + 1 for close in closes],
            "low": [99.0] * count,
            "close": closes,
            "volume": [10.0] * count,
            "vwap": [100.0] * count,
            "trades": [20] * count,
            "log_return": [0.001 * (-1) ** place for place in range(count)],
            "final": [True] * count,
        }
    )


def some_estimates(
    estimator: str = "cc",
    values: Sequence[float | None] = (0.2, 0.3),
    *,
    annualisation: str = "CRYPTO_1M",
    step_seconds: int = MINUTE,
    window_bars: int = 60,
    reason: str = "INSUFFICIENT_DATA",
    standard_error: float = float("nan"),
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bar_start": bar_starts(len(values), step_seconds),
            "estimator": estimator,
            "window_bars": window_bars,
            "value": [float("nan") if value is None else value for value in values],
            "null_reason": [reason if value is None else None for value in values],
            "standard_error": standard_error,
            "n_obs": 60,
            "annualisation": annualisation,
            "final": True,
        }
    )


def some_signals(statistics: Sequence[float | None] = (1.0, 5.0), threshold: float = 3.7) -> pd.DataFrame:
    count = len(statistics)
    return pd.DataFrame(
        {
            "bar_start": bar_starts(count),
            "statistic": [float("nan") if value is None else value for value in statistics],
            "threshold": [threshold] * count,
            "null_reason": ["INSUFFICIENT_DATA" if value is None else None for value in statistics],
            "z": [1.0] * count,
            "log_range": [0.01] * count,
            "expected_log_range": [0.002] * count,
            "final": [True] * count,
        }
    )


def some_alert(symbol: str = AAPL.symbol, state: str = "OPEN", severity: str = "HIGH") -> Alert:
    return Alert(
        alert_id=ALERT_ID,
        source="simulator",
        symbol=symbol,
        kind="VOLATILITY",
        state=state,
        severity=severity,
        confirmed=True,
        onset_bar=NEWEST_BAR - timedelta(minutes=3),
        closed_at=None,
        statistic=6.2,
        threshold=3.7,
        sentence=f"{symbol} 14:56Z: 1-min range 0.92 % is 4.1× the usual 0.22 %",
        why={"statistic": 6.2, "bar": {"high": 102.4}, "flags": []},
        acknowledged_by=None,
        acknowledged_at=None,
        note=None,
    )


def overview_row(series: Series = AAPL, **changed: object) -> dict[str, object]:
    row: dict[str, object] = {
        "source": series.source,
        "symbol": series.symbol,
        "close": 101.25,
        "change_last_bar": 0.001,
        "change_all_bars": -0.02,
        "closes": [100.0, 101.25],
        "newest_bar": NEWEST_BAR,
        "newest_trade": NOW - timedelta(seconds=40),
        "age_seconds": 40.0,
        "cc": 0.25,
        "cc_null_reason": None,
        "ewma": 0.3,
        "ewma_null_reason": None,
        "annualisation": "CRYPTO_1M",
        "statistic": 1.5,
        "threshold": 3.7,
        "statistic_null_reason": None,
        "ratio": 1.1,
        "ratios": [0.9, 1.1],
        "standing": "LIVE",
        "alert_state": None,
        "alert_severity": None,
    }
    return {**row, **changed}


def some_usual(middles: Sequence[float] = (0.2, 0.3)) -> pd.DataFrame:
    rows = pd.DataFrame({"bar_start": bar_starts(len(middles), 600), "window_bars": 60, "middle": middles, "days": 5})
    return rows.assign(low=rows["middle"] - 0.1, high=rows["middle"] + 0.1)


def some_ratios(ratios: Sequence[Sequence[float]] = ((1.0, 1.2),), source: str = "simulator") -> pd.DataFrame:
    """Return ratios of series S0, S1, …, a step of ten minutes apart."""
    return pd.DataFrame(
        [
            (source, f"S{place}", start, ratio)
            for place, of_series in enumerate(ratios)
            for start, ratio in zip(bar_starts(len(of_series), 600), of_series, strict=True)
        ],
        columns=EMPTY_RATIOS.columns,
    )


def market(series: Series = AAPL, age_seconds: float = 40.0) -> FakeReader:
    """A reader of one series that has everything, its newest trade ``age_seconds`` old."""
    newest = NOW - timedelta(seconds=age_seconds)
    alert = some_alert(series.symbol)
    day = 86_400
    return FakeReader(
        freshness_now=Freshness(NOW, newest, newest + timedelta(seconds=20)),
        known=[series],
        overview_rows=pd.DataFrame([overview_row(series, age_seconds=age_seconds, alert_state="OPEN")]),
        ratio_rows=some_ratios().assign(symbol=series.symbol),
        bar_rows=some_bars(),
        minute_estimates=pd.concat([some_estimates("cc", [None, 0.2, 0.3]), some_estimates("ewma", [0.2, 0.3, 0.4])]),
        day_estimates=pd.concat(
            [
                some_estimates("yang-zhang", [None, 0.2], annualisation="US_DAILY", step_seconds=day),
                some_estimates("sharpe", [0.5, 0.8], annualisation="US_DAILY", step_seconds=day, standard_error=2.0),
            ]
        ),
        usual_rows=some_usual(),
        signal_rows=some_signals([None, 1.0, 5.0]),
        alert_rows={alert.alert_id: alert},
        hop_rows=pd.DataFrame(
            [["bars written", 1.0, 1, 1440, newest, age_seconds, age_seconds]], columns=EMPTY_HOPS.columns
        ),
        detector_rows=pd.DataFrame(
            [[0, 640, 40, NOW, 0.5, 1.0]],
            columns=EMPTY_DETECTOR.columns,
        ),
        run_rows=pd.DataFrame([[newest, 1.5, 6, 600, 2, 1, 6, 1, newest, 20.0]], columns=EMPTY_RUNS.columns),
        position_rows=pd.DataFrame(
            [[0, 600, 2, newest, age_seconds, "trades/date=2026-01-05/hour=15/x.csv.gz", 600]],
            columns=EMPTY_POSITIONS.columns,
        ),
        quarantine_rows=pd.DataFrame(
            [["BAD_PRICE", 2, newest, "simulator", series.symbol, '{"price": -1}']], columns=EMPTY_QUARANTINE.columns
        ),
        reconciliation_rows=pd.DataFrame(
            [[newest, 0, 0, 600, 600, 598, 2, 7, 1]], columns=EMPTY_RECONCILIATION.columns
        ),
        channel_rows=pd.DataFrame(
            [["desk", "mail", True, 0, 0, None, 12, 0, 30.0, None]], columns=EMPTY_CHANNELS.columns
        ),
    )
