"""# rebuild: hours of the raw zone computed again

Bars, volatility, signals and alerts of a range of hours from the raw zone, and the tables corrected where they say
otherwise. What is right is not touched, so to run it again changes nothing. By hand only: trigger it with

* `first`: an ISO time with its zone, `2026-01-05T14:00Z`; taken down to a full hour of UTC;
* `end`: the same, not included, taken up; empty: to what is loaded.

Hours are those of arrival, as in the names of the objects. `volwatch rebuild --help` says what is done to what.

* `plan` goes through the range once without writing rows, and keeps the engine's state at the beginning of each hour.
* `rebuild_hour`, a task for each hour, computes it from that state and writes its rows in one transaction. The hours
  need nothing of one another: on the KubernetesExecutor each is a pod, four at a time. Beyond 1000 hours a task does
  several, one after another.
* `finish` settles what spans hours: alerts, those of markets, the running state of the engine.

Each task may be cleared and run again. Minute runs go on meanwhile; one that finds an hour being written leaves, and
the next one does its work. Where the raw zone has lost what was loaded once, the task of that hour fails and names it:
then rebuild by hand, with `volwatch rebuild --allow-loss`, if the rows may go.

What it needs in its environment: as market_pipeline.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

MOST_TASKS = 1_000  # Airflow maps a task over 1024 at most


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(hours=24),
    doc_md=__doc__,
    tags=["volwatch"],
    params={
        "first": Param("", type="string", title="first", description="ISO time with its zone, as 2026-01-05T14:00Z"),
        "end": Param("", type="string", title="end", description="the same, not included; empty: to what is loaded"),
    },
)
def rebuild() -> None:
    """Wire the plan, its hours and their end."""

    # Imported by the tasks, not by the parser: parsing opens no connection and takes no time.
    @task(retries=2, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(hours=6))
    def plan() -> list[dict[str, Any]]:
        from volwatch.pipeline.rebuild_command import plan_rebuild

        params = get_current_context()["params"]
        return plan_rebuild(params["first"], params["end"], MOST_TASKS)

    @task(
        retries=3,
        retry_delay=timedelta(seconds=30),
        execution_timeout=timedelta(hours=1),
        max_active_tis_per_dagrun=4,
        map_index_template="{{ hour }}",
    )
    def rebuild_hour(piece: dict[str, Any]) -> dict[str, int]:
        from volwatch.pipeline.rebuild_command import rebuild_piece

        get_current_context()["hour"] = "".join(piece["hours"][:1])  # for the template above
        return rebuild_piece(piece)

    @task(retries=2, retry_delay=timedelta(seconds=30), execution_timeout=timedelta(hours=1))
    def finish(planned: list[dict[str, Any]], done: Any) -> dict[str, int]:
        from volwatch.pipeline.rebuild_command import finish_rebuild

        return finish_rebuild(planned[0]["rebuild"], list(done))

    planned = plan()
    finish(planned, rebuild_hour.expand(piece=planned))


rebuild()
