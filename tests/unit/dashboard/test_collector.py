from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest

from dashboard.collector import PipelineCollector
from volwatch.errors import Transient
from volwatch.reconcile import Reconciliation
from volwatch.warehouse.readings import DetectorQuality, Freshness, LiveSeries, PipelineTotals, Series

NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)


def scrape(collector: PipelineCollector) -> list[str]:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def away() -> PipelineTotals:
    raise Transient("the server closed the connection")


def test_the_totals_are_served_under_their_declared_names() -> None:
    totals = PipelineTotals(
        freshness=Freshness(NOW, NOW - timedelta(seconds=30), NOW - timedelta(seconds=10)),
        rows={"loaded": 598, "rejected": 2},
        load_gaps=3,
        open_alerts={"LOW": 0, "HIGH": 1},
        alert_differences=3,
        blind={("finnhub", "FEED_SILENT"): 1},
        silenced_alerts=1,
        alert_quality=(
            DetectorQuality("lre", "VOLATILITY", 0.25, 30.0, 90.0),
            DetectorQuality("lre", "REOPEN", None, None, None),
        ),
        unreadable_objects={"BAD_GZIP": 1, "BAD_HEADER": 2},
        quarantined_1d={"BAD_PRICE": 4},
        live=(LiveSeries(Series("simulator", "SIM01"), None, NOW), LiveSeries(Series("finnhub", "AAPL"), None, NOW)),
        reconcile_difference_rows=7,
        reconciled=(Reconciliation(NOW, 2, 0, 600, 590, 580, 3, missing_raw=5, unloaded=2),),
    )
    assert scrape(PipelineCollector(lambda: totals)) == [
        "volwatch_dashboard_warehouse_up 1.0",
        "volwatch_pipeline_last_success_timestamp_seconds 1.76762519e+09",
        "volwatch_pipeline_event_lag_seconds 30.0",
        "volwatch_pipeline_newest_event_timestamp_seconds 1.76762517e+09",
        'volwatch_pipeline_rows_total{outcome="loaded"} 598.0',
        'volwatch_pipeline_rows_total{outcome="rejected"} 2.0',
        "volwatch_pipeline_load_gaps_total 3.0",
        'volwatch_pipeline_unreadable_objects{reason="BAD_GZIP"} 1.0',
        'volwatch_pipeline_unreadable_objects{reason="BAD_HEADER"} 2.0',
        'volwatch_pipeline_quarantined_1d_rows{reason="BAD_PRICE"} 4.0',
        'volwatch_alerts_open{severity="LOW"} 0.0',
        'volwatch_alerts_open{severity="HIGH"} 1.0',
        "volwatch_alert_differences 3.0",
        'volwatch_dashboard_blind{source="finnhub",what="FEED_SILENT"} 1.0',
        "volwatch_alerts_silenced 1.0",
        'volwatch_alerts_false_positive_ratio{detector="lre",kind="VOLATILITY"} 0.25',
        'volwatch_alerts_acknowledge_seconds{detector="lre",kind="VOLATILITY",quantile="0.5"} 30.0',
        'volwatch_alerts_acknowledge_seconds{detector="lre",kind="VOLATILITY",quantile="0.9"} 90.0',
        'volwatch_dashboard_newest_bar_timestamp_seconds{calendar="XNYS",source="finnhub"} 1.7676252e+09',
        'volwatch_dashboard_newest_bar_timestamp_seconds{calendar="24/7",source="simulator"} 1.7676252e+09',
        'volwatch_market_open{calendar="24/7"} 1.0',
        'volwatch_market_open{calendar="XNYS"} 1.0',
        "volwatch_reconcile_difference_rows 7.0",
        "volwatch_reconcile_last_success_timestamp_seconds 1.7676252e+09",
        'volwatch_reconcile_kafka_end_offset{partition="2"} 600.0',
        'volwatch_reconcile_rows{hop="raw",partition="2"} 590.0',
        'volwatch_reconcile_rows{hop="loaded",partition="2"} 580.0',
        'volwatch_reconcile_rows{hop="rejected",partition="2"} 3.0',
        'volwatch_reconcile_missing_rows{kind="missing_raw",partition="2"} 5.0',
        'volwatch_reconcile_missing_rows{kind="unloaded",partition="2"} 2.0',
    ]


def test_what_never_happened_has_no_time() -> None:
    names = {line.split()[0] for line in scrape(PipelineCollector(lambda: PipelineTotals(Freshness(NOW, None, None))))}
    assert names == {
        "volwatch_dashboard_warehouse_up",
        "volwatch_pipeline_load_gaps_total",
        "volwatch_alert_differences",
        "volwatch_alerts_silenced",
        "volwatch_reconcile_difference_rows",
    }


def test_a_warehouse_that_is_away_does_not_break_the_scrape() -> None:
    assert scrape(PipelineCollector(away)) == ["volwatch_dashboard_warehouse_up 0.0"]


def test_registering_does_not_ask_the_warehouse() -> None:
    asked: list[None] = []

    def totals() -> PipelineTotals:
        asked.append(None)
        return PipelineTotals(Freshness(NOW, None, None))

    CollectorRegistry(auto_describe=True).register(PipelineCollector(totals))
    assert asked == []
