"""# market_pipeline: the minute path

Every minute: whatever the raw zone holds that is not loaded yet becomes bars, volatility and alerts, in one
transaction.

* One task, because a pod start costs seconds. It loads *everything not yet loaded*, so a run that is missed, late or
  killed costs nothing but time: the next one does its work.
* `max_active_runs=1` and no catch-up; an advisory lock makes a second run leave at once all the same.
* Safe to clear and run again at any time: rows are keyed by Kafka offsets, bars by their natural key.

What it needs in its environment: `VOLWATCH_RAWZONE_*` and `VOLWATCH_WAREHOUSE_*` (role `volwatch_pipeline`).
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=10),
    doc_md=__doc__,
    tags=["volwatch"],
)
def market_pipeline() -> None:
    """Wire the one task of the minute path."""

    @task(retries=1, retry_delay=timedelta(seconds=5), execution_timeout=timedelta(minutes=5))
    def load_compute_alert() -> dict[str, int]:
        # Imported by the task, not by the parser: parsing opens no connection and takes no time.
        from dataclasses import asdict

        from volwatch.pipeline.command import run_minute

        return asdict(run_minute())

    load_compute_alert()


market_pipeline()
