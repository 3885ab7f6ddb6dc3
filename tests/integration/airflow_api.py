"""Airflow's REST API, for tests that start runs and wait for them."""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Run = Mapping[str, Any]


class Api:
    """Airflow's REST API, which asks nobody for a password here."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v2"

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/{path}", data, headers)  # noqa: S310 - our own http address
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            answered: dict[str, Any] = json.load(answer)
        return answered

    def trigger(self, dag: str) -> Run:
        """Start a run; return it when it is over."""
        name = self.ask(f"dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        return self._over(lambda: self.ask(f"dags/{dag}/dagRuns/{name}"))

    def scheduled(self, dag: str, after: datetime) -> Run:
        """Return the first run of the scheduler's own that began after a time, when it is over."""
        query = f"dags/{dag}/dagRuns?run_type=scheduled&order_by=start_date&start_date_gte={after:%Y-%m-%dT%H:%M:%SZ}"
        return self._over(lambda: next(iter(self.ask(query)["dag_runs"]), {"state": "none"}))

    def _over(self, look: Callable[[], Run], seconds: float = 150.0) -> Run:
        deadline = time.monotonic() + seconds
        while (run := look())["state"] not in ("success", "failed"):
            assert time.monotonic() < deadline, run
            time.sleep(0.5)  # the API has no event for it
        return run

    def task_states(self, run: Run) -> dict[str, str]:
        found = self.ask(f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}
