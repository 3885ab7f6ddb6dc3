"""Rows as the pipeline writes them, under its own role."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - the driver names the class in lower case

from volwatch.warehouse.readings import Series


class Rows:
    """Writes rows; what a test does not name has a usual value."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
        self.make_partitions(self.minute - timedelta(days=40), self.minute)

    def make_partitions(self, start: datetime, end: datetime) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT ensure_partitions(%s, %s)", (start, end))

    def _insert(self, table: str, **values: Any) -> None:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        )
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)

    def bar(
        self, series: Series, minutes_ago: int = 0, close: float = 100.0, bar_seconds: int = 60, **changed: Any
    ) -> None:
        start = self.minute - timedelta(minutes=minutes_ago)
        values = dict(
            **series._asdict(),
            bar_start=start,
            bar_seconds=bar_seconds,
            open=100,
            high=max(close, 100) + 1,
            low=min(close, 100) - 1,
            close=close,
            volume=10,
            trades=5,
            session="regular",
            revision=0,
            final=True,
            flags=[],
            log_return=0.001,
            elapsed_bars=1,
            first_trade_at=start,
            last_trade_at=start + timedelta(seconds=59),
            kafka_partition=0,
            first_offset=0,
            last_offset=9,
        )
        self._insert("stock_prices", **{**values, **changed})

    def estimate(self, series: Series, minutes_ago: int = 0, **changed: Any) -> None:
        values = {
            "bar_start": self.minute - timedelta(minutes=minutes_ago),
            "bar_seconds": 60,
            "estimator": "cc",
            "window_bars": 60,
            "value": 0.25,
            "n_obs": 60,
            "annualisation": "CRYPTO_1M",
            "model_version": "1",
            "final": True,
            "input_revision": 0,
        }
        self._insert("stock_volatility", **series._asdict(), **{**values, **changed})

    def signal(
        self, series: Series, minutes_ago: int = 0, statistic: float | None = 1.5, log_range: float = 0.01
    ) -> None:
        self._insert(
            "stock_signals",
            **series._asdict(),
            bar_start=self.minute - timedelta(minutes=minutes_ago),
            detector="LRE",
            detector_version="1",
            statistic=statistic,
            threshold=3.7,
            null_reason="INSUFFICIENT_DATA" if statistic is None else None,
            log_range=log_range,
            expected_log_range=0.0,
            final=True,
            input_revision=0,
        )

    def alert(self, series: Series, minutes_ago: int = 0, **changed: Any) -> str:
        alert_id = str(uuid.uuid4())
        values = {
            "kind": "VOLATILITY",
            "detector": "LRE",
            "detector_version": "1",
            "onset_bar": self.minute - timedelta(minutes=minutes_ago),
            "state": "OPEN",
            "severity": "HIGH",
            "confirmed": True,
            "statistic": 6.2,
            "threshold": 3.7,
            "sentence": f"{series.symbol}: 1-min range 0.92 % is 4.1× the usual 0.22 %",
            "why": json.dumps({"statistic": 6.2, "trades": 57}),
            "config_hash": "0",
            "detected_at": self.minute,
        }
        self._insert("stock_alerts", alert_id=alert_id, **series._asdict(), **{**values, **changed})
        self._insert("alert_events", alert_id=alert_id, event="OPEN", bar_start=self.minute, actor="pipeline")
        return alert_id

    def run(self, age: timedelta = timedelta(0), **changed: Any) -> None:
        finished = datetime.now(UTC) - age
        values = {
            "objects": 6,
            "rows_loaded": 600,
            "rows_rejected": 2,
            "bars": 10,
            "volatility": 60,
            "alerts": 0,
            "newest_event": finished - timedelta(seconds=5),
        }
        times = {"started_at": finished - timedelta(seconds=2), "finished_at": finished}
        self._insert("pipeline_runs", **times, **{**values, **changed})

    def position(self, partition: int, next_offset: int, gaps: int = 0) -> None:
        self._insert("load_positions", kafka_partition=partition, next_offset=next_offset, hour=self.minute, gaps=gaps)

    def raw_object(self, key: str, partition: int, first: int, last: int, fault: str | None = None) -> None:
        count = 0 if fault else last - first + 1
        self._insert(
            "raw_objects",
            object_key=key,
            kafka_partition=partition,
            first_offset=first,
            last_offset=last,
            rows_read=count,
            rows_loaded=count,
            rows_rejected=0,
            fault=fault,
        )

    def rejected(self, offset: int, reason: str, record: str, age: timedelta = timedelta(0)) -> None:
        when = datetime.now(UTC) - age
        self._insert(
            "quarantine", kafka_partition=0, kafka_offset=offset, reason=reason, record=record, quarantined_at=when
        )

    def standing(self, series: Series, age: timedelta = timedelta(0)) -> None:
        times = {"since": self.minute - age, "watermark": self.minute - age + timedelta(seconds=30)}
        self._insert("series_standing", **series._asdict(), standing="LIVE", **times)

    def reconciliation(
        self, checked_at: datetime, partition: int, missing_raw: int, unloaded: int, since: datetime | None = None
    ) -> None:
        counts = {"kafka_first": 0, "kafka_end": 600, "raw_rows": 600, "loaded_rows": 598, "rejected_rows": 2}
        self._insert(
            "reconciliations",
            checked_at=checked_at,
            kafka_partition=partition,
            missing_raw=missing_raw,
            unloaded=unloaded,
            since=since,
            **counts,
        )

    def market(self, series: Series, bars: int = 40) -> None:
        """Write a series that has everything but an alert, loaded just now."""
        for minutes_ago in range(bars):
            self.bar(series, minutes_ago, close=100 + minutes_ago % 3, log_return=0.001 * (-1) ** minutes_ago)
            self.estimate(series, minutes_ago)
            self.estimate(series, minutes_ago, estimator="ewma", value=0.3)
            self.signal(series, minutes_ago)
        self.run()
