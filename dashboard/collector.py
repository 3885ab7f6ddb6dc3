"""Metrics of the minute path, read from the warehouse when they are asked for.

A run of the pipeline ends before anybody could scrape it; the dashboard lives on, so it tells of the runs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.markets import markets, open_calendars
from volwatch import metrics
from volwatch.errors import Transient
from volwatch.metrics import OnScrape
from volwatch.warehouse.readings import PipelineTotals

log = structlog.get_logger()


class PipelineCollector(Collector):
    """Yields the pipeline's metrics or, while the warehouse is away, no more than that it is.

    Parameters
    ----------
    totals : callable
        Asks the warehouse; raises ``Transient`` when it is away.
    """

    def __init__(self, totals: Callable[[], PipelineTotals]) -> None:
        self._totals = totals

    def describe(self) -> Iterable[Metric]:
        """Return nothing: to register must not ask the warehouse."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as of now."""
        try:
            totals = self._totals()
        except Transient as error:
            log.warning("warehouse_away", error=str(error))
            yield _one(metrics.dashboard_warehouse_up, 0)
            return
        yield _one(metrics.dashboard_warehouse_up, 1)
        yield from _pipeline(totals)


def _pipeline(totals: PipelineTotals) -> Iterator[Metric]:
    freshness = totals.freshness
    if freshness.last_run is not None:
        yield _one(metrics.pipeline_last_success_timestamp_seconds, freshness.last_run.timestamp())
    if freshness.newest_event is not None and freshness.event_age_seconds is not None:
        yield _one(metrics.pipeline_event_lag_seconds, freshness.event_age_seconds)
        yield _one(metrics.pipeline_newest_event_timestamp_seconds, freshness.newest_event.timestamp())
    yield _each(metrics.pipeline_rows_total, totals.rows)
    yield _one(metrics.pipeline_load_gaps_total, totals.load_gaps)
    yield _each(metrics.pipeline_unreadable_objects, totals.unreadable_objects)
    yield _each(metrics.pipeline_quarantined_1d_rows, totals.quarantined_1d)
    yield _each(metrics.alerts_open, totals.open_alerts)
    yield _one(metrics.alert_differences, totals.alert_differences)
    yield _family(metrics.dashboard_blind, dict(totals.blind))
    yield from _alerts(totals)
    yield from _markets(totals)
    yield from _reconciliation(totals)


def _alerts(totals: PipelineTotals) -> Iterator[Metric]:
    yield _one(metrics.alerts_silenced, totals.silenced_alerts)
    ratios: dict[tuple[str, ...], float] = {}
    seconds: dict[tuple[str, ...], float] = {}
    for told in totals.alert_quality:
        labels = (told.detector, told.kind)
        # What nobody judged has no rate: 0 would say that all were good.
        if told.false_positive_rate is not None:
            ratios[labels] = told.false_positive_rate
        quantiles = {"0.5": told.median_acknowledge_seconds, "0.9": told.p90_acknowledge_seconds}
        seconds |= {(*labels, name): value for name, value in quantiles.items() if value is not None}
    yield _family(metrics.alerts_false_positive_ratio, ratios)
    yield _family(metrics.alerts_acknowledge_seconds, seconds)


def _markets(totals: PipelineTotals) -> Iterator[Metric]:
    found = markets(totals.live)
    newest: dict[tuple[str, ...], float] = {
        (market.source, market.calendar): market.newest_bar.timestamp() for market in found
    }
    yield _family(metrics.dashboard_newest_bar_timestamp_seconds, newest)
    opened = open_calendars((market.calendar for market in found), totals.freshness.now)
    yield _each(metrics.market_open, {name: int(is_open) for name, is_open in opened})


def _reconciliation(totals: PipelineTotals) -> Iterator[Metric]:
    yield _one(metrics.reconcile_difference_rows, totals.reconcile_difference_rows)
    counted = {str(row.partition): row for row in totals.reconciled}
    for row in totals.reconciled[:1]:
        yield _one(metrics.reconcile_last_success_timestamp_seconds, row.checked_at.timestamp())
    yield _each(metrics.reconcile_kafka_end_offset, {partition: row.kafka_end for partition, row in counted.items()})
    rows: dict[tuple[str, ...], float] = {}
    missing: dict[tuple[str, ...], float] = {}
    for partition, row in counted.items():
        rows[partition, "raw"] = row.raw_rows
        rows[partition, "loaded"] = row.loaded_rows
        rows[partition, "rejected"] = row.rejected_rows
        missing[partition, "missing_raw"] = row.missing_raw
        missing[partition, "unloaded"] = row.unloaded
    yield _family(metrics.reconcile_rows, rows)
    yield _family(metrics.reconcile_missing_rows, missing)


def _one(metric: OnScrape, value: float) -> Metric:
    return _family(metric, {(): value})


def _each(metric: OnScrape, values: Mapping[str, int]) -> Metric:
    return _family(metric, {(label,): value for label, value in values.items()})


def _family(metric: OnScrape, values: Mapping[tuple[str, ...], float]) -> Metric:
    """Return a metric with its values by label."""
    kind = CounterMetricFamily if metric.name.endswith("_total") else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(metric.name, metric.documentation, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
