"""# maintenance: partitions, retention, reconcile

Every day at 02:15 UTC, in one task:

* makes the monthly partitions of the coming two months, and drops those past retention
  (`VOLWATCH_PIPELINE_PRICE_RETENTION_DAYS`, `VOLWATCH_PIPELINE_VOLATILITY_RETENTION_DAYS`);
* counts rows hop by hop (Kafka, raw zone, ledger) and stores the difference in `reconciliations`, from which the metric
  `volwatch_reconcile_difference_rows` is read.

What it needs in its environment: as market_pipeline, and `VOLWATCH_KAFKA_*`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=2),
    doc_md=__doc__,
    tags=["volwatch"],
)
def maintenance() -> None:
    """Wire the one task of the maintenance."""

    @task(retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(hours=1))
    def keep_house() -> dict[str, int]:
        # Imported by the task, not by the parser: parsing opens no connection and takes no time.
        from volwatch.pipeline.command import run_maintenance

        report = run_maintenance()
        return {
            "partitions_made": report.partitions_made,
            "partitions_dropped": report.partitions_dropped,
            "difference_rows": sum(row.difference for row in report.reconciliations),
        }

    keep_house()


maintenance()
