"""Every metric's name, in one place. Base units; labels from closed sets; a symbol is never a label of a histogram."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300)

producer_trades_total = Counter(
    "volwatch_producer_trades_total",
    "Trades by what became of them: delivered, failed (the broker refused), rejected (quarantined), "
    "withdrawn (the lease was lost)",
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
    "Now minus the event time of the newest trade, when it was sent",
    registry=REGISTRY,
)
producer_newest_event_timestamp_seconds = Gauge(
    "volwatch_producer_newest_event_timestamp_seconds",
    "Event time of the newest trade sent; 0 before the first",
    registry=REGISTRY,
)
producer_last_success_timestamp_seconds = Gauge(
    "volwatch_producer_last_success_timestamp_seconds",
    "When the broker last acknowledged a trade",
    registry=REGISTRY,
)
producer_leader = Gauge(
    "volwatch_producer_leader",
    "1 while this producer is the one that sends, 0 while it stands by",
    registry=REGISTRY,
)
producer_leadership_changes_total = Counter(
    "volwatch_producer_leadership_changes_total",
    "Times this producer became the one that sends, or ceased to be",
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
    "Now minus the event time of the newest trade, when it was stored",
    registry=REGISTRY,
)
consumer_newest_event_timestamp_seconds = Gauge(
    "volwatch_consumer_newest_event_timestamp_seconds",
    "Event time of the newest trade taken from Kafka; 0 before the first",
    registry=REGISTRY,
)
rawzone_newest_event_timestamp_seconds = Gauge(
    "volwatch_rawzone_newest_event_timestamp_seconds",
    "Event time of the newest trade that this consumer stored; 0 before the first",
    registry=REGISTRY,
)
consumer_last_success_timestamp_seconds = Gauge(
    "volwatch_consumer_last_success_timestamp_seconds",
    "When an object was last stored and its offsets committed",
    registry=REGISTRY,
)
detector_records_total = Counter(
    "volwatch_detector_records_total",
    "Kafka records by what became of them: taken (trades), rejected (no trades)",
    ["outcome"],
    registry=REGISTRY,
)
detector_alerts_total = Counter(
    "volwatch_detector_alerts_total",
    "Steps in the lives of alerts that the detector wrote: OPEN, ESCALATED, CLOSED, RETRACTED",
    ["event"],
    registry=REGISTRY,
)
detector_delay_seconds = Histogram(
    "volwatch_detector_delay_seconds",
    "Time from a trade's arrival in Kafka until what it says of alerts is committed",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
detector_engine_seconds = Histogram(
    "volwatch_detector_engine_seconds",
    "Time the engines take for the records of one round",
    buckets=_SECONDS,
    registry=REGISTRY,
)
detector_event_lag_seconds = Gauge(
    "volwatch_detector_event_lag_seconds",
    "Now minus the event time of the newest trade, when the engine had taken it",
    registry=REGISTRY,
)
detector_newest_event_timestamp_seconds = Gauge(
    "volwatch_detector_newest_event_timestamp_seconds",
    "Event time of the newest trade that the engines have taken; 0 before the first",
    registry=REGISTRY,
)
detector_last_success_timestamp_seconds = Gauge(
    "volwatch_detector_last_success_timestamp_seconds",
    "When trades were last taken, and what they say of alerts committed",
    registry=REGISTRY,
)
detector_partitions = Gauge("volwatch_detector_partitions", "Partitions that this detector watches", registry=REGISTRY)
notifier_sent_total = Counter(
    "volwatch_notifier_sent_total",
    "Attempts to tell, by channel and by what became of them: sent, failed (tried again), refused (set aside)",
    ["channel", "outcome"],
    registry=REGISTRY,
)
notifier_delivery_seconds = Histogram(
    "volwatch_notifier_delivery_seconds",
    "Time from the event of an alert to its receipt on a channel",
    ["channel"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
notifier_queue_rows = Gauge(
    "volwatch_notifier_queue_rows", "Deliveries that wait for a channel", ["channel"], registry=REGISTRY
)
notifier_channel_up = Gauge(
    "volwatch_notifier_channel_up",
    "1 while a channel takes what it is told, 0 after it failed too often in a row; it is tried all the same",
    ["channel"],
    registry=REGISTRY,
)
notifier_last_success_timestamp_seconds = Gauge(
    "volwatch_notifier_last_success_timestamp_seconds",
    "When a channel last took something; 0 before the first time",
    ["channel"],
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class OnScrape:
    """A metric whose value a collector looks up when it is scraped; a counter where the name ends in ``_total``.

    Attributes
    ----------
    name, documentation : str
        As of any metric.
    labels : tuple of str
        The names of its labels.
    """

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


# A run of the pipeline ends before it could be scraped: the dashboard, which lives on, tells of the runs.
dashboard_warehouse_up = OnScrape("volwatch_dashboard_warehouse_up", "1 while the dashboard can read the warehouse")
pipeline_last_success_timestamp_seconds = OnScrape(
    "volwatch_pipeline_last_success_timestamp_seconds", "When the pipeline last finished a run"
)
pipeline_event_lag_seconds = OnScrape(
    "volwatch_pipeline_event_lag_seconds", "Now minus the event time of the newest trade loaded"
)
pipeline_rows_total = OnScrape(
    "volwatch_pipeline_rows_total", "Trades by what became of them: loaded, rejected (quarantined)", ("outcome",)
)
pipeline_load_gaps_total = OnScrape("volwatch_pipeline_load_gaps_total", "Kafka offsets that no raw object has")
pipeline_newest_event_timestamp_seconds = OnScrape(
    "volwatch_pipeline_newest_event_timestamp_seconds", "Event time of the newest trade loaded"
)
pipeline_unreadable_objects = OnScrape(
    "volwatch_pipeline_unreadable_objects",
    "Raw zone objects that could not be read when they were to be loaded, by reason",
    ("reason",),
)
pipeline_quarantined_1d_rows = OnScrape(
    "volwatch_pipeline_quarantined_1d_rows", "Trades set aside within the last day, by reason", ("reason",)
)
dashboard_newest_bar_timestamp_seconds = OnScrape(
    "volwatch_dashboard_newest_bar_timestamp_seconds",
    "End of the newest bar of regular hours that the pages can show",
    ("source", "calendar"),
)
market_open = OnScrape(
    "volwatch_market_open", "1 in the regular hours of a calendar that some series of the last week has", ("calendar",)
)
alerts_open = OnScrape("volwatch_alerts_open", "Alerts open or escalated, by severity", ("severity",))
alert_differences = OnScrape(
    "volwatch_alert_differences",
    "Steps of alerts on final bars that one of detector and minute path found and the other did not, of six days",
)
dashboard_blind = OnScrape(
    "volwatch_dashboard_blind", "1 while an alert says that this cannot be seen", ("source", "what")
)
alerts_silenced = OnScrape("volwatch_alerts_silenced", "Open alerts that a silence keeps from being told")
alerts_false_positive_ratio = OnScrape(
    "volwatch_alerts_false_positive_ratio",
    "Of the alerts of the last 90 days that people acknowledged or marked, those marked as false",
    ("detector", "kind"),
)
alerts_acknowledge_seconds = OnScrape(
    "volwatch_alerts_acknowledge_seconds",
    "Time from recording an alert to its acknowledgement, of the alerts of the last 90 days",
    ("detector", "kind", "quantile"),
)
reconcile_difference_rows = OnScrape(
    "volwatch_reconcile_difference_rows",
    "Rows that one hop has and the next has not: the most that the newest whole reconciliation, or one since, found",
)
reconcile_last_success_timestamp_seconds = OnScrape(
    "volwatch_reconcile_last_success_timestamp_seconds",
    "When the rows of all hops were last counted against each other as a whole",
)
reconcile_kafka_end_offset = OnScrape(
    "volwatch_reconcile_kafka_end_offset",
    "Offset that Kafka's next record gets, by the newest reconciliation",
    ("partition",),
)
reconcile_rows = OnScrape(
    "volwatch_reconcile_rows",
    "Rows by the newest reconciliation: raw (in objects), loaded, rejected (quarantined)",
    ("partition", "hop"),
)
reconcile_missing_rows = OnScrape(
    "volwatch_reconcile_missing_rows",
    "Rows amiss by the newest reconciliation: missing_raw (passed, in no object), unloaded (in an object, passed over)",
    ("partition", "kind"),
)
