"""# maintenance: partitions, retention, reconcile, the measures of the sessions that ended

Every day at 02:15 UTC, in two tasks that need nothing of one another, so that the run fails if either does.

`keep_house`:

* makes the monthly partitions of the coming two months, and drops those past retention
  (`VOLWATCH_PIPELINE_PRICE_RETENTION_DAYS`, `VOLWATCH_PIPELINE_VOLATILITY_RETENTION_DAYS`);
* counts rows hop by hop (Kafka, raw zone, ledger) and stores the difference in `reconciliations`, from which the metric
  `volwatch_reconcile_difference_rows` is read.

`measure_sessions`:

* stores realised volatility, jump test, risk measures and a GARCH model of every session that is finished and not yet
  done. Safe to clear and run again at any time: what is done is not done again.

What it needs in its environment: as market_pipeline, and `VOLWATCH_KAFKA_*`. For `measure_sessions` the warehouse is
enough.
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
    """Wire the two tasks of the maintenance."""

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

    @task(retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(hours=1))
    def measure_sessions() -> dict[str, int]:
        from dataclasses import asdict

        from volwatch.pipeline.command import run_nightly

        return asdict(run_nightly())

    keep_house()
    measure_sessions()


maintenance()
