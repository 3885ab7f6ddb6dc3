"""Metrics of the minute path, read from the warehouse when they are asked for.

A run of the pipeline ends before anybody could scrape it; the dashboard lives on, so it tells of the runs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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
    if freshness.event_age_seconds is not None:
        yield _one(metrics.pipeline_event_lag_seconds, freshness.event_age_seconds)
    yield _each(metrics.pipeline_rows_total, totals.rows)
    yield _one(metrics.pipeline_load_gaps_total, totals.load_gaps)
    yield _each(metrics.alerts_open, totals.open_alerts)
    yield _one(metrics.reconcile_difference_rows, totals.reconcile_difference_rows)


def _one(metric: OnScrape, value: float) -> Metric:
    family = _family(metric)
    family.add_metric([], value)
    return family


def _each(metric: OnScrape, values: Mapping[str, int]) -> Metric:
    family = _family(metric)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _family(metric: OnScrape) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.name.endswith("_total") else GaugeMetricFamily
    return kind(metric.name, metric.documentation, labels=[metric.label] if metric.label else [])
