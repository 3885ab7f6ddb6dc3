"""Every metric's name, in one place. Base units; labels from closed sets; a symbol is never a label of a histogram."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300)

producer_trades_total = Counter(
    "volwatch_producer_trades_total",
    "Trades by what became of them: delivered, failed (the broker refused), rejected (quarantined)",
    ["outcome"],
    registry=REGISTRY,
)
producer_backpressure_total = Counter(
    "volwatch_producer_backpressure_total",
    "Times the full send queue made the source wait",
    registry=REGISTRY,
)
producer_feed_losses_total = Counter(
    "volwatch_producer_feed_losses_total",
    "Times the connection to the feed was lost or could not be opened",
    registry=REGISTRY,
)
producer_feed_waits_total = Counter(
    "volwatch_producer_feed_waits_total",
    "Times the full queue of received messages made the feed wait",
    registry=REGISTRY,
)
producer_resent_trades_total = Counter(
    "volwatch_producer_resent_trades_total",
    "Trades dropped because the feed had sent their message before",
    registry=REGISTRY,
)
producer_delivery_seconds = Histogram(
    "volwatch_producer_delivery_seconds",
    "Time from sending a trade to its delivery report",
    buckets=_SECONDS,
    registry=REGISTRY,
)
producer_event_lag_seconds = Gauge(
    "volwatch_producer_event_lag_seconds",
    "Now minus the event time of the newest trade sent",
    registry=REGISTRY,
)
producer_last_success_timestamp_seconds = Gauge(
    "volwatch_producer_last_success_timestamp_seconds",
    "When the broker last acknowledged a trade",
    registry=REGISTRY,
)
consumer_records_total = Counter(
    "volwatch_consumer_records_total",
    "Kafka records by what became of them: stored, rejected (quarantined)",
    ["outcome"],
    registry=REGISTRY,
)
consumer_objects_total = Counter(
    "volwatch_consumer_objects_total",
    "Raw zone objects stored, by what made them due: size, age, revoke, stop",
    ["due"],
    registry=REGISTRY,
)
consumer_store_retries_total = Counter(
    "volwatch_consumer_store_retries_total",
    "Puts to the raw zone that had to be tried again",
    registry=REGISTRY,
)
consumer_store_seconds = Histogram(
    "volwatch_consumer_store_seconds", "Time to store one object", buckets=_SECONDS, registry=REGISTRY
)
consumer_event_lag_seconds = Gauge(
    "volwatch_consumer_event_lag_seconds",
    "Now minus the event time of the newest trade stored",
    registry=REGISTRY,
)
consumer_last_success_timestamp_seconds = Gauge(
    "volwatch_consumer_last_success_timestamp_seconds",
    "When an object was last stored and its offsets committed",
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class OnScrape:
    """A metric whose value a collector looks up when it is scraped; a counter where the name ends in ``_total``.

    Attributes
    ----------
    name, documentation : str
        As of any metric.
    label : str or None
        Its one label, where it has one.
    """

    name: str
    documentation: str
    label: str | None = None


# A run of the pipeline ends before it could be scraped: the dashboard, which lives on, tells of the runs.
dashboard_warehouse_up = OnScrape("volwatch_dashboard_warehouse_up", "1 while the dashboard can read the warehouse")
pipeline_last_success_timestamp_seconds = OnScrape(
    "volwatch_pipeline_last_success_timestamp_seconds", "When the pipeline last finished a run"
)
pipeline_event_lag_seconds = OnScrape(
    "volwatch_pipeline_event_lag_seconds", "Now minus the event time of the newest trade loaded"
)
pipeline_rows_total = OnScrape(
    "volwatch_pipeline_rows_total", "Trades by what became of them: loaded, rejected (quarantined)", "outcome"
)
pipeline_load_gaps_total = OnScrape("volwatch_pipeline_load_gaps_total", "Kafka offsets that no raw object has")
alerts_open = OnScrape("volwatch_alerts_open", "Alerts open or escalated, by severity", "severity")
reconcile_difference_rows = OnScrape(
    "volwatch_reconcile_difference_rows", "Rows that one hop has and the next has not, by the newest reconciliation"
)
