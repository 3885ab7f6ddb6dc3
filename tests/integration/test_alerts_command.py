"""``volwatch alerts`` as a person runs it, under the dashboard's role, on a real PostgreSQL."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.integration.acting import Insert, as_pipeline
from tests.integration.worlds import MakeWorld, World
from volwatch.local.stack import ROLES, Stack
from volwatch.settings import WarehouseSettings, as_environment

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture
def alerts(dashboard_of_world: WarehouseSettings) -> Run:
    return lambda *arguments: run(dashboard_of_world, *arguments)


def run(settings: WarehouseSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "volwatch.cli", "alerts", *arguments],
        env={**os.environ, **as_environment(settings)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_alert_is_listed_acknowledged_once_noted_and_judged(alerts: Run, insert: Insert) -> None:
    alert = insert()
    insert("B", state="CLOSED")
    short = alert.replace("-", "")[:8]
    listed = alerts("list", "--open")
    assert (listed.returncode, listed.stdout.count("\n")) == (0, 2), listed.stderr
    assert alert in listed.stdout
    assert alerts("ack", short, "--by", "ada", "--note", "earnings").stdout == f"acknowledged {alert}\n"
    again = alerts("ack", short, "--by", "bob")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith(f"volwatch alerts: {alert} is acknowledged already by ada, 20")
    assert alerts("note", short, "a split", "--by", "bob").returncode == 0
    assert [alerts("false-positive", short, "--by", "bob").returncode for _turn in range(2)] == [0, 1]
    assert [alerts("false-positive", short, "--withdraw").returncode for _turn in range(2)] == [0, 1]
    [held] = json.loads(alerts("list", "--symbol", "A", "--json").stdout)
    assert (held["alert_id"], held["acknowledged_by"], held["note"]) == (alert, "ada", "a split")
    told = json.loads(alerts("show", short, "--json").stdout)
    assert [(each["event"], each["actor"]) for each in told["events"][:3]] == [
        ("ACKNOWLEDGED", "ada"),
        ("NOTE", "bob"),
        ("FALSE_POSITIVE", "bob"),
    ]
    assert told["acknowledged_at"].endswith("+00:00")


def test_the_filters_choose(alerts: Run, insert: Insert) -> None:
    insert("A")
    insert("B", "REOPEN")
    insert("C", state="CLOSED", age_days=3)

    def symbols(*arguments: str) -> list[str]:
        return [each["symbol"] for each in json.loads(alerts("list", "--json", *arguments).stdout)]

    assert symbols() == ["B", "A", "C"]
    assert symbols("--limit", "1") == ["B"]
    assert symbols("--open") == ["B", "A"]
    assert symbols("--kind", "reopen") == ["B"]
    assert symbols("--severity", "low", "--severity", "HIGH") == ["B", "A", "C"]
    assert symbols("--severity", "high") == []
    assert symbols("--source", "other") == []
    assert symbols("--since", "2100-01-01T00:00Z") == []


def test_all_of_an_alert_is_told_with_what_is_linked_and_what_silences_it(
    world: World, alerts: Run, insert: Insert
) -> None:
    market = insert("24/7", "MARKET")
    alert = insert("A")
    as_pipeline(world, "UPDATE stock_alerts SET market_alert_id = %s WHERE alert_id = %s", (market, alert))
    made = alerts("silence", "--symbol", "A", "--for", "2h", "--by", "ada", "--reason", "a known event")
    assert made.stdout.startswith("silence 1 until 20"), made.stderr
    shown = alerts("show", alert).stdout
    assert f"  {market[:8]} MARKET OPEN s\n" in shown
    assert "  1 symbol A until 20" in shown
    assert ": a known event (ada)\n" in shown
    assert "silenced       True\n" in shown
    assert f"  {alert[:8]} VOLATILITY OPEN s\n" in alerts("show", market).stdout
    assert "silenced       False\n" in alerts("show", market).stdout
    assert ",silenced," in alerts("list", "--symbol", "A").stdout


def test_a_silence_is_made_listed_and_ended_once(alerts: Run) -> None:
    assert alerts("silence", "--everything", "--until", "2020-01-01T00:00Z", "--reason", "x").returncode == 2
    assert alerts("silence", "--kind", "reopen", "--for", "91d", "--reason", "x").returncode == 2
    assert alerts("silence", "--kind", "reopen", "--for", "30m", "--by", "ada", "--reason", "x").returncode == 0
    [held] = json.loads(alerts("silences", "--json").stdout)
    assert (held["kind"], held["symbol"], held["in_force"]) == ("REOPEN", None, True)
    number = str(held["silence_id"])
    assert [alerts("unsilence", number, "--by", "bob").returncode for _turn in range(2)] == [0, 1]
    assert alerts("silences").stdout.count("\n") == 1
    over = alerts("silences", "--all").stdout.splitlines()[1]
    assert over.startswith(f"{number},kind REOPEN,ended,")
    assert over.endswith(",x,ada,bob")


def test_what_is_not_there_is_said_and_what_is_not_unique_is_refused(world: World, alerts: Run, insert: Insert) -> None:
    for action in (["show"], ["ack"], ["note"], ["false-positive"]):
        missing = alerts(*action, "abcdef", *(["x"] if action == ["note"] else []))
        told = (missing.returncode, missing.stderr)
        assert told == (1, "volwatch alerts: there is no alert of the id abcdef\n")
    ids = ["abcdef00-0000-4000-8000-000000000001", "abcdef00-0000-4000-8000-000000000002"]
    for name, symbol in zip(ids, "AB", strict=True):
        as_pipeline(world, "UPDATE stock_alerts SET alert_id = %s WHERE alert_id = %s", (name, insert(symbol)))
    several = alerts("show", "ABCDEF")
    assert several.returncode == 2
    assert all(name in several.stderr for name in ids)
    assert alerts("show", ids[0]).returncode == 0


@pytest.mark.parametrize("role", ["pipeline", "readonly"])
def test_another_role_may_look_but_not_act(stack: Stack, world: World, insert: Insert, role: str) -> None:
    settings = stack.postgres.settings(ROLES[role], world.warehouse.database)
    alert = insert()
    assert run(settings, "list").returncode == 0
    assert run(settings, "show", alert).returncode == 0
    refused = run(settings, "note", alert, "x")
    assert (refused.returncode, "permission denied for function" in refused.stderr) == (1, True)
