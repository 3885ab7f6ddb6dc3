"""# quote_fetch: the prices of the watch-list, from Finnhub's API

Every minute: Finnhub is asked for the quote of each symbol, and what is new goes to the topic of trades as a price
without volume, of the source `finnhub-quote`. From there it takes the way of every trade: `market_pipeline` makes bars
of it. It needs no stream and no producer: a price a minute is enough to see that a market moves.

* Which symbols: those in the table `watchlist` where it has rows, else `VOLWATCH_FINNHUB_SYMBOLS`. Above
  `VOLWATCH_FINNHUB_QUOTES_PER_MINUTE` they take turns, those first that were asked longest ago.
* The same answer twice, of a closed market or of a task that runs again, is published once: the table `quotes` tells
  what was published last, and what came of each symbol (`UNKNOWN`: Finnhub does not know it).
* Safe to clear and run again at any time. Two runs at once: the second asks nothing.
* Without `VOLWATCH_FINNHUB_TOKEN` the task is skipped. A token that Finnhub refuses fails it.

What it needs in its environment: `VOLWATCH_FINNHUB_*`, `VOLWATCH_KAFKA_*` and `VOLWATCH_WAREHOUSE_*` (role
`volwatch_pipeline`).
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=5),
    doc_md=__doc__,
    tags=["volwatch"],
)
def quote_fetch() -> None:
    """Wire the one task."""

    @task(retries=1, retry_delay=timedelta(seconds=5), execution_timeout=timedelta(minutes=2))
    def fetch_and_publish() -> dict[str, int]:
        # Imported by the task, not by the parser: parsing opens no connection and takes no time.
        from dataclasses import asdict

        from airflow.sdk.exceptions import AirflowSkipException

        from volwatch.pipeline.command import NoAccount, run_quotes

        try:
            return asdict(run_quotes())
        except NoAccount as nobody:
            raise AirflowSkipException(str(nobody)) from None

    fetch_and_publish()


quote_fetch()
